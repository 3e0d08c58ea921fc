"""Who may import whom: the table of the design, checked over all modules (grimp, the engine of import-linter).

Run by tests/test_import_table.py. Our own folders are ruled for all; packages from outside for the folders that must stay
light: actors, which could be published alone, and cyclient, which simulation ranks load.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import grimp

#: Folder: which of our folders it may import.
OURS = {
    "actors": set[str](),
    "cyclient": set[str](),
    "wlm": {"actors"},
    "store": {"actors", "wlm", "cyclient"},
    "": {"actors", "wlm", "cyclient", "store"},
}
#: Folder: which packages from outside; a folder that is not named here is free.
OUTSIDE = {
    "actors": {"anyio", "msgpack"},
    # ml_dtypes gives numpy its bfloat16; loaded only when such a tensor comes.
    "cyclient": {"numpy", "ml_dtypes"},
}
#: Libraries of model backends: only inside the one file that runs them.
BACKENDS = {"torch": {"ssasync.store.torch_runtime", "ssasync.store.torch_script"}}


def folder_of(module: str) -> str:
    """The folder of one of our modules; "" for the face."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in OURS else ""


def violations(root: Path) -> list[str]:
    """One line for each import that the table forbids."""
    graph = grimp.build_graph("ssasync", include_external_packages=True, cache_dir=None)
    found = []
    for importer in sorted(m for m in graph.modules if m.split(".")[0] == "ssasync"):
        folder = folder_of(importer)
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            package = imported.split(".")[0]
            if package == "ssasync":
                if imported == "ssasync" and not _imports_the_face(root, importer):
                    continue  # an extension module, which grimp does not see, counts as its first known parent
                other = folder_of(imported)
                forbidden = other != folder and (other not in OURS[folder] or other == "")
            else:
                forbidden = package not in sys.stdlib_module_names and (
                    package not in OUTSIDE.get(folder, {package}) or importer not in BACKENDS.get(package, {importer})
                )
            if forbidden:
                found.append(f"{importer} imports {imported}")
    return found + _cython_violations(root)


def _imports_the_face(root: Path, module: str) -> bool:
    path = root / Path(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return re.search(r"^\s*(import ssasync\s|from ssasync import)", source.read_text(), re.MULTILINE) is not None


def _cython_violations(root: Path) -> list[str]:
    """The same for .pyx and .pxd files, which grimp does not read."""
    found = []
    for path in sorted([*root.glob("*/*.pyx"), *root.glob("*/*.pxd")]):
        folder = path.parent.name
        for match in re.finditer(r"^\s*(?:from|c?import)\s+(ssasync\.(\w+)[\w.]*)", path.read_text(), re.MULTILINE):
            other = match[2] if match[2] in OURS else ""
            if other not in {folder, *OURS[folder]} or other == "":
                found.append(f"{path.relative_to(root)} imports {match[1]}")
    return found
