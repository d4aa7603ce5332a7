"""Parts that are chosen by name, and how a program outside adds its own.

    @ddspvae.register("encoder", "mine")
    class MyEncoder(Encoder): ...

What is registered from outside is found by whoever imported the module that registers it. The command line imports those
that an installed package names in its entry points of the group "ddspvae", and those in DDSPVAE_PLUGINS: modules, or paths
of .py files, with the system's path separator between them.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from ddspvae.signals.checks import InputError, check_choice, fail

GROUP = "ddspvae"
VARIABLE = "DDSPVAE_PLUGINS"
# kind: what its things are
KINDS: Mapping[str, str] = {
    "encoder": "a subclass of model.encoder.Encoder",
    "decoder": "a subclass of model.decoder.Decoder",
    "bottleneck": "a function (n_z, z_rate_hz, bitrate) to a model.bottleneck.Bottleneck",
    "synthesizer": "a subclass of synth.synthesizers.Synthesizer",
    "loss": "a class with the arguments and the call of training.losses.HeardError",
    "controller": "a subclass of training.schedules.Controller",
    "tracker": "a features.trackers.Tracker",
}
T = TypeVar("T")
_outside: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
_own: dict[str, set[str]] = {kind: set() for kind in KINDS}
_loaded: set[str] = set()


def register(kind: str, name: str, thing: Any = None) -> Any:
    """Add a part of one's own under a name; as a decorator where no thing is given.

    Args:
        kind: one of KINDS, which says what its things must be.
        name: that options, configs and files call it by.
        thing: of that kind.
    Returns:
        the thing, or a decorator that gives back what it decorates.
    Raises:
        InputError: no such kind, or a name that something else has.
    """
    check_choice("register", "kind", kind, KINDS)

    if name in _own[kind]:  # as far as the folder that has them was imported; else it comes first all the same
        raise fail("register", f"the name of the {kind}", "be a new one", f"'{name}'", "it is the package's own")

    def add(own: Any) -> Any:
        known = _outside[kind].get(name)
        if known is not None and _home(known) != _home(own):
            raise InputError(f"register: {_home(known)} has registered the {kind} '{name}' already; take another name.")
        _outside[kind][name] = own
        return own

    return add if thing is None else add(thing)


class Registry(Mapping[str, T], Generic[T]):
    """The parts of one kind by name: the package's own first, then those from outside.

    Args:
        kind: one of KINDS.
        own: the package's own, or where they are, "module:name", which is imported when it is asked for.
    """

    def __init__(self, kind: str, own: Mapping[str, T | str]) -> None:
        self.kind = kind
        self.own = dict(own)
        _own[kind] |= set(own)

    def __getitem__(self, name: str) -> T:
        if name in self.own:
            own = self.own[name]
            if isinstance(own, str):
                module, _, attribute = own.partition(":")
                own = getattr(importlib.import_module(module), attribute)
            return own  # type: ignore[return-value]
        load_plugins()
        found: T = _outside[self.kind][name]
        return found

    def __iter__(self) -> Iterator[str]:
        load_plugins()
        return iter({**self.own, **_outside[self.kind]})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def check(self, where: str, name: str, called: str = "") -> None:
        """Raise InputError unless there is such a part; where no name is near, says how one from outside is found.

        Args:
            where, called: of the sentence; the kind where it is called nothing else.
        """
        if name in self.own or name in self:
            return
        try:
            check_choice(where, called or self.kind, name, self)
        except InputError as error:
            if "did you mean" in str(error):
                raise
            raise fail(where, called or self.kind, f"be one of {', '.join(sorted(self))}", f"'{name}'",
                       f"one of a plugin is found where {VARIABLE} names it") from None

    def plugin_of(self, name: str) -> str:
        """The module that registered a part, for the file that needs it; empty for the package's own."""
        return "" if name in self.own else _home(self[name])


def load_plugins() -> None:
    """Import, once, what entry points and the variable name.

    Raises:
        InputError: a plugin that is not there, or fails while it is imported.
    """
    for point in _entry_points():
        _load(point.value, lambda point=point: point.load())  # type: ignore[misc]
    for source in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        _load(source, lambda source=source: _import_source(source))  # type: ignore[misc]


@functools.cache
def _entry_points() -> tuple[EntryPoint, ...]:
    """Of what is installed: reading that takes longer than reading an instrument."""
    return tuple(entry_points(group=GROUP))


def check_plugins(where: str, needed: Mapping[str, str]) -> None:
    """Raise InputError unless the parts that a file needs from outside are registered.

    Args:
        where: for the sentence.
        needed: "encoder mine" to the module that registered it when the file was written.
    """
    load_plugins()
    for part, module in needed.items():
        kind, _, name = part.partition(" ")
        if name not in _outside.get(kind, {}):
            raise InputError(f"{where} needs the {kind} '{name}', which {module} registered when it was written; import "
                             f"{module} first, or name it in {VARIABLE}.")


def _load(source: str, load: Callable[[], Any]) -> None:
    if source in _loaded:
        return
    _loaded.add(source)  # before: a plugin that looks a part up must not load itself again
    try:
        load()
    except Exception as error:
        _loaded.discard(source)
        raise InputError(f"plugins: cannot import {source} ({type(error).__name__}: {error}); "
                         f"repair it, or take it out of {VARIABLE}.") from error


def _import_source(source: str) -> None:
    path = Path(source)
    if path.suffix != ".py":
        importlib.import_module(source)
        return
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError("no such file")
    if path.stem in sys.modules:
        raise ImportError(f"a module named {path.stem} is there already; give the file another name")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise


def _home(thing: Any) -> str:
    return str(getattr(thing, "__module__", type(thing).__module__))
