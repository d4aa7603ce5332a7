"""Who imports whom: arrows that run one way, no circles, no private names."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import ddspvae

ROOT = Path(ddspvae.__file__).parent
# what a folder must not know, wherever in a file it asks
ARROWS = {
    "commands": (),
    "latents": ("commands", "training"),
    "training": ("commands", "latents"),
    "evaluation": ("commands", "latents"),
    "live": ("commands", "latents", "training", "evaluation", "instrument", "performer"),
    "performer": ("commands", "latents", "training", "evaluation", "live", "synth"),
    "model": ("commands", "latents", "training", "evaluation", "live", "performer", "instrument", "midi"),
    "midi": ("commands", "latents", "training", "evaluation", "live", "performer", "instrument", "synth", "model"),
    "synth": ("commands", "latents", "training", "evaluation", "live", "performer", "instrument", "midi", "model"),
    "features": ("commands", "latents", "training", "evaluation", "live", "performer", "instrument", "midi", "model",
                 "synth"),
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imports(path: Path) -> set[tuple[str, str]]:
    """Modules of ours and the names taken from them, at the top, inside functions and for types alike."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ddspvae":
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                found.add((inner if inner in FILES else node.module, name.name))
        elif isinstance(node, ast.Import):
            found |= {(name.name, "") for name in node.names if name.name.split(".")[0] == "ddspvae"}
    return found


def test_there_is_no_circle():
    graph = {module: {other for other, _ in imports(path) if other != module} for module, path in FILES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_private_names_stay_in_their_file():
    taken = [f"{module} takes {name} from {other}" for module, path in FILES.items() for other, name in imports(path)
             if name.startswith("_") and not name.startswith("__")]
    assert not taken, taken


def test_every_folder_has_its_arrows():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(ARROWS)


@pytest.mark.parametrize("folder", ARROWS)
def test_no_folder_imports_against_the_arrows(folder):
    """`instrument` is a file beside the folders; the performer and others hold one, and may name its type."""
    for path in sorted((ROOT / folder).glob("*.py")):
        inward = {module.split(".")[1] for module, _ in imports(path) if "." in module}
        assert not inward & set(ARROWS[folder]), f"{path.name} imports {sorted(inward & set(ARROWS[folder]))}"


def test_the_performer_knows_an_instrument_by_its_type_alone():
    for path in sorted((ROOT / "performer").glob("*.py")):
        assert "\nfrom ddspvae.instrument " not in path.read_text(encoding="utf-8"), path.name
