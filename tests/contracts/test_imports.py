"""Who imports whom: arrows that run one way, no circles, no private names."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import ddspvae

ROOT = Path(ddspvae.__file__).parent
MOST_LINES = 300
LOOSE = {"__init__.py", "__main__.py", "audio.py", "threads.py"}
# what a folder, or a file beside the folders, may know of the others, wherever in a file it asks
KNOWS = {
    "signals": "",
    "threads": "",
    "kernels": "signals",
    "audio": "signals kernels",
    "features": "signals audio threads kernels",
    "midi": "signals features",
    "scores": "signals midi",
    "synth": "signals features",
    "model": "signals audio features synth",
    "engine": "signals kernels features synth model",
    "plucked": "signals audio kernels features midi synth engine",
    "performer": "signals features midi kernels model",
    "live": "signals audio threads kernels features midi synth model engine",
    "instrument": "signals audio threads features midi synth model engine plucked performer live",
    "editing": "signals audio features midi model performer instrument",
    "evaluation": "signals audio threads features synth model performer instrument",
    "corpora": "signals",
    "training": "signals audio features synth model plucked performer instrument evaluation corpora",
    "rate_distortion": "signals audio features model instrument evaluation training",
    "latents": "signals audio features model instrument evaluation",
    "studio": "signals audio features midi scores model performer live instrument editing evaluation training",
    "batch": "signals audio midi instrument",
    "devices": "signals audio kernels features live",
    "export": "signals audio threads features midi synth model live instrument",
    "commands": "signals audio features midi scores model performer instrument editing evaluation corpora "
                "training rate_distortion latents studio batch live devices export",
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def promised(module: str) -> dict[str, str]:
    """What a folder's `__init__.pyi` promises: names, and the modules that they come from."""
    stub = FILES[module].with_suffix(".pyi")
    if not stub.exists():
        return {}
    return {name.name: f"{module}.{node.module}" for node in ast.parse(stub.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ImportFrom) for name in node.names}


PROMISED = {module: promised(module) for module in FILES}


def imports(path: Path) -> set[tuple[str, str]]:
    """Modules of ours and the names taken from them, at the top, inside functions and for types alike."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ddspvae":
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                home = PROMISED.get(node.module, {}).get(name.name, node.module)
                found.add((inner if inner in FILES else home, name.name))
        elif isinstance(node, ast.Import):
            found |= {(name.name, "") for name in node.names if name.name.split(".")[0] == "ddspvae"}
    return found


def test_there_is_no_circle():
    graph = {module: {other for other, _ in imports(path) if other != module} for module, path in FILES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_what_folders_may_know_has_no_circle_either():
    TopologicalSorter({folder: known.split() for folder, known in KNOWS.items()}).prepare()


def test_private_names_stay_in_their_file():
    taken = [f"{module} takes {name} from {other}" for module, path in FILES.items() for other, name in imports(path)
             if name.startswith("_") and not name.startswith("__")]
    assert not taken, taken


def test_every_folder_has_its_arrows_and_few_files_lie_beside_them():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders | {"audio", "threads"} == set(KNOWS)
    assert {path.name for path in ROOT.glob("*.py")} == LOOSE


@pytest.mark.parametrize("folder", KNOWS)
def test_no_folder_knows_more_than_its_arrows_say(folder):
    paths = [ROOT / f"{folder}.py"] if (ROOT / f"{folder}.py").exists() else sorted((ROOT / folder).rglob("*.py"))
    for path in paths:
        known = {module.split(".")[1] for module, _ in imports(path) if "." in module} - {folder}
        assert known <= set(KNOWS[folder].split()), f"{path.name} imports {sorted(known - set(KNOWS[folder].split()))}"


@pytest.mark.parametrize("folder", KNOWS)
def test_arrows_that_nobody_uses_are_gone(folder):
    paths = [ROOT / f"{folder}.py"] if (ROOT / f"{folder}.py").exists() else sorted((ROOT / folder).rglob("*.py"))
    known = {module.split(".")[1] for path in paths for module, _ in imports(path) if "." in module}
    assert set(KNOWS[folder].split()) <= known


def test_files_are_short():
    long = {str(path.relative_to(ROOT)): n for path in FILES.values()
            if (n := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES}
    assert not long, long
