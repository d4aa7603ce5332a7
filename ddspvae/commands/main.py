"""The command line: `ddspvae VERB --help` explains itself.

Exit codes: 0 done, 2 the input is at fault (one sentence on stderr), 130 interrupted, 1 our own bug.
A verb is a module of this folder, and a name in VERBS. Nothing heavy is imported at its top.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

from ddspvae.signals.checks import InputError

VERBS = ("presets", "render", "analyze", "edit", "train", "evaluate", "perform", "latents")
EXAMPLES = (
    "ddspvae render song.mid --out song.wav",
    "ddspvae edit take.wav --preset violin --out higher.wav --transpose 7",
    "ddspvae train recordings/ --out mine.safetensors --minutes 10",
)


class _Parser(argparse.ArgumentParser):
    """One sentence for a wrong option, like for any other wrong input."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help.\n")


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
        print(f"warning: {message}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
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
    try:
        _verb(args.verb).run(args)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    return 0

