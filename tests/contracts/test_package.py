"""The package as it travels: the wheel, the presets inside it, the names it exports, its documented arguments."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import zipfile

import pytest

import ddspvae
from ddspvae.instrument.presets import find_preset, list_presets, presets_folder, read_card

from ..conftest import ROOT

FOLDERS = ["ddspvae", *(m.name for m in pkgutil.walk_packages(ddspvae.__path__, "ddspvae.") if m.ispkg
                        and not m.name.endswith((".commands", ".shipped")))]


@pytest.mark.parametrize("name", FOLDERS)
def test_promised_names_exist_and_are_documented(name):
    folder = importlib.import_module(name)
    assert folder.__all__ and set(folder.__all__) <= set(dir(folder))
    for promised in folder.__all__:
        thing = getattr(folder, promised)
        assert not inspect.ismodule(thing), promised
        assert inspect.getdoc(thing), promised
    with pytest.raises(AttributeError, match="nonsense"):
        _ = folder.nonsense


@pytest.mark.slow
def test_what_a_user_holds_has_a_type(tmp_path):
    (tmp_path / "use.py").write_text(
        "import ddspvae\n"
        "from typing_extensions import assert_type\n"
        "assert_type(ddspvae.load('violin'), ddspvae.Instrument)\n"
        "ddspvae.load('violin').stream(voices='8')\n", encoding="utf-8")
    strict = ["--strict", "--config-file", os.devnull, "--follow-imports", "silent", "--ignore-missing-imports"]
    told = subprocess.run([sys.executable, "-m", "mypy", *strict, tmp_path / "use.py"], check=False, capture_output=True,
                          text=True, cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT)}).stdout
    assert "Found 1 error" in told and 'incompatible type "str"; expected "int"' in told, told


def test_editable_install_finds_the_presets():
    assert presets_folder() == ROOT / "presets" and "violin" in list_presets()


@pytest.mark.slow
def test_wheel_carries_the_presets_and_works_from_any_folder(tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True,
                   capture_output=True)
    wheel, = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for preset in list_presets():
        assert f"ddspvae/shipped/{preset}.safetensors" in names and f"ddspvae/shipped/{preset}.md" in names
    assert "ddspvae/py.typed" in names
    assert {f"ddspvae/{path.relative_to(ROOT / 'ddspvae')}" for path in (ROOT / "ddspvae").rglob("*.py*")
            if path.suffix in (".py", ".pyi")} <= set(names)
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel], check=True,
                   capture_output=True)
    code = f"import sys; sys.path.insert(0, {str(site)!r}); import ddspvae, ddspvae.commands.main; " \
           f"assert ddspvae.__file__.startswith({str(site)!r}), ddspvae.__file__; " \
           "ddspvae.commands.main.main(['presets', '--json'])"
    listed = subprocess.run([sys.executable, "-S", "-c", f"import site; site.main(); {code}"], check=True, text=True,
                            capture_output=True, cwd=tmp_path).stdout
    assert '"name": "violin"' in listed


@pytest.mark.parametrize("name", list_presets())
def test_every_preset_has_a_card_and_fits(name):
    path = find_preset(name)
    card = read_card(path)
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert path.stat().st_size <= 4_000_000
    assert card["licence"] and card["credits"] and card["metrics"]["validation"]
    for credit in card["credits"]:
        assert credit["source_repo"] in text and credit["commit"] in text and credit["original_path"] in text
    assert "--seed" in text and "minutes" in text


def modules() -> list[str]:
    return [m.name for m in pkgutil.walk_packages(ddspvae.__path__, "ddspvae.") if "shipped" not in m.name]


@pytest.mark.parametrize("name", modules())
def test_documented_arguments_are_the_signature(name):
    module = importlib.import_module(name)
    assert module.__doc__ or name.count(".") == 1, "every module says what it is"
    for function in vars(module).values():
        if not (inspect.isfunction(function) and function.__module__ == name and not function.__name__.startswith("_")):
            continue
        text = inspect.getdoc(function) or ""
        assert text, f"{name}.{function.__name__} has no docstring"
        match = re.search(r"^Args:\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
        if match is None:
            continue
        documented = {part.strip() for line in re.findall(r"^    (\w[\w, ]*):", match[1], re.MULTILINE)
                      for part in line.split(",")}
        unknown = documented - set(inspect.signature(function).parameters)
        assert not unknown, f"{name}.{function.__name__} documents {unknown}"
