"""Build C programs of the tests with the modules of the core that they name on their first line (`// links: ...`)."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

CORE = Path(__file__).resolve().parents[2] / "cyclient" / "c"
FLAGS = ("-std=c11", "-g", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-pthread", f"-I{CORE}")


def linked_modules(program: Path) -> list[str]:
    """What the first line names."""
    first = program.read_text(encoding="utf-8").split("\n", 1)[0]
    match = re.fullmatch(r"// links: (\w+(?: \w+)*)", first)
    assert match, f"the first line of {program} is not '// links: <modules of cyclient/c>'"
    return match[1].split()


class CBuilder:
    """One compiler with one set of flags; what it has built is kept in a folder of its own and not built again."""

    def __init__(self, out: Path, compiler: str, flags: Sequence[str]) -> None:
        self.out = out
        self._compile = [compiler, *FLAGS, *flags]
        out.mkdir(parents=True, exist_ok=True)

    def program(self, source: Path, *more: Path, link_flags: Sequence[str] = ()) -> Path:
        """The program made of `source`, the modules it names, and further sources."""
        built = self.out / source.stem
        if not built.exists():
            modules = [CORE / f"{name}.c" for name in linked_modules(source)]
            self._link([self._object(path) for path in (source, *more, *modules)], built, link_flags)
        return built

    def changed_program(self, out: Path, changed: Path, source: Path, *more: Path) -> Path:
        """The same with another source for the module of the same name as `changed`; lies in `out`."""
        modules = [CORE / f"{name}.c" for name in linked_modules(source) if name != changed.stem]
        self._run("-c", str(changed), "-o", str(out / "changed.o"))
        objects = [self._object(path) for path in (source, *more, *modules)]
        self._link([*objects, out / "changed.o"], out / "changed", ())
        return out / "changed"

    def _link(self, objects: Sequence[Path], built: Path, flags: Sequence[str]) -> None:
        self._run(*flags, *map(str, objects), "-o", str(built), "-lm")

    def _object(self, source: Path) -> Path:
        built = self.out / f"{source.stem}.o"
        if not built.exists():
            self._run("-c", str(source), "-o", str(built))
        return built

    def _run(self, *words: str) -> None:
        command = [*self._compile, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
