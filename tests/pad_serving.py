"""A copy of the bundled package, and the server of the pad on it in a thread."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from export.names import LABELS, ONNX, package_path
from export.recognizer import Recognizer, open_recognizer
from fastetl_cli.web.guard import Connection, Guard
from fastetl_cli.web.server import make_app
from fastetl_cli.web.store import Store


def bundled_package(out: Path) -> Recognizer:
    """A copy of what the pad needs of the bundled package: the model and its labels."""
    out.mkdir(parents=True)
    for name in (ONNX, LABELS):
        shutil.copyfile(package_path("kana") / name, out / name)
    return open_recognizer(out)


@contextmanager
def serving(
    recognizer: Recognizer,
    samples: Path | None = None,
    *,
    token: str = "",
    http: type[Connection] = Connection,
) -> Iterator[str]:
    """The address of a server that ends with the block."""
    from fastetl_cli.pad import listen

    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    store = None if samples is None else Store(samples)
    app = make_app(recognizer, Guard("127.0.0.1", port, token), store)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, ws="none", http=http))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        if store is not None:
            store.close()
