"""`ddspvae studio`. Imports inside, so that `--help` stays quick."""

from __future__ import annotations

import argparse
from argparse import Namespace

from ddspvae.signals.checks import InputError, check_range

SUMMARY = "play, shape, record and train in a page on this machine"
EXAMPLES = ("ddspvae studio", "ddspvae studio --folder ~/music --port 0 --no-browser")


def add_options(sub: argparse.ArgumentParser) -> None:
    """Give the verb its options."""
    sub.add_argument("--folder", default="~/ddspvae-studio", metavar="DIR",
                     help="of projects, instruments and recordings (default ~/ddspvae-studio)")
    sub.add_argument("--port", type=int, default=8765, metavar="N", help="of 127.0.0.1 (default 8765); 0 takes a free one")
    sub.add_argument("--no-browser", action="store_true", help="only print the address")


def run(args: Namespace) -> None:
    """Serve until Control-C."""
    check_range("studio", "port", args.port, 0, 65_535)
    try:
        from ddspvae.studio.server import serve
    except ImportError as error:
        raise InputError(f"studio: {error.name or error} is missing; pip install 'ddspvae[studio]'.") from error
    serve(args.folder, args.port, browser=not args.no_browser)
