"""For mkdocs: a page of reference for each folder of the package, one entry for each name that the folder promises.

The promises are the `__init__.pyi` stubs; nothing is listed twice. Links to files beside docs/ go to the pages there are, or
are shown as paths.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "ddspvae"


def stubs() -> list[Path]:
    """The package's own first."""
    return sorted(PACKAGE.rglob("__init__.pyi"), key=lambda path: (len(path.parts), path))


def module_of(stub: Path) -> str:
    return ".".join(stub.parent.relative_to(ROOT).parts)


def page_of(module: str) -> str:
    names = module.split(".")[1:]
    return f"reference/{'-'.join(names)}.md" if names else "reference/index.md"


def promised(stub: Path) -> list[str]:
    """Full names of what a stub promises."""
    module = module_of(stub)
    return [f"{module}.{node.module}.{name.name}" for node in ast.parse(stub.read_text(encoding="utf-8")).body
            if isinstance(node, ast.ImportFrom) for name in node.names]


def page(stub: Path) -> str:
    """One page in Markdown."""
    module = module_of(stub)
    about = ast.get_docstring(ast.parse(stub.with_suffix(".py").read_text(encoding="utf-8"))) or ""
    first, _, rest = about.partition("\n\n")
    lines = [f"# {module}", "", first, ""]
    if "\n    " in f"\n{rest}":
        code, _, after = rest.partition("\n\n")
        lines += ["```python", re.sub(r"^    ", "", code, flags=re.MULTILINE), "```", "", after, ""]
    entries = sorted(promised(stub), key=lambda name: name.rsplit(".", 1)[1].lower())
    if module == "ddspvae":  # told in full on the page of their folder
        for name in entries:
            lines.append(f"- [`{module}.{name.rsplit('.', 1)[1]}`][{name}]")
        beyond = [name for name in entries if name not in everywhere_else()]
        lines += ["", *(line for name in beyond for line in (f"::: {name}", ""))]
    else:
        lines += [line for name in entries for line in (f"::: {name}", "")]
    return "\n".join(lines)


def everywhere_else() -> set[str]:
    return {name for stub in stubs() if module_of(stub) != "ddspvae" for name in promised(stub)}


def on_config(config):
    """Put the pages into the navigation."""
    reference = next(entry for entry in config.nav if "Reference" in entry)
    reference["Reference"] = [{module_of(stub): page_of(module_of(stub))} for stub in stubs()]
    return config


def on_files(files: Files, config) -> Files:
    """Add the pages."""
    for stub in stubs():
        files.append(File.generated(config, page_of(module_of(stub)), content=page(stub)))
    for name in ("hooks.py", "doctests.py"):
        files.remove(files.src_uris[name])
    return files


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    """Links that leave docs/ name their file instead, where this page is read without the repository."""
    markdown = re.sub(r"!\[([^\]]*)\]\(\.\./[^)]+\)", "", markdown)
    return re.sub(r"\[([^\]]+)\]\((\.\./)+(presets|benchmarks|CONTRIBUTING|README|examples|ddspvae)([^)]*)\)",
                  r"\1 (`\3\4`)", markdown)
