"""What Xcode reads of the app: project, string catalogue, privacy manifest. Parsed here, so that Linux sees a slip."""

from __future__ import annotations

import json
import plistlib
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from benches.studies.ios_reading import kana_drawings, photographs
from export import open_recognizer
from export.mlpackage import read_package

IOS = Path(__file__).parent.parent / "ios"
APP = IOS / "App"
SHIPPED = [*(IOS / "Sources").rglob("*.swift"), *APP.rglob("*.swift")]
_TOKEN = re.compile(r'\s+|//[^\n]*|/\*.*?\*/|([{}()=;,])|"((?:[^"\\]|\\.)*)"|([\w./$@<>-]+)', re.DOTALL)
# Apple, "Describing use of required reason API": names that need a reason in the privacy manifest.
REASONS = {
    "NSPrivacyAccessedAPICategorySystemBootTime": r"systemUptime|mach_absolute_time",
    "NSPrivacyAccessedAPICategoryUserDefaults": r"UserDefaults|AppStorage|SceneStorage",
    "NSPrivacyAccessedAPICategoryFileTimestamp": r"creationDate|modificationDate|\bstat\(|contentModificationDateKey",
    "NSPrivacyAccessedAPICategoryDiskSpace": r"volumeAvailable|systemFreeSize|statfs",
    "NSPrivacyAccessedAPICategoryActiveKeyboards": r"activeInputModes",
}


def _project(text: str) -> Any:
    """A property list in the old style: dictionaries, lists, strings. Raises ValueError for anything else."""
    tokens: list[str] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"byte {at}: {text[at : at + 20]!r}")
        sign, quoted, plain = found.groups()
        if sign or plain or quoted is not None:
            tokens.append(sign or plain or f'"{quoted}')
        at = found.end()

    def value() -> Any:
        token = tokens.pop(0)
        if token == "{":
            made: dict[str, Any] = {}
            while tokens[0] != "}":
                key = tokens.pop(0).lstrip('"')
                assert tokens.pop(0) == "=", key
                assert key not in made, key
                made[key] = value()
                assert tokens.pop(0) == ";", key
            tokens.pop(0)
            return made
        if token == "(":
            listed = []
            while tokens[0] != ")":
                listed.append(value())
                if tokens[0] == ",":
                    tokens.pop(0)
            tokens.pop(0)
            return listed
        assert token not in set("})=;,"), token
        return token.lstrip('"')

    whole = value()
    assert not tokens, tokens[:3]
    return whole


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    read: dict[str, Any] = _project((IOS / "Kana.xcodeproj/project.pbxproj").read_text(encoding="utf-8"))
    return read


def test_every_reference_of_the_project_leads_somewhere(project: dict[str, Any]) -> None:
    objects = project["objects"]
    text = (IOS / "Kana.xcodeproj/project.pbxproj").read_text(encoding="utf-8")
    named = set(re.findall(r"\b0A[0-9A-F]{22}\b", text))
    assert named == set(objects)
    assert project["objectVersion"] == "77"
    assert objects[project["rootObject"]]["isa"] == "PBXProject"


def test_the_target_takes_the_app_folder_and_the_package(project: dict[str, Any]) -> None:
    objects = project["objects"]
    (target,) = (o for o in objects.values() if o["isa"] == "PBXNativeTarget")
    (group,) = (objects[key] for key in target["fileSystemSynchronizedGroups"])
    assert group["isa"] == "PBXFileSystemSynchronizedRootGroup"
    assert (IOS / group["path"]).is_dir()
    for name in ("KanaApp.swift", "Localizable.xcstrings", "PrivacyInfo.xcprivacy", "Assets.xcassets/Contents.json"):
        assert (IOS / group["path"] / name).is_file(), name
    manifest = (IOS.parent / "Package.swift").read_text(encoding="utf-8")
    for product in (objects[key] for key in target["packageProductDependencies"]):
        assert f'.library(name: "{product["productName"]}"' in manifest
        assert (IOS / objects[product["package"]]["relativePath"]).resolve() == IOS.parent
    imported = set(re.findall(r"^import (Kana\w+)", "".join(p.read_text() for p in APP.glob("*.swift")), re.MULTILINE))
    assert imported == {objects[key]["productName"] for key in target["packageProductDependencies"]}


def test_the_app_compiles_the_bundled_network(project: dict[str, Any]) -> None:
    objects = project["objects"]
    (sources,) = (o for o in objects.values() if o["isa"] == "PBXSourcesBuildPhase")
    (file,) = (objects[objects[key]["fileRef"]]["path"] for key in sources["files"])
    assert (IOS / file).resolve() == IOS.parent / "export/pretrained/japanese/Kana.mlpackage"


def test_the_scheme_names_what_is_there(project: dict[str, Any]) -> None:
    (scheme,) = (IOS / "Kana.xcodeproj/xcshareddata/xcschemes").glob("*.xcscheme")
    manifest = (IOS.parent / "Package.swift").read_text(encoding="utf-8")
    for reference in ElementTree.parse(scheme).iter("BuildableReference"):
        identifier = reference.attrib["BlueprintIdentifier"]
        assert identifier in project["objects"] or f'name: "{identifier}"' in manifest


def test_the_settings_are_those_that_the_code_needs(project: dict[str, Any]) -> None:
    objects = project["objects"]
    (root,) = (o for o in objects.values() if o["isa"] == "PBXProject")
    (target,) = (o for o in objects.values() if o["isa"] == "PBXNativeTarget")
    (config,) = (o["path"] for o in objects.values() if o.get("lastKnownFileType") == "text.xcconfig")
    team = (IOS / config).read_text(encoding="utf-8")
    assert "PRODUCT_BUNDLE_IDENTIFIER" in team
    for name in ("Debug", "Release"):
        merged: dict[str, Any] = {}
        for owner in (root, target):
            listed = objects[owner["buildConfigurationList"]]["buildConfigurations"]
            (found,) = (objects[key] for key in listed if objects[key]["name"] == name)
            merged |= found["buildSettings"]
        assert merged["SWIFT_VERSION"] == "6.0"
        assert merged["COREML_CODEGEN_LANGUAGE"] == "None"  # a class `Kana` that nobody uses
        assert not set(re.findall(r"^(\w+) =", team, re.MULTILINE)) & merged.keys()  # each stands in one place
        manifest = (IOS.parent / "Package.swift").read_text(encoding="utf-8")
        assert f".iOS(.v{merged['IPHONEOS_DEPLOYMENT_TARGET'].removesuffix('.0')})" in manifest
        icon = APP / "Assets.xcassets" / f"{merged['ASSETCATALOG_COMPILER_APPICON_NAME']}.appiconset"
        colour = merged["ASSETCATALOG_COMPILER_GLOBAL_ACCENT_COLOR_NAME"]
        assert (APP / "Assets.xcassets" / f"{colour}.colorset/Contents.json").is_file()
        for image in json.loads((icon / "Contents.json").read_text(encoding="utf-8"))["images"]:
            assert (icon / image["filename"]).is_file()


_TEXT = re.compile(
    r"(?:String\(\s*localized:\s*|(?:Text|Button|Label|Toggle|Picker|Section|Stepper|Link|NavigationLink|TextField|"
    r'navigationTitle|alert|accessibilityLabel|screen|button)\(\s*)"((?:\\\((?:[^()]|\([^()]*\))*\)|[^"\\])*)"'
)


def test_every_text_is_translated_with_the_same_places() -> None:
    """The stub takes texts alone as fillings, so that every place is %@."""
    sources = "".join(path.read_text(encoding="utf-8") for path in APP.glob("*.swift"))
    texts = {re.sub(r"\\\((?:[^()]|\([^()]*\))*\)", "%@", text) for text in _TEXT.findall(sources)}
    catalogue = json.loads((APP / "Localizable.xcstrings").read_text(encoding="utf-8"))
    assert catalogue["sourceLanguage"] == "en"
    assert set(catalogue["strings"]) == texts
    assert len(texts) > 60
    for text, entry in catalogue["strings"].items():
        count = text.count("%@")
        places = ["%@"] * count if count < 2 else [f"%{k}$@" for k in range(1, count + 1)]
        units = {language: unit["stringUnit"] for language, unit in entry["localizations"].items()}
        assert set(units) == ({"en", "ja"} if len(places) > 1 else {"ja"})
        for unit in units.values():
            assert unit["state"] == "translated"
            assert sorted(re.findall(r"%(?:\d\$)?@", unit["value"])) == places, text


def test_the_privacy_manifest_says_what_the_code_does() -> None:
    manifest = plistlib.loads((APP / "PrivacyInfo.xcprivacy").read_bytes())
    assert manifest["NSPrivacyTracking"] is False
    assert manifest["NSPrivacyTrackingDomains"] == []
    assert manifest["NSPrivacyCollectedDataTypes"] == []
    text = "".join(re.sub(r"//.*", "", path.read_text(encoding="utf-8")) for path in SHIPPED)
    declared = {e["NSPrivacyAccessedAPIType"] for e in manifest["NSPrivacyAccessedAPITypes"]}
    assert declared == {name for name, used in REASONS.items() if re.search(used, text)}
    assert all(entry["NSPrivacyAccessedAPITypeReasons"] for entry in manifest["NSPrivacyAccessedAPITypes"])


def test_nothing_in_the_app_can_reach_a_network() -> None:
    """Four addresses are links, which the browser opens."""
    for path in SHIPPED:
        text = path.read_text(encoding="utf-8")
        assert re.search(r"URLSession|URLRequest|NWConnection|import Network|WKWebView|CFSocket", text) is None, (
            path.name
        )
        addresses = re.findall(r'https?://[^"]+', text)
        assert len(addresses) == (4 if path.name == "SettingsScreen.swift" else 0), path.name


def test_no_text_for_developers_is_in_a_release() -> None:
    for path in APP.glob("*.swift"):
        text = re.sub(r"#if DEBUG.*?#endif", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert re.search(r"keepsSamples|DeviceCheck|SamplesScreen|\bmake\b", text) is None, path.name


def test_the_bundled_package_is_what_the_actor_demands() -> None:
    """`KanaModel` refuses any other: one grey image of 128 × 128, probabilities, metadata with these keys."""
    package = read_package(IOS.parent / "export/pretrained/japanese/Kana.mlpackage")
    described = package.spec.description
    (image,) = described.input
    shown = image.type.imageType
    assert (shown.width, shown.height) == (128, 128)
    assert shown.ColorSpace.Name(shown.colorSpace) == "GRAYSCALE"
    assert described.predictedProbabilitiesName in {output.name for output in described.output}
    said = dict(described.metadata.userDefined)
    text = (IOS / "Sources/KanaReading/ModelFacts.swift").read_text(encoding="utf-8")
    keys = re.findall(r'try text\("(\w+)"\)', text)
    assert len(keys) == 3
    assert set(keys) <= set(said)
    assert (*said["charset"], said["no_character_label"]) == package.labels
    assert 0 < float(said["threshold"]) < 1


def test_photographs_are_brought_to_a_square_as_the_docs_say() -> None:
    recognizer = open_recognizer("kana")
    drawings = {c: kana_drawings()[c] for c in "あぬシ"}
    made = photographs(recognizer, drawings.values())
    assert all(pictures.shape == (3, 128, 128) for pictures in made.values())
    for way in ("paper bars", "crop"):
        assert [answer[0].label for answer in recognizer.read(made[way])] == list(drawings)
    assert made["black bars"][:, 0].max() == 0
    assert made["paper bars"][:, 0].min() == 255
    assert np.array_equal(made["black bars"][:, 30:98], made["paper bars"][:, 30:98])
