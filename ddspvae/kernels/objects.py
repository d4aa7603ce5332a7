"""Machine code of compiled functions: made by numba once, kept on disk, and loaded by llvmlite alone.

Numba takes longer to start than a short piece to play. What it makes of a function without arrays of its own depends on
nothing but the C library's mathematics, so it can be used without it.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from ddspvae.signals.files import OLD_S, cache_folder, new_file

DIGEST_BYTES = 32  # the SHA-256 of an object, before it
ENTRY = "ddspvae_entry"
FOREIGN = re.compile(r"(exp|exp2|expm1|log|log2|log10|log1p|pow|sin|cos|sqrt|floor|ceil|rint)f?|mem(cpy|move|set)")
_loaded: list[Any] = []  # engines, which own the code


@dataclass(frozen=True)
class Entry:
    """Machine code: other threads of the interpreter go on meanwhile, or wait, which for a short loop is faster."""

    freely: Callable[..., int]
    alone: Callable[..., int]


def find_entry(function: FunctionType, liberties: set[str], dispatcher: Callable[[], Any], spec: tuple[Any, ...]
               ) -> Entry | None:
    """A function for arguments of these kinds, from disk or made now; None where it cannot be had, and numba's is taken.

    Args:
        function: what to compile.
        liberties: with floating point, by LLVM's names.
        dispatcher: numba's for it, not kept on disk; asked for where it has to be compiled.
        spec: of its arguments in order, a type of tuple before its fields: an array is its type and its axes, a number a
            type and 0.
    """
    if sys.platform != "linux":  # where else this works was not tried
        return None
    try:
        name = _name(function, liberties, spec)
        found = _read(name)
        if found is None:
            found = _make(dispatcher(), liberties, spec)
            _keep(name, found)
        return _load(found, spec)
    except Exception:  # of numba and llvmlite, whatever their versions do: the function can still be had from numba itself
        return None


def _name(function: FunctionType, liberties: set[str], spec: tuple[Any, ...]) -> str:
    """A file name that says all that decides what is in it."""
    kinds = [kind.__name__ if isinstance(kind, type) else kind for kind in spec]
    what = repr((function.__qualname__, sorted(liberties), kinds, _machine(), _sources()))
    digest = hashlib.sha256(what.encode()).hexdigest()
    return f"{function.__module__.rpartition('.')[-1]}.{function.__name__}-{digest[:32]}.object"


@lru_cache(maxsize=1)
def _sources() -> str:
    """Digest of all loops, since any may call any."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _machine() -> tuple[str, ...]:
    """The processor, and the versions that compile for it."""
    import llvmlite
    import llvmlite.binding as llvm

    spec = find_spec("numba")
    version = Path(spec.origin).with_name("_version.py") if spec and spec.origin else None
    return (sys.platform, llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(),
            llvmlite.__version__, version.read_text(encoding="utf-8") if version and version.exists() else "")


def _folders() -> list[Path]:
    own, users = Path(__file__).parent / "__pycache__", cache_folder()
    return [own, *([] if users is None else [users / "kernels"])]


def _read(name: str) -> bytes | None:
    for folder in _folders():
        try:
            content = (folder / name).read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
            return content[DIGEST_BYTES:]
    return None


def _keep(name: str, code: bytes) -> None:
    for folder in _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with new_file(folder / name) as path:
                path.write_bytes(hashlib.sha256(code).digest() + code)
        except OSError:
            continue
        with contextlib.suppress(OSError):  # another process may do the same
            for old in folder.glob(f"{name.rpartition('-')[0]}-*.object"):  # of sources and versions that are no more
                if old.name != name and old.stat().st_mtime < (folder / name).stat().st_mtime - OLD_S:
                    old.unlink(missing_ok=True)
        return


@lru_cache(maxsize=1)
def _target() -> Any:
    """A machine to make code for: the one that this runs on."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    reloc = "static" if llvm.get_process_triple().startswith("x86") else "default"
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3,
                                        reloc=reloc, codemodel="jitdefault", jit=True)


def _load(code: bytes, spec: tuple[Any, ...]) -> Entry:
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(ENTRY)
    assert address
    _loaded.append(engine)
    kinds: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
    for kind in spec:
        if isinstance(kind, type):
            continue
        letter, n_axes = kind
        scalar = {"q": ctypes.c_int64, "f": ctypes.c_float, "d": ctypes.c_double}
        kinds += [ctypes.c_void_p, *[ctypes.c_int64] * n_axes] if n_axes else [scalar[letter]]
    return Entry(ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(address), ctypes.PYFUNCTYPE(ctypes.c_int32, *kinds)(address))


def _make(dispatcher: Any, liberties: set[str], spec: tuple[Any, ...]) -> bytes:
    """Compile a function that takes addresses and sizes, with all that it calls, to one object."""
    import llvmlite.binding as llvm
    import numba
    from numba import types

    names: list[str] = []  # parameters of the function that is written here
    kinds: list[Any] = []
    views: list[str] = []
    given: list[str] = []
    known: dict[str, Any] = {"kernel": dispatcher, "carray": numba.carray}
    open_tuple, left = "", 0
    for at, kind in enumerate(spec):
        if isinstance(kind, type):
            known[kind.__name__] = kind
            open_tuple, left = f"{kind.__name__}(", len(kind._fields)  # type: ignore[attr-defined]
            continue
        letter, n_axes = kind
        number = numba.from_dtype(np.dtype(letter))
        sizes = [f"n{at}_{axis}" for axis in range(n_axes)]
        names += [f"a{at}", *sizes]
        kinds += [types.CPointer(number) if n_axes else number, *[types.int64] * n_axes]
        if n_axes:
            views.append(f"    v{at} = carray(a{at}, ({', '.join(sizes)},))\n")
        value = f"v{at}" if n_axes else f"a{at}"
        if left:
            left -= 1
            open_tuple += value + ", "
            if not left:
                given.append(open_tuple + ")")
        else:
            given.append(value)
    source = f"def entry({', '.join(names)}):\n{''.join(views)}    kernel({', '.join(given)})\n"
    exec(source, known)
    callback = numba.cfunc(types.void(*kinds), fastmath=liberties, error_model="numpy")(known["entry"])
    text = _restrict(callback.inspect_llvm(), callback.native_name.removeprefix("cfunc."))
    module = llvm.parse_assembly(text)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = True
    builder = llvm.create_pass_builder(_target(), options)
    builder.getModulePassManager().run(module, builder)
    for function in module.functions:
        if function.is_declaration and not function.name.startswith("llvm."):
            assert FOREIGN.fullmatch(function.name) and llvm.address_of_symbol(function.name), function.name
    code: bytes = _target().emit_object(module)
    return code


def _restrict(text: str, entry: str) -> str:
    """Numba's module, of which nothing but the entry can be called from outside; its arrays do not overlap."""
    lines = []
    for line in text.splitlines():
        if line.startswith("define ") and f"@{entry}(" in line:
            head, _, rest = line.partition(f"@{entry}(")
            lines.append(f"{head}@{ENTRY}({re.sub(r'ptr (?:noalias )?', 'ptr noalias ', rest)}")
        elif line.startswith("define "):
            lines.append(re.sub(r"^define (linkonce_odr |weak_odr |internal )?", "define internal ", line))
        else:
            lines.append(line)
    return "\n".join(lines).replace(f"@{entry}(", f"@{ENTRY}(")
