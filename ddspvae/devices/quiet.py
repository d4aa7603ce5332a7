"""The libraries behind ports and cards: loaded when asked for, and without what they print about what is not there."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from ddspvae.signals.checks import InputError

_STDERR = threading.RLock()  # two threads that turn it off and on by turns would leave it off


def library(name: str) -> Any:
    """A module of the extra `play`.

    Raises:
        InputError: it is not installed, or the library of the system that it stands on is not.
    """
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError as error:
        raise InputError(f"play: {name} is not installed; pip install 'ddspvae[play]'.") from error
    except OSError as error:  # sounddevice looks for PortAudio when it is imported
        raise InputError(f"play: {name} cannot be loaded ({error}); on Linux, install libportaudio2.") from error


def aloud() -> contextlib.AbstractContextManager[bool]:
    """Inside `with`, what is written on stderr is not lost to another thread that is `quiet`."""
    return _STDERR


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """ALSA, JACK and PortAudio write on stderr of every device that they looked for in vain; here they do not."""
    with _STDERR, _without_stderr():
        yield


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    try:
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except (OSError, AttributeError, ValueError):  # there is no stderr
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
