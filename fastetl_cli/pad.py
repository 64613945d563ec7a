import contextlib
import secrets
import socket
import sys
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from export.recognizer import Recognizer, open_recognizer
from fastetl.checks import require_range
from fastetl.data.charset import PRETRAINED
from fastetl.errors import FastetlError, expecting
from fastetl_cli.base import Command, note
from fastetl_cli.options import Argument
from fastetl_cli.web.sample_files import SampleFolder
from fastetl_cli.web.static import write_static

_SERVED, _STATIC = Argument(without=("static",)), Argument(needs="static")


@dataclass(frozen=True)
class Pad(Command):
    """Open a page to draw on: the network answers while you draw. This machine serves it, to itself alone.

    With --static, the page is written as a folder for any web host instead. On the page one chooses which script
    competes.

    fastetl pad --samples my-samples
    """

    package: Annotated[Path, Argument((), "PACKAGE")] = Path(PRETRAINED)
    """A package, the name of a bundled one, or an ONNX model alone."""
    samples: Annotated[Path | None, _SERVED] = None
    """Keep corrections ("I meant ぬ") in this folder. Default: nothing is kept."""
    host: Annotated[str, _SERVED] = "127.0.0.1"
    """Address to listen on. On any but this machine's own, visitors need a token, which is in the printed address."""
    port: Annotated[int, _SERVED] = 8128
    """Port to listen on; 0: any free one."""
    no_browser: Annotated[bool, _SERVED] = False
    """Print the address, but open no browser."""
    static: Path | None = None
    """Write the page as a folder here, in which the browser computes the network. Needs --runtime."""
    runtime: Annotated[Path | None, _STATIC] = None
    """With --static: the folder of onnxruntime-web, unpacked from its npm package."""
    overwrite: Annotated[bool, _STATIC] = False
    """With --static: replace the folder if it exists."""

    def execute(self) -> int:
        recognizer = open_recognizer(self.package)
        if self.static is not None:
            if self.runtime is None:
                raise FastetlError("the page needs onnxruntime-web", do="give `runtime`, the folder of its npm package")
            files = write_static(recognizer, self.static, self.runtime, overwrite=self.overwrite)
            size = f"{len(files)} files, {sum(files.values()) / 1e6:.1f} MB, for any web host (over HTTPS)"
            return self.answer({"out": self.static, "files": files}, f"{self.static}: {size}")
        sample_folder = None if self.samples is None else SampleFolder(self.samples)
        ends_with_ctrl_c = contextlib.suppress(KeyboardInterrupt)
        with contextlib.nullcontext() if sample_folder is None else contextlib.closing(sample_folder), ends_with_ctrl_c:
            self._serve(recognizer, sample_folder)
        return 0

    def _serve(self, recognizer: Recognizer, sample_folder: SampleFolder | None) -> None:
        from fastetl_cli.web.server import LOOPBACK, make_app, make_server

        listener = listen(self.host, self.port)
        port = listener.getsockname()[1]
        token = "" if self.host in LOOPBACK else secrets.token_urlsafe(16)
        app = make_app(recognizer, sample_folder, token)
        host = _network_address() if self.host in ("0.0.0.0", "::") else self.host
        host = f"[{host}]" if ":" in host else host
        address = f"http://{host}:{port}/" + (f"#token={token}" if token else "")
        kept_text = "nothing is kept (--samples DIR keeps them)" if sample_folder is None else f"kept in {self.samples}"
        text = f"Draw at {address}    (Ctrl-C ends)\nCorrections: {kept_text}"
        self.answer({"address": address, "samples": self.samples}, text)
        if token:
            note("Others on this network can reach the pad: give the address only to those who may draw.")
            if sys.stdout.isatty() and not self.json:
                import segno

                segno.make(address).terminal(compact=True)
        if not self.no_browser:
            # One in the terminal ends `open` when it ends, and waits for the server till then.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        make_server(app).run([listener])


def _network_address() -> str:
    """The address at which other machines of this network reach this one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation (RFC 5737): looks up a route, sends nothing
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises FastetlError if there can be none, for example because the port is in use."""
    require_range("port", port, 0, 65535)
    what, do = "cannot listen there", "check `host` and `port`"
    with expecting("an address of this machine", f"{host}, port {port}", what, do, (OSError, UnicodeError)):
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]  # UnicodeError: no host
        is_dual_stack = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        return socket.create_server(address[:2], family=family, backlog=128, dualstack_ipv6=is_dual_stack)
