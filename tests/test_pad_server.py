"""The pad's server: what it answers, what it turns away, what it keeps."""

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier
from typing import Any
from unittest.mock import Mock

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from export.recognizer import Recognizer
from fastetl.building.kept_drawings import read_samples
from fastetl.errors import FastetlError, MissingFileError
from fastetl.ink.drawings import Drawing, Stroke, rasterize
from fastetl_cli.main import main
from fastetl_cli.pad import listen
from fastetl_cli.web.sample_files import SampleFolder
from fastetl_cli.web.static import PAGE, RUNTIME_FILES
from tests.conftest import Capture, Patch
from tests.pad import serving

LINE = Drawing(1, 1, (Stroke((0.1, 0.8), (0.2, 0.9)),))
SAMPLE = {**LINE.as_dict(), "label": "ぬ", "answer": "め", "device": "pen"}
BYTES = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pad") / "samples"


@pytest.fixture(scope="module")
def client(package: Recognizer, samples: Path) -> Iterator[httpx.Client]:
    with serving(package, samples) as address, httpx.Client(base_url=address) as opened:
        yield opened


def test_a_browser_in_the_terminal_gets_its_page(monkeypatch: Patch) -> None:
    """It ends `open` when it ends; the server began only then."""
    both = Barrier(2, timeout=5)
    server = Mock(run=lambda sockets: (sockets[0].close(), both.wait()))
    monkeypatch.setattr("fastetl_cli.web.server.make_server", lambda _: server)
    monkeypatch.setattr("webbrowser.open", lambda _: both.wait())
    assert main(["pad", "kana", "--port", "0"]) == 0


def test_others_on_the_network_get_an_address_with_a_token(monkeypatch: Patch, capsys: Capture) -> None:
    close = Mock(run=lambda sockets: sockets[0].close())
    monkeypatch.setattr("fastetl_cli.web.server.make_server", lambda _: close)
    monkeypatch.setattr("fastetl_cli.pad._network_address", lambda: "192.0.2.7")
    assert main(["pad", "kana", "--host", "0.0.0.0", "--port", "0", "--no-browser"]) == 0
    assert re.match(r"Draw at http://192\.0\.2\.7:\d+/#token=[\w-]{20}", capsys.readouterr().out)


def test_the_page_is_served_and_nothing_else(client: httpx.Client) -> None:
    assert "<canvas" in client.get("/").text
    for path in PAGE.iterdir():
        answer = client.get(f"/{path.name}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes()), path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("/server.py", "/../pad.py", "/%2e%2e/pad.py", "/page/app.js", "/kana.onnx", "/samples/%2e%2e"):
        assert client.get(name).status_code == 404, name


def test_what_the_page_is_told(client: httpx.Client, package: Recognizer) -> None:
    about = client.get("/about.json").json()
    assert (about["engine"], about["samples"], about["side"]) == ("server", True, 128)
    assert about["preprocessing"] == package.preprocessing.as_dict()
    assert client.get("/labels.json").json()["labels"] == list(package.labels)
    assert len(client.get("/kana.json").json()["kana"]) == 162


def test_answers_are_the_networks(client: httpx.Client, package: Recognizer) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 128, 128)).astype(np.uint8)
    answer = client.post("/read", content=pictures.tobytes(), headers=BYTES)
    probabilities = np.frombuffer(answer.content, "<f4").reshape(5, -1)
    assert np.abs(probabilities - package.probabilities(pictures)).max() < 1e-6


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (MemoryError("Unable to allocate 9 GiB"), 503, "this machine is out of memory: Unable to allocate 9 GiB\n"),
        (RuntimeError("nobody knows"), 500, "a fault in fastetl; the terminal says which\n"),
    ],
)
def test_a_fault_that_is_not_the_pages_is_told(
    error: Exception, status: int, line: str, client: httpx.Client, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(Recognizer, "probabilities", Mock(side_effect=error))
    # A server that has failed ends the connection; the next request would meet its end.
    answer = client.post("/read", content=bytes(128**2), headers={**BYTES, "connection": "close"})
    assert (answer.status_code, answer.text, "content-security-policy" in answer.headers) == (status, line, True)


@pytest.mark.parametrize(
    ("path", "kind", "header", "status", "line"),
    [
        ("/read", "octet-stream", "content-length: 9", 408, "the body did not come within 0.05 seconds"),
        ("/read", "octet-stream", "content-length: 1048577", 413, "content-length, at most 1,048,576 bytes"),
        ("/read", "octet-stream", "transfer-encoding: chunked", 413, "content-length, at most 1,048,576 bytes"),
        ("/samples", "json", "content-length: 1048577", 413, "content-length, at most 1,048,576 bytes"),
    ],
)
def test_a_body_that_does_not_come_or_is_too_long_is_not_waited_for(
    client: httpx.Client, monkeypatch: Patch, path: str, kind: str, header: str, status: int, line: str
) -> None:
    monkeypatch.setattr("fastetl_cli.web.server.BODY_SECONDS", 0.05)
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/{kind}\r\n{header}"
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), 20) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())  # of a body, the rest would come back as a reset connection
        answer = connection.makefile().read()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert answer.endswith(f"{line}\n")


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "line"),
    [
        ("POST", "/read", {"content": b"", "headers": BYTES}, 400, "expected 1 to 64 pictures"),
        ("POST", "/read", {"content": b"x" * 16383, "headers": BYTES}, 400, "expected 1 to 64 pictures"),
        ("POST", "/read", {"content": b"x" * 16384}, 415, "expected content of type application/octet-stream"),
        ("GET", "/read", {}, 404, "Not Found"),
        ("POST", "/samples", {"content": b"{", "headers": {"content-type": "application/json"}}, 400, "Expecting"),
        ("POST", "/samples", {"json": [1]}, 400, "expected a JSON object"),
        ("POST", "/samples", {"json": {**SAMPLE, "format": 2}}, 400, "expected an object of format 1; found 2"),
        ("POST", "/samples", {"data": SAMPLE}, 415, "application/json"),
        ("GET", "/samples/nothing.jsonl", {}, 404, "no such file"),
        ("GET", "/samples/..%2f..%2fetc%2fpasswd", {}, 404, "Not Found"),
        ("DELETE", "/samples/nothing.jsonl/x", {}, 404, "no such file"),
        ("DELETE", "/", {}, 405, "Method Not Allowed"),
        ("GET", "/", {"headers": {"host": "evil.example"}}, 400, "Invalid host header"),
        ("GET", "/about.json", {"headers": {"host": "[::1]:8128"}}, 200, "samples"),
        ("GET", "/about.json", {"headers": {"host": "[::1]:1", "origin": "https://[::1]:1"}}, 200, "samples"),
        ("GET", "/", {"headers": {"host": ""}}, 400, "Invalid host header"),
        ("POST", "/read", {"content": b"x", "headers": {"origin": "http://evil.example"}}, 403, "other pages"),
        ("POST", "/read", {"content": b"x", "headers": {"origin": "null"}}, 403, "other pages"),
        ("GET", "/about.json", {"headers": {"sec-fetch-site": "cross-site"}}, 403, "other pages"),
    ],
)
def test_what_is_turned_away_is_told_in_one_line(
    client: httpx.Client, method: str, path: str, options: dict[str, Any], status: int, line: str
) -> None:
    answer = client.request(method, path, **options)
    assert answer.status_code == status
    assert line in answer.text
    assert answer.text.count("\n") <= 1


def test_samples_are_kept_listed_and_deleted(package: Recognizer, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with serving(package, folder) as address, httpx.Client(base_url=address) as client:
        ids = [client.post("/samples", json={**SAMPLE, "id": "x", "time": "never"}).json()["id"] for _ in range(3)]
        [file] = client.get("/samples").json()["files"]
        shown = client.get(f"/samples/{file['name']}").json()
        assert [s["id"] for s in shown["samples"]] == ids[::-1]
        assert shown["samples"][0]["strokes"] == SAMPLE["strokes"]
        assert client.delete(f"/samples/{file['name']}/{ids[1]}").status_code == 204
        assert client.delete(f"/samples/{file['name']}/{ids[1]}").status_code == 404
        client.post("/samples", json={**SAMPLE, "label": ""})
    assert sorted(p.suffix for p in folder.iterdir()) == [".jsonl", ".lock"]
    read, faults = read_samples(folder / file["name"])
    assert faults == []
    assert [s.id for _, s in read][:2] == [ids[0], ids[2]]
    assert [s.label for _, s in read] == ["ぬ", "ぬ", ""]
    for _, sample in read:
        assert (rasterize(sample.drawing) == rasterize(LINE)).all()


def test_the_store_writes_only_its_own_files(tmp_path: Path, monkeypatch: Patch) -> None:
    folder, outside = tmp_path / "kept", tmp_path / "outside.jsonl"
    outside.write_text("before\n")
    store = SampleFolder(folder)
    with pytest.raises(FastetlError, match="another pad keeps samples here"):
        SampleFolder(folder)
    first = store.add(SAMPLE, "pad 1")
    file = folder / f"{first.time[:10]}.jsonl"
    with file.open("a") as torn:
        torn.write('{"format":1,"id"')  # cut short, as by a full disk
    store.add(SAMPLE, "pad 1")
    assert [len(part) for part in read_samples(file)] == [2, 1]
    store.remove(file.name, first.id)
    assert [line for line, _ in read_samples(file)[0]] == [2]  # not renumbered: the line before was torn
    file.unlink()
    file.symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        store.add(SAMPLE, "pad 1")
    with pytest.raises(MissingFileError, match="no such file"):
        store.list_samples(file.name)
    assert outside.read_text() == "before\n"
    file.unlink()
    kept, newest = store.add(SAMPLE, "pad 1"), store.add(SAMPLE, "pad 1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, line, write=os.write: write(descriptor, line[:9]))
        with pytest.raises(OSError, match="the disk is full"):
            store.add(SAMPLE, "pad 1")
    assert file.read_text("utf-8") == f"{kept.as_line()}\n{newest.as_line()}\n"
    monkeypatch.setattr("fastetl_cli.web.sample_files.MAX_LISTED_SAMPLES", 1)
    assert [sample["id"] for sample in store.list_samples(file.name)["samples"]] == [newest.id]
    store.close()
    SampleFolder(folder).close()


def test_a_token_guards_all_but_the_pages_own_files(package: Recognizer) -> None:
    with serving(package, token="secret") as address, httpx.Client(base_url=address) as client:
        assert client.get("/app.js").status_code == 200
        assert client.get("/about.json", headers={"host": "x/app.js?"}).status_code == 401
        for given in (b"Bearer other", "Bearer sécret".encode(), b"secret"):
            assert client.get("/about.json", headers={b"authorization": given}).status_code == 401
        own = {"authorization": "Bearer secret"}
        assert client.get("/about.json", headers={**own, "host": "192.168.1.2:8128"}).json()["samples"] is False
        assert client.post("/samples", json=SAMPLE, headers=own).status_code == 405  # without a folder nothing is kept


@pytest.mark.parametrize(("host", "reached"), [("::1", "::1"), ("::", "::1"), ("::", "127.0.0.1")])
def test_an_address_of_ipv6_is_listened_on(host: str, reached: str) -> None:
    with listen(host, 0) as listening:
        port = listening.getsockname()[1]
        socket.create_connection((reached, port), 5).close()
        with pytest.raises(FastetlError, match=f"{host}, port {port}: cannot listen there; .* in use.* Check `host`"):
            listen(host, port)
    with pytest.raises(FastetlError, match="host, port 0: cannot listen there; expected an address of this"):
        listen("no.such..host", 0)


def test_the_static_folder(package: Recognizer, tmp_path: Path, capsys: Capture) -> None:
    runtime, out = tmp_path / "runtime", tmp_path / "out"
    command = ["pad", str(package.path), "--static", str(out)]
    assert main(command) == 2
    assert "give --runtime" in " ".join(capsys.readouterr().err.split()).lower()
    assert main([*command, "--runtime", str(runtime)]) == 2
    assert "ort.wasm.bundle.min.mjs: there is no such file" in " ".join(capsys.readouterr().err.split())
    (runtime / "dist").mkdir(parents=True)
    for code, is_whole in ((2, False), (0, True)):
        for name, mark in RUNTIME_FILES.items():
            (runtime / "dist" / name).write_bytes(mark if is_whole else b"x")
        assert main([*command, "--runtime", str(runtime), "--json"]) == code
    files = json.loads(capsys.readouterr().out)["files"]
    assert set(files) == {p.name for p in out.iterdir()}
    assert {path.name for path in PAGE.iterdir()} < set(files)
    assert "wasm-unsafe-eval" in (out / "index.html").read_text(encoding="utf-8")
    worker = (out / "service-worker.js").read_text(encoding="utf-8")
    assert all(f'"{name}"' in worker for name in files if name != "service-worker.js")
    assert "VERSION" not in worker
    assert main([*command, "--runtime", str(runtime)]) == 2
    assert main([*command, "--runtime", str(runtime), "--overwrite"]) == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
BODIES = st.one_of(
    st.binary(),
    st.dictionaries(st.sampled_from([*SAMPLE, "format", "id", "unknown"]), VALUES).map(
        lambda changed: json.dumps({**SAMPLE, **changed}).encode()
    ),
)


@given(BODIES)
@example(b"[" * 200_000)
@example(json.dumps({**SAMPLE, "strokes": [{"x": [], "y": []}] * 5000}).encode())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_samples(client: httpx.Client, samples: Path, body: bytes) -> None:
    answer = client.post("/samples", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (201, 400, 413)
    assert answer.status_code == 201 or answer.text.count("\n") <= 1
    assert all(read_samples(file)[1] == [] for file in samples.glob("*.jsonl"))
