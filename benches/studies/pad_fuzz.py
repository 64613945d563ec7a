"""Damaged and hostile requests against the pad's server.

A request is what a browser could send or a socket could: mutated paths, headers, bodies, samples, bytes. Wrong are an
answer that is a server error (5xx) or more than one line of fault, a hang, a file outside of the folder of samples, and
a damaged line of a kept sample.
"""

from __future__ import annotations

import json
import random
import re
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastetl.ink.drawings import Drawing, Stroke
from fastetl.ink.samples import find_samples, read_samples

_PATHS = ("/", "/app.js", "/about.json", "/labels.json", "/kana.json", "/read", "/samples", "/samples/a.jsonl")
_ODD_PATHS = (
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/samples/..%2f..%2fetc%2fpasswd",
    "/samples/%00.jsonl/x",
    "/samples//x",
    "/samples/a.jsonl/../../x",
    "/\u3042",
    "http://evil.example/",
    "*",
    "/" + "a" * 5000,
    "/?" + "q=1&" * 500,
    "/%",
    "/%ff%fe",
)
_METHODS = ("GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "X" * 40)
_JSON_ODD: tuple[Callable[[random.Random], object], ...] = (
    lambda rng: rng.choice([None, True, [], {}, "", "x" * 100, -1, 0, 1e308, 10**30, "\ud800", "\x00", "ぬめ"]),
    lambda rng: [rng.choice([0, 1, -1e9, 1e400, None, "1", [], float("nan")]) for _ in range(rng.randint(0, 30))],
    lambda rng: {"x": [0] * rng.randint(0, 3), "y": [rng.random()] * rng.randint(0, 3), "pressure": [2]},
    lambda rng: [{"x": [], "y": []}] * rng.randint(0, 1500),
)


def _sample(rng: random.Random) -> dict[str, Any]:
    points = [[round(rng.random(), 3) for _ in range(8)] for _ in range(2)]
    drawing = Drawing(1, 1, (Stroke(tuple(points[0]), tuple(points[1])),))
    return {**drawing.as_dict(), "label": "ぬ", "answer": "め", "device": "pen"}


def _json_body(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.05:
        return b"[" * rng.randint(1, 200_000)
    if kind < 0.1:
        return rng.randbytes(rng.randint(0, 300))
    values = _sample(rng)
    if kind < 0.9:
        for _ in range(rng.randint(1, 2)):
            name = rng.choice([*values, "format", "id", "time", "picture", "app", "unknown"])
            values[name] = rng.choice(_JSON_ODD)(rng)
    body = bytearray(json.dumps(values).encode())
    if kind < 0.4:
        for _ in range(rng.randint(1, 4)):
            body[rng.randrange(len(body))] = rng.randrange(256)
    return bytes(body)


def _read_body(rng: random.Random) -> bytes:
    size = rng.choice([0, 1, 16383, 16384, 16384, 16385, 2 * 16384, 70 * 16384])
    return rng.randbytes(64) * (size // 64) + bytes(size % 64)


def _headers(rng: random.Random, port: int) -> dict[str, str]:
    headers = {"Host": f"127.0.0.1:{port}"}
    unusual: tuple[tuple[float, str, list[str]], ...] = (
        (0.15, "Host", ["evil.example", "", "127.0.0.1", "[::1", "127.0.0.1:99999", "a" * 300, "::", ":"]),
        (0.15, "Origin", ["null", "http://evil.example", "", f"http://127.0.0.1:{port}"]),
        (0.1, "Sec-Fetch-Site", ["cross-site", "same-origin", "x"]),
        (0.1, "Authorization", ["Bearer", "Bearer x", "Basic " + "A" * 200]),
        (0.02, "Upgrade", ["websocket", "h2c", "x" * 3000]),
        (0.02, "Expect", ["100-continue", "x"]),
        (0.02, "Cookie", ["a=b", "x" * 9000]),
    )
    return headers | {name: rng.choice(values) for share, name, values in unusual if rng.random() < share}


def request(rng: random.Random, port: int) -> bytes:
    """The bytes of one request."""
    path = rng.choice(_PATHS if rng.random() < 0.7 else _ODD_PATHS)
    method = rng.choice(("GET", "POST") if rng.random() < 0.7 else _METHODS)
    headers, body = _headers(rng, port), b""
    if rng.random() < 0.4:
        method = "POST"
        path, headers["Content-Type"], body = rng.choice(
            [
                ("/read", "application/octet-stream", _read_body(rng)),
                ("/samples", "application/json", _json_body(rng)),
            ]
        )
    encoded = body
    if rng.random() < 0.08:
        headers["Transfer-Encoding"] = rng.choice(["chunked", "chunked", "gzip, chunked", "x"])
        encoded = b"%x\r\n" % len(body) + body + rng.choice([b"\r\n0\r\n\r\n", b"\r\n", b"zz\r\n\r\n"])
    elif body or rng.random() < 0.2:
        wrong = [len(body) // 2, len(body) + 50, -1, "x", 10**20, "1, 2", ""]
        headers["Content-Length"] = str(rng.choice(wrong) if rng.random() < 0.06 else len(body))
    head = f"{method} {path} HTTP/{rng.choice(['1.1', '1.1', '1.1', '1.0', '2.0', 'x'])}\r\n"
    head += "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
    raw = bytearray(head.encode("utf-8", "surrogateescape"))
    for _ in range(rng.randint(1, 5) if rng.random() < 0.06 else 0):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw) + encoded


def _answer(connection: socket.socket, only_head: bool) -> bytes:
    """All that comes until a whole answer is there, or the connection ends."""
    got = bytearray()
    while True:
        head, end, body = bytes(got).partition(b"\r\n\r\n")
        if end and only_head:
            return bytes(got)
        if end:
            length = re.search(rb"(?im)^content-length: *(\d+)", head)
            if len(body) >= int(length[1]) if length else body.endswith(b"0\r\n\r\n"):
                return bytes(got)
        more = connection.recv(1 << 16)
        if not more:
            return bytes(got)
        got += more


def one(port: int, sent: bytes, patience: float) -> tuple[str, str]:
    """What was answered: the status or `closed` or `waits`, and what is wrong with it, or nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(sent)
            # The server waits for the rest of a request that is not whole: then so much is all that it gets.
            connection.settimeout(patience)
            got = _answer(connection, sent.startswith(b"HEAD "))
        except TimeoutError:
            return "waits", ""
        except OSError:
            return "closed", ""
    status = got[9:12].decode("ascii", "replace")
    if not got:
        return "closed", ""
    head, _, body = got.partition(b"\r\n\r\n")
    if not status.isdigit() or status.startswith("5"):
        return status, f"answered {got[:80]!r} to {sent[:200]!r}"
    if status.startswith("4") and (len(re.findall(rb"(?<!\r)\n", body)) > 1 or len(body) > 400):
        return status, f"a fault of several lines to {sent[:200]!r}: {body[:200]!r}"
    if status.startswith("2") and b"content-security-policy" not in head.lower():
        return status, f"no policy in the answer to {sent[:200]!r}"
    return status, ""


def fuzz(port: int, requests: int, seed: int = 0, patience: float = 0.4) -> tuple[Counter[str], list[str]]:
    """Counts by status, and what went wrong. The same seed sends the same requests."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for k in range(requests):
        status, fault = one(port, request(random.Random(f"{seed} {k}"), port), patience)
        counts[status] += 1
        if fault:
            wrong.append(f"request {k}: {fault}")
    return counts, wrong


def damaged(folder: Path) -> list[str]:
    """What is wrong in a folder of samples, and beside it."""
    beside = [str(p) for p in folder.parent.iterdir() if p not in (folder, folder.parent / "package")]
    inside = [str(p) for p in folder.iterdir() if p.suffix != ".jsonl" and p.name != ".pad.lock"]
    files = find_samples(folder) if any(folder.glob("*.jsonl")) else []
    return [*beside, *inside, *(str(fault) for file in files for fault in read_samples(file)[1])]
