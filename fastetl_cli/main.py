"""The command line `fastetl`: imports the module of the given command, parses its options and runs it.

No other command's module is imported, so that `fastetl build` does not wait for JAX.
"""

import atexit
import contextlib
import gc
import io
import itertools
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastetl import __version__
from fastetl.checks import suggestion
from fastetl_cli.base import Command, error_line, note, write
from fastetl_cli.options import explained_parser_of, parse

COMMANDS: dict[str, tuple[str, ...]] = {
    "quickstart": ("run the whole pipeline on synthetic handwriting", "train", "export", "synth"),
    "synth": ("write ETL files in their exact formats, by synthetic writers", "synth"),
    "inspect": ("say what ETL files are, and whether they are complete",),
    "build": ("make a dataset of records or of labelled pictures",),
    "sheet": ("draw a contact sheet of a dataset",),
    "train": ("train the network on a dataset", "train"),
    "sweep": ("train with many options on a Ray cluster, keep the best", "train", "ray"),
    "compare": ("show runs side by side: options, accuracy by set, curves", "train"),
    "evaluate": ("measure accuracy by character and by writer: a report", "train"),
    "baseline": ("measure k-nearest neighbours and a random forest", "train", "report"),
    "export": ("write a run as Core ML and ONNX models, and verify them", "train", "export"),
    "verify": ("check an exported package again, on any machine", "export"),
    "recognize": ("recognize characters in pictures, or the text of lines",),
    "pad": ("open a page to draw on: the network answers meanwhile", "pad"),
    "samples": ("make a dataset of corrections from the pad and the phone",),
}
"""What a command does, and the extras that it needs; `recognize --boxes` also needs the strokes of `synth`."""
NEEDS = {name: extras for name, (_, *extras) in COMMANDS.items() if extras}

_USAGE = f"""usage: fastetl COMMAND …

Recognize handwritten Japanese, or train networks for it or for other scripts.

{chr(10).join(f"  {name:{max(map(len, COMMANDS))}}  {what}" for name, (what, *_) in COMMANDS.items())}

fastetl COMMAND --help explains a command; fastetl --version prints the version.
Exit codes: 0 done, 1 a check failed or some input was unreadable, 2 wrong use or bad input.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 a check failed, 2 wrong use, 128 + N ended by signal N."""
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")  # the caller may have closed them
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that is not UTF-8 shows escapes, and causes no error
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["help"] and len(arguments) > 1:
        arguments = [arguments[1], "--help"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        write(_USAGE, sys.stdout)
        return 0 if arguments else 2
    name, *options = arguments
    if name in ("--version", "-V", "-v", "version"):
        write(f"fastetl {__version__}\n", sys.stdout)
        return 0
    if name not in COMMANDS:
        expected = f"expected one of {', '.join(COMMANDS)}"
        note("; ".join(filter(None, (f"fastetl: no command {name}", expected, suggestion(name, COMMANDS)))))
        return 2
    code = _execute(name, options)
    if argv is None and code > 128:
        atexit._run_exitfuncs()  # all but the end of C++'s libraries, at which XLA's threads crash if they compile
        os._exit(code)
    return code


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP, of a lost terminal, end the block as Ctrl-C does; nohup's processes ignore the latter."""

    def terminate(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    def repeat(unraisable: "sys.UnraisableHookArgs") -> None:
        """Send a signal again: Python drops what it raises in JAX's callback of the garbage collector."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            threading.Timer(0.01, os.kill, (os.getpid(), (*unraisable.exc_value.args, signal.SIGINT)[0])).start()
        else:
            hook(unraisable)

    hook, sys.unraisablehook = sys.unraisablehook, repeat
    signals = (signal.SIGTERM, signal.SIGHUP)
    handlers = {n: signal.signal(n, terminate) for n in signals if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook


def _help_of(name: str) -> str:
    """The help of a command. Without its extras it is a section of commands.txt, which is a link to docs/cli.md."""
    try:
        return explained_parser_of(name).format_help()
    except ImportError as error:
        page = Path(__file__).with_name("commands.txt").read_text("utf-8")
        options = page.partition(f"\n## fastetl {name}\n\n")[2].partition("\n## ")[0]
        return f"fastetl {name}: {error_line(error, name, *NEEDS.get(name, ()))}\n\n{options}"


def _execute(name: str, arguments: list[str]) -> int:
    # What is imported is no garbage: looking for some took 0.5 of the 1.4 processor seconds of a command with JAX.
    gc.disable()
    warnings.showwarning = lambda message, *_: note(f"fastetl {name}: {message}")  # one line, without source code
    options = set(itertools.takewhile(lambda word: word != "--", arguments))  # behind it are paths of any name
    try:
        if {"-h", "--help"} & options:
            write(_help_of(name), sys.stdout)
            return 0
        command: Command = parse(name, arguments)  # imports it
        gc.freeze()
        gc.enable()
        with ended_by_signals():
            return int(command.execute())
    except KeyboardInterrupt as interrupt:
        note("fastetl: interrupted; what was on disk before is whole")
        # Its argument is the signal; for SIGINT Python itself raises it, without one.
        return 128 + int((*interrupt.args, signal.SIGINT)[0])
    except Exception as error:
        if "--debug" in options:
            write(traceback.format_exc(), sys.stderr)
        else:
            note(f"fastetl {name}: {error_line(error, name, *NEEDS.get(name, ()))}")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
