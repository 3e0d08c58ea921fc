"""The table of who may import whom, and other rules over the whole tree."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

_spec = importlib.util.spec_from_file_location("import_table", ROOT / "tests" / "import_table.py")
assert _spec is not None
assert _spec.loader is not None
import_table = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(import_table)


def test_no_module_imports_what_the_table_forbids():
    assert import_table.violations(ROOT) == []


def test_a_forbidden_import_would_be_found(monkeypatch):
    monkeypatch.setitem(import_table.OURS, "store", {"actors"})
    monkeypatch.setitem(import_table.OUTSIDE, "actors", set())
    found = import_table.violations(ROOT)
    assert any(line.startswith("ssasync.store.") and "ssasync.wlm" in line for line in found)
    assert any("anyio" in line for line in found)


def test_tasks_are_created_in_one_file_only():
    """Design section 2: everything else runs in task groups of that file's host task."""
    creates = re.compile(r"\bcreate_task\(|\bensure_future\(")
    files = [p for folder in ("actors", "wlm", "store", "cyclient", "ssasync") for p in (ROOT / folder).glob("*.py")]
    outside_groups = [
        f"{path.name}: {line.strip()}"
        for path in files
        if path != ROOT / "actors" / "system.py"
        for line in path.read_text().splitlines()
        if creates.search(line) and "group.create_task(" not in line
    ]
    assert outside_groups == []


@pytest.mark.parametrize("folder", ["actors", "wlm", "store", "cyclient"])
def test_the_folder_is_reached_through_its_link(folder):
    link = ROOT / "ssasync" / folder
    assert link.is_symlink()
    assert link.readlink() == Path("..") / folder


@pytest.mark.parametrize("name", ["ssasync", "ssasync.actors", "ssasync.wlm", "ssasync.store", "ssasync.cyclient"])
def test_all_names_what_the_package_exports(name):
    package = importlib.import_module(name)
    assert sorted(package.__all__) == sorted(set(package.__all__))
    for exported in package.__all__:
        assert getattr(package, exported) is not None
    public = {
        key
        for key, value in vars(package).items()
        if not key.startswith("_") and not hasattr(value, "__path__") and not _is_module(value)
    }
    if name != "ssasync":  # the face loads its names when they are used
        assert public == set(package.__all__)


def _is_module(value: object) -> bool:
    return type(value).__name__ == "module"
