"""What Xcode reads of the app: project, string catalogue, privacy manifest. Parsed here, so that Linux sees a slip."""

from __future__ import annotations

import json
import plistlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    (product,) = (objects[key] for key in target["packageProductDependencies"])
    manifest = (IOS.parent / "Package.swift").read_text(encoding="utf-8")
    assert f'.library(name: "{product["productName"]}"' in manifest
    assert (IOS / objects[product["package"]]["relativePath"] / "Package.swift").is_file()


def test_the_settings_are_those_that_the_code_needs(project: dict[str, Any]) -> None:
    objects = project["objects"]
    (root,) = (o for o in objects.values() if o["isa"] == "PBXProject")
    (target,) = (o for o in objects.values() if o["isa"] == "PBXNativeTarget")
    for name in ("Debug", "Release"):
        merged: dict[str, Any] = {}
        for owner in (root, target):
            listed = objects[owner["buildConfigurationList"]]["buildConfigurations"]
            (found,) = (objects[key] for key in listed if objects[key]["name"] == name)
            merged |= found["buildSettings"]
        assert merged["SWIFT_VERSION"] == "6.0"
        assert merged["COREML_CODEGEN_LANGUAGE"] == "None"  # a class `Kana` that nobody uses
        manifest = (IOS.parent / "Package.swift").read_text(encoding="utf-8")
        assert f".iOS(.v{merged['IPHONEOS_DEPLOYMENT_TARGET'].removesuffix('.0')})" in manifest
        icon = APP / "Assets.xcassets" / f"{merged['ASSETCATALOG_COMPILER_APPICON_NAME']}.appiconset"
        colour = merged["ASSETCATALOG_COMPILER_GLOBAL_ACCENT_COLOR_NAME"]
        assert (APP / "Assets.xcassets" / f"{colour}.colorset/Contents.json").is_file()
        for image in json.loads((icon / "Contents.json").read_text(encoding="utf-8"))["images"]:
            assert (icon / image["filename"]).is_file()


def _phrases() -> list[str]:
    text = (IOS / "Sources/KanaReading/Phrase.swift").read_text(encoding="utf-8")
    body = text[text.index("enum Phrase") : text.index("public indirect enum Wording")]
    return re.findall(r'case \w+ =\s*"((?:[^"\\]|\\.)*)"', body)


def test_every_phrase_is_translated_with_the_same_places() -> None:
    phrases = _phrases()
    assert len(phrases) == len(set(phrases)) > 60
    catalogue = json.loads((APP / "Localizable.xcstrings").read_text(encoding="utf-8"))
    assert catalogue["sourceLanguage"] == "en"
    assert set(catalogue["strings"]) == set(phrases)
    for phrase in phrases:
        entry = catalogue["strings"][phrase]
        assert entry["extractionState"] == "manual"  # else Xcode takes it for a leftover
        units = {language: said["stringUnit"] for language, said in entry["localizations"].items()}
        assert set(units) == {"en", "ja"}
        assert units["en"]["value"] == phrase
        for unit in units.values():
            assert unit["state"] == "translated"
            assert sorted(re.findall(r"%\d\$@", unit["value"])) == sorted(re.findall(r"%\d\$@", phrase)), phrase


def test_no_text_of_a_screen_is_outside_of_the_catalogue() -> None:
    literal = re.compile(r'(?:Text|Label|Button|Section|Toggle|Picker|navigationTitle|accessibility\w+|alert)\("')
    for path in SHIPPED:
        found = literal.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name}: {found}"


def test_every_phrase_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SHIPPED)
    names = re.findall(r"case (\w+) =", text[text.index("enum Phrase") : text.index("public indirect enum Wording")])
    assert [name for name in names if len(re.findall(rf"\.{name}\b", text)) < 1] == []


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
    for path in SHIPPED:
        text = path.read_text(encoding="utf-8")
        found = re.search(r"URLSession|URLRequest|NWConnection|import Network|WKWebView|CFSocket|https?://", text)
        assert found is None, f"{path.name}: {found}"


def _make(*words: str) -> subprocess.CompletedProcess[str]:
    """`make` in the checkout with this Python, without the set-up."""
    command = ["make", "-o", "setup", f"BIN={Path(sys.executable).parent}", *words]
    return subprocess.run(command, cwd=IOS.parent, capture_output=True, text=True, check=False)


def test_make_brings_model_and_strokes(tmp_path: Path) -> None:
    for _ in range(2):  # the second time over the first
        done = _make("ios-model", f"IOS_APP={tmp_path}")
        assert done.returncode == 0, done.stderr
    bundled = IOS.parent / "export/pretrained/kana/Kana.mlpackage"
    copied = tmp_path / "Model/Kana.mlpackage"
    files = sorted(p.relative_to(bundled) for p in bundled.rglob("*") if p.is_file())
    assert sorted(p.relative_to(copied) for p in copied.rglob("*") if p.is_file()) == files
    assert all((copied / file).read_bytes() == (bundled / file).read_bytes() for file in files)
    table = json.loads((tmp_path / "Resources/practice.json").read_text(encoding="utf-8"))
    assert len(table["kana"]) > 140
    wrong = _make("ios-model", f"IOS_APP={tmp_path}", "PACKAGE=nowhere")
    assert wrong.returncode == 2
    assert "no nowhere/Kana.mlpackage" in wrong.stderr
    assert copied.is_dir()


def test_what_make_brings_is_ignored_by_git() -> None:
    ignored = (IOS.parent / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/ios/App/Model/", "/ios/App/Resources/", "/.build/"} <= set(ignored)


def test_the_bundled_package_is_what_the_actor_demands() -> None:
    """`KanaModel` refuses any other: one grey image of 128 × 128, probabilities, metadata with these keys."""
    package = read_package(IOS.parent / "export/pretrained/kana/Kana.mlpackage")
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
    assert (*said["charset"], said["no_character_label"]) == package.classes
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


def test_nothing_that_is_known_to_be_newer_than_ios_15_is_used() -> None:
    """The stubs know no availability; these are what one would reach for."""
    newer = (
        r"NavigationStack|navigationDestination|ShareLink|ViewThatFits|\bGrid\b|LabeledContent|ContentUnavailableView|"
        r"@Observable|@Bindable|import Synchronization|ContinuousClock|Duration|sleep\(for:|\bRegex\b|scrollDismisses|"
        r"\.appending\(path|sensoryFeedback|presentationDetents|prediction\(from:.*await|AccessibilityNotification"
    )
    for path in SHIPPED:
        if "cpuAndNeuralEngine" in (text := path.read_text(encoding="utf-8")):
            assert text.count("cpuAndNeuralEngine") == text.count("#available(iOS 16, *)"), path.name
        found = re.search(newer, path.read_text(encoding="utf-8"))
        assert found is None, f"{path.name}: {found}"
