"""What Xcode reads of the app: project, string catalogue, privacy manifest. Parsed here, so that Linux sees a slip."""

import ast
import json
import plistlib
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from export import line_reading
from export.coreml import read_mlpackage
from export.recognizer import LOWNESS_MARGIN, LOWNESS_WEIGHT
from fastetl.data.charset import JAPANESE, SHAPES, SMALL_LETTERS, script_of
from fastetl.ink import paper, pens, ruling
from fastetl.lines import bigrams, candidates, layout, path, segmentation, shapes
from fastetl.synth.practice import practice_data

ROOT = Path(__file__).parent.parent
IOS = ROOT / "ios"
APP = IOS / "App"
MANIFEST = (ROOT / "Package.swift").read_text(encoding="utf-8")
SHIPPED = [*(IOS / "Sources").rglob("*.swift"), *APP.rglob("*.swift")]
# Apple, "Describing use of required reason API": names that need a reason in the privacy manifest.
REASONS = {
    "NSPrivacyAccessedAPICategorySystemBootTime": r"systemUptime|mach_absolute_time",
    "NSPrivacyAccessedAPICategoryUserDefaults": r"UserDefaults|AppStorage|SceneStorage",
    "NSPrivacyAccessedAPICategoryFileTimestamp": r"creationDate|modificationDate|\bstat\(|contentModificationDateKey",
    "NSPrivacyAccessedAPICategoryDiskSpace": r"volumeAvailable|systemFreeSize|statfs",
    "NSPrivacyAccessedAPICategoryActiveKeyboards": r"activeInputModes",
}
_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|([{}()=;,])|"((?:[^"\\]|\\.)*)"|([\w./$@<>-]+)', re.DOTALL)
_SIGNS = {"(": "[", ")": "]", "=": ":", ";": ","}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """A property list in the old style, as Python's own literals."""

    def literal(token: re.Match[str]) -> str:
        sign, quoted, plain = token.groups()
        return _SIGNS.get(sign, sign) if sign else "" if quoted is plain is None else repr(plain or quoted)

    text = (IOS / "Kana.xcodeproj/project.pbxproj").read_text(encoding="utf-8")
    read: dict[str, Any] = ast.literal_eval(_TOKEN.sub(literal, text).strip())
    return read


def only(project: dict[str, Any], isa: str) -> dict[str, Any]:
    """The one object of a kind."""
    (one,) = (o for o in project["objects"].values() if o["isa"] == isa)
    return dict(one)


def test_every_reference_of_the_project_leads_somewhere(project: dict[str, Any]) -> None:
    objects = project["objects"]
    assert set(re.findall(r"\b0A[0-9A-F]{22}\b", str(project))) == set(objects)
    assert objects[project["rootObject"]]["isa"] == "PBXProject"
    target = only(project, "PBXNativeTarget")
    assert [objects[key]["path"] for key in target["fileSystemSynchronizedGroups"]] == [APP.name]
    products = {objects[key]["productName"] for key in target["packageProductDependencies"]}
    assert products == set(re.findall(r"import (Kana\w+)", "".join(p.read_text() for p in APP.glob("*.swift"))))
    assert all(f'.library(name: "{name}"' in MANIFEST for name in products)
    assert (IOS / only(project, "XCLocalSwiftPackageReference")["relativePath"]).resolve() == ROOT
    (file,) = (objects[objects[key]["fileRef"]]["path"] for key in only(project, "PBXSourcesBuildPhase")["files"])
    assert (IOS / file).resolve() == ROOT / "export/pretrained/japanese/Kana.mlpackage"
    (scheme,) = (IOS / "Kana.xcodeproj/xcshareddata/xcschemes").glob("*.xcscheme")
    for reference in ElementTree.parse(scheme).iter("BuildableReference"):
        identifier = reference.attrib["BlueprintIdentifier"]
        assert identifier in objects or f'name: "{identifier}"' in MANIFEST


def test_the_settings_are_those_that_the_code_needs(project: dict[str, Any]) -> None:
    objects = project["objects"]
    (config,) = (o["path"] for o in objects.values() if o.get("lastKnownFileType") == "text.xcconfig")
    team = set(re.findall(r"^(\w+) =", (IOS / config).read_text(encoding="utf-8"), re.MULTILINE))
    assert "PRODUCT_BUNDLE_IDENTIFIER" in team
    for name in ("Debug", "Release"):
        merged: dict[str, Any] = {}
        for owner in (only(project, "PBXProject"), only(project, "PBXNativeTarget")):
            listed = [objects[key] for key in objects[owner["buildConfigurationList"]]["buildConfigurations"]]
            merged |= next(one["buildSettings"] for one in listed if one["name"] == name)
        assert not team & merged.keys()  # each stands in one place
        assert merged["SWIFT_VERSION"] == "6.0"
        assert merged["COREML_CODEGEN_LANGUAGE"] == "None"  # a class `Kana` that nobody uses
        assert f".iOS(.v{merged['IPHONEOS_DEPLOYMENT_TARGET'].removesuffix('.0')})" in MANIFEST
        for setting, kind in (("APPICON", "appiconset"), ("GLOBAL_ACCENT_COLOR", "colorset")):
            name = merged[f"ASSETCATALOG_COMPILER_{setting}_NAME"]
            assert (APP / "Assets.xcassets" / f"{name}.{kind}/Contents.json").is_file()


_TEXT = re.compile(
    r"(?:String\(\s*localized:\s*|(?:Text|Button|Label|Toggle|Picker|Section|Stepper|Link|NavigationLink|TextField|"
    r'navigationTitle|alert|accessibilityLabel|screen|button)\(\s*)"((?:\\\((?:[^()]|\([^()]*\))*\)|[^"\\])*)"'
)


def test_every_text_is_translated_with_the_same_places() -> None:
    """The stub takes texts alone as fillings, so that every place is %@."""
    sources = "".join(path.read_text(encoding="utf-8") for path in APP.glob("*.swift"))
    texts = {re.sub(r"\\\((?:[^()]|\([^()]*\))*\)", "%@", text) for text in _TEXT.findall(sources)}
    strings = json.loads((APP / "Localizable.xcstrings").read_text(encoding="utf-8"))["strings"]
    assert set(strings) == texts
    assert len(texts) > 60
    for text, entry in strings.items():
        count = text.count("%@")
        places = ["%@"] * count if count < 2 else [f"%{k}$@" for k in range(1, count + 1)]
        units = {language: unit["stringUnit"] for language, unit in entry["localizations"].items()}
        assert set(units) == ({"en", "ja"} if len(places) > 1 else {"ja"})
        for unit in units.values():
            assert unit["state"] == "translated"
            assert sorted(re.findall(r"%(?:\d\$)?@", unit["value"])) == places, text


def test_the_app_is_private_and_says_so() -> None:
    manifest = plistlib.loads((APP / "PrivacyInfo.xcprivacy").read_bytes())
    assert manifest["NSPrivacyTracking"] is False
    assert manifest["NSPrivacyTrackingDomains"] == manifest["NSPrivacyCollectedDataTypes"] == []
    sources = {path.name: path.read_text(encoding="utf-8") for path in SHIPPED}
    text = re.sub(r"//.*", "", "".join(sources.values()))
    declared = {e["NSPrivacyAccessedAPIType"] for e in manifest["NSPrivacyAccessedAPITypes"]}
    assert declared == {name for name, used in REASONS.items() if re.search(used, text)}
    assert all(entry["NSPrivacyAccessedAPITypeReasons"] for entry in manifest["NSPrivacyAccessedAPITypes"])
    for name, source in sources.items():
        assert re.search(r"URLSession|URLRequest|NWConnection|import Network|WKWebView|CFSocket", source) is None, name
        # Links to licences and sources, which the browser opens.
        assert len(re.findall(r'https?://[^"]+', source)) == (4 if name == "SettingsScreen.swift" else 0), name


def test_no_text_for_developers_is_in_a_release() -> None:
    for source in APP.glob("*.swift"):
        text = re.sub(r"#if DEBUG.*?#endif", "", source.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.search(r"keepsSamples|DeviceCheck|SamplesScreen|\bmake\b", text) is None, source.name


def test_what_swift_repeats_of_python_is_the_same() -> None:
    """json.dumps(practice_data(), ensure_ascii=False, separators=(",", ":")) is the file."""
    assert json.loads((IOS / "Sources/KanaApp/practice.json").read_text(encoding="utf-8")) == practice_data()
    script = (IOS / "Sources/KanaReading/Script.swift").read_text(encoding="utf-8")
    listed = script[script.index("static let shapes = [") : script.index("private static let firstOfShape")]
    assert tuple(re.findall(r'"(.+?)"', listed)) == SHAPES
    ((small, large),) = re.findall(r'zip\("(ck.*?)", "(CK.*?)"\)', script)
    assert dict(zip(small, large, strict=True)) == SMALL_LETTERS
    assert f"let (lownessWeight, lownessMargin) = ({LOWNESS_WEIGHT}, {LOWNESS_MARGIN})\n" in script
    for name, first, last in re.findall(r"let is(\w+) = \(0x(\w+)\.\.\.0x(\w+)\)", script):
        of_swift = {character for character in JAPANESE if int(first, 16) <= ord(character) <= int(last, 16)}
        assert of_swift == {c for c in JAPANESE if script_of(c) == name.lower() and c not in "ゝゞヽヾー"}
    thresholds = (IOS / "Sources/KanaPhoto/Paper.swift").read_text(encoding="utf-8")
    of_python = {name.strip("_"): value for module in (paper, pens, ruling) for name, value in vars(module).items()}
    for name, value in re.findall(r" static let (\w+) = (.*)", thresholds):
        assert json.dumps(of_python[re.sub("([A-Z])", r"_\1", name).upper()]) == value, name
    lines = "".join(source.read_text(encoding="utf-8") for source in (IOS / "Sources/KanaLines").glob("*.swift"))
    (lying,) = re.findall(r'lying: .*= Set\("(.*?)"', lines)
    assert set(lying) == shapes.LYING
    script = (ROOT / "fastetl_cli/web/page/lines.js").read_text(encoding="utf-8")
    modules = (bigrams, candidates, layout, line_reading, path, segmentation, shapes)
    of_python = {name.strip("_"): value for module in modules for name, value in vars(module).items()}
    constants = re.findall(r"\b([A-Z_]{5,}) = (-?[\d.]+)", script)
    assert len(constants) > 40
    in_swift = re.findall(r" static let (\w+) = (-?[\d.]+)\n", lines)
    for name, value in constants + in_swift:
        assert of_python[re.sub("(?<=[a-z])([A-Z])", r"_\1", name).upper()] == float(value), name


def test_the_bundled_package_is_what_the_actor_demands() -> None:
    """`KanaModel` refuses any other: one grey image of 128 × 128, probabilities, metadata with these keys."""
    spec, _, labels = read_mlpackage(ROOT / "export/pretrained/japanese/Kana.mlpackage")
    image = spec.description.input[0].type.imageType
    assert (image.width, image.height, image.ColorSpace.Name(image.colorSpace)) == (128, 128, "GRAYSCALE")
    metadata = dict(spec.description.metadata.userDefined)
    text = (IOS / "Sources/KanaReading/ModelFacts.swift").read_text(encoding="utf-8")
    keys = re.findall(r'try text\("(\w+)"\)', text)
    assert len(keys) == 3
    assert set(keys) <= set(metadata)
    assert (*metadata["charset"], metadata["no_character_label"]) == labels
    assert tuple(metadata["charset"]) == JAPANESE.characters  # what the tables of lines are about
    assert 0 < float(metadata["threshold"]) < 1
