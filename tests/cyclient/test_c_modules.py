"""The C modules by themselves: each program of c/ under sanitizers, and with every allocation refused once in turn."""

import os
import re
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "c"
SOURCES = Path(__file__).parents[2] / "cyclient" / "c"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("test_*.c"))
FLAGS = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-pthread", f"-I{SOURCES}"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover", "-fno-omit-frame-pointer"]


def linked_sources(program: Path) -> list[str]:
    """The modules that the first line of a program names."""
    match = re.fullmatch(r"// links: (\w+(?: \w+)*)", program.read_text(encoding="utf-8").split("\n", 1)[0])
    assert match, f"the first line of {program} is not '// links: <modules of cyclient/c>'"
    return match[1].split()


class Builder:
    """Compiles each source once."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def program(self, name: str) -> Path:
        built = self.out / name
        if not built.exists():
            source = FOLDER / f"{name}.c"
            objects = [self._object(SOURCES / f"{module}.c") for module in linked_sources(source)]
            self._run("cc", *FLAGS, *SANITIZERS, str(source), *map(str, objects), "-o", str(built))
        return built

    def _object(self, source: Path) -> Path:
        built = self.out / f"{source.stem}.o"
        if not built.exists():
            self._run("cc", *FLAGS, *SANITIZERS, "-c", str(source), "-o", str(built))
        return built

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("c_modules"))


def run(program: Path, *words: str, given: str = "", folder: Path) -> str:
    """What it says; it must find nothing wrong."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))}
    command = [program, *words]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=100, check=False, cwd=folder, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_module_does_what_its_header_says(builder, name, tmp_path):
    assert re.search(r"^[1-9]\d* checks in [1-9]\d* tests$", run(builder.program(name), folder=tmp_path), re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PROGRAMS)
def test_any_allocation_of_a_module_may_be_refused(builder, name, tmp_path):
    said = run(builder.program(name), "--fail", folder=tmp_path)
    assert re.fullmatch(r"[1-9]\d* allocations refused one by one\n|nothing allocates\n", said)
    assert list(tmp_path.iterdir()) == []
