"""The command line: `ddspvae VERB --help` explains itself.

Exit codes: 0 done, 2 the input is at fault (one sentence on stderr), 130 interrupted, 143 terminated, 1 our own bug.
A verb is a module of this folder, and a name in VERBS. Nothing heavy is imported at its top.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TextIO

from ddspvae.commands.paths import check_paths
from ddspvae.signals.checks import InputError, one_line, printable

VERBS = ("presets", "render", "play", "studio", "analyze", "edit", "train", "evaluate", "perform", "latents", "export",
         "batch")
EXAMPLES = (
    "ddspvae render song.mid --out song.wav",
    "ddspvae edit take.wav --preset violin --out higher.wav --transpose 7",
    "ddspvae train recordings/ --out mine.safetensors --minutes 10",
)


class _Parser(argparse.ArgumentParser):
    """One sentence for a wrong option, like for any other wrong input."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help.\n")


class Terminated(BaseException):
    """The system asked this process to end: what is half written is taken away on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def _tidy_end() -> Iterator[None]:
    """SIGTERM and SIGHUP end the command as Control-C does."""
    def end(number: int, frame: object) -> None:
        raise Terminated(number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []  # only the main thread may say what a signal does
    before = {name: signal.signal(getattr(signal, name), end) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _let_streams_hold_any_text() -> None:
    """A console of another code page shows what it cannot hold as escapes; without streams (pythonw) all is quiet."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or getattr(stream, "closed", False):
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def build_parser() -> argparse.ArgumentParser:
    """The verbs and their options."""
    parser = _Parser(prog="ddspvae", description="Learn an instrument from minutes of recordings; play it from MIDI; "
                     "edit pitch, loudness and timbre apart.", epilog=_examples(EXAMPLES),
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    parser.add_argument("--print-completion", choices=["bash", "zsh", "tcsh"], metavar="SHELL",
                        help="print completions for bash, zsh or tcsh: eval \"$(ddspvae --print-completion bash)\"")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)

    for name in VERBS:
        module = _verb(name)
        sub = verbs.add_parser(name, help=module.SUMMARY, description=module.SUMMARY, epilog=_examples(module.EXAMPLES),
                               formatter_class=argparse.RawDescriptionHelpFormatter)
        sub.add_argument("--json", action="store_true", help="print one machine-readable object on stdout")
        module.add_options(sub)
    return parser


def _examples(commands: Sequence[str]) -> str:
    return "examples:\n" + "".join(f"  {command}\n" for command in commands)


def _verb(name: str) -> Any:
    """The module that is called as the verb: SUMMARY, EXAMPLES, add_options(parser), run(args)."""
    return importlib.import_module(f"ddspvae.commands.{name}")


def _show_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int,
                  file: TextIO | None = None, line: str | None = None) -> None:
    if issubclass(category, UserWarning):
        print(f"warning: {printable(one_line(str(message)))}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    _let_streams_hold_any_text()
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.version:
        import ddspvae

        print(ddspvae.__version__)
        return 0
    if args.print_completion:
        import shtab

        print(shtab.complete(parser, shell=args.print_completion))
        return 0
    if args.verb is None:
        parser.print_help()
        return 0
    warnings.showwarning = _show_warning
    # Two OpenMP threads that spin beside one busy core are many times slower than threads that sleep; torch reads this
    # when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's products are small, and cores have whole parts to play
    try:
        with _tidy_end():
            check_paths(args)
            _verb(args.verb).run(args)
    except InputError as error:
        print(printable(str(error)), file=sys.stderr)
        return 2
    except Terminated as terminated:
        print("terminated.", file=sys.stderr)
        return 128 + terminated.number
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    return 0

