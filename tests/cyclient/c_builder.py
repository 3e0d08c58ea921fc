"""Build C programs of the tests with modules of the core: those that they name on their first line
(`// links: ...`), or all of them."""

import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORE = Path(__file__).resolve().parents[2] / "cyclient" / "c"
FRONT = CORE.parents[1] / "store" / "c"  #: of model workers
INCLUDES = (f"-I{CORE}", f"-I{CORE.parent / 'include'}", f"-I{FRONT}")
FLAGS = ("-g", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-pthread", *INCLUDES)
#: With sanitizers gcc no longer knows the ranges of numbers, and warns of texts that are never cut.
CHECKED = ("-O1", "-Werror", "-Wno-format-truncation", "-fno-omit-frame-pointer")
SANITIZERS = {
    "address": (*CHECKED, "-fsanitize=address,undefined", "-fno-sanitize-recover"),
    "thread": (*CHECKED, "-fsanitize=thread"),
}
#: With OpenSSL: what compiles the modules that ask for it, and what is linked then.
TLS = "-DSSA_HAVE_OPENSSL"
TLS_LIBRARIES = ("-lssl", "-lcrypto")
LANGUAGES = {".c": ("cc", "-std=c11"), ".cpp": ("c++", "-std=c++17")}


def linked_modules(program: Path) -> list[str]:
    """What the first line names."""
    first = program.read_text(encoding="utf-8").split("\n", 1)[0]
    match = re.fullmatch(r"// links: (\w+(?: \w+)*)", first)
    assert match, f"the first line of {program} is not '// links: <modules of cyclient/c or store/c>'"
    return match[1].split()


def module(name: str) -> Path:
    """The source of a module of the core, or of the front of model workers."""
    return CORE / f"{name}.c" if (CORE / f"{name}.c").exists() else FRONT / f"{name}.c"


def _asks_for_tls(source: Path) -> bool:
    return "SSA_HAVE_OPENSSL" in source.read_text(encoding="utf-8")


class CBuilder:
    """One compiler with one set of flags; what it has built is kept in a folder of its own and not built again."""

    def __init__(self, out: Path, compiler: str, flags: Sequence[str]) -> None:
        self.out = out
        self._compiler = compiler
        self._flags = (*FLAGS, *flags)

    def program(self, source: Path, *more: Path, link_flags: Sequence[str] = ()) -> Path:
        """The program made of `source`, the modules it names, and further sources."""
        modules = [module(name) for name in linked_modules(source)]
        built = self._place(source)
        if not built.exists():
            self._link(source, self._objects((source, *more, *modules)), built, link_flags)
        return built

    def core_program(self, source: Path, *compile_flags: str, tls: bool = True) -> Path:
        """The program made of `source`, in C or C++, and the whole core. compile_flags: for this source alone."""
        modules = sorted(CORE.glob("*.c"))
        objects = self._objects((source, *modules), *compile_flags, tls=tls)
        built = self._place(source).with_suffix("" if tls else ".without_tls")
        if not built.exists():
            self._link(source, objects, built, TLS_LIBRARIES if tls else ())
        return built

    def changed_program(self, out: Path, changed: Path, source: Path, *more: Path) -> Path:
        """The same with another source for the module of the same name as `changed`; lies in `out`."""
        modules = [module(name) for name in linked_modules(source) if name != changed.stem]
        self._run(changed, "-c", str(changed), "-o", str(out / "changed.o"))
        objects = [*self._objects((source, *more, *modules)), out / "changed.o"]
        self._link(source, objects, out / "changed", ())
        return out / "changed"

    def _link(self, source: Path, objects: Sequence[Path], built: Path, flags: Sequence[str]) -> None:
        self._run(source, *map(str, objects), "-o", str(built), *flags, "-lm")

    def _objects(self, sources: Sequence[Path], *first_flags: str, tls: bool = False) -> list[Path]:
        flags = [first_flags, *((TLS,) if tls and _asks_for_tls(source) else () for source in sources[1:])]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self._object, sources, flags))

    def _object(self, source: Path, flags: Sequence[str]) -> Path:
        built = self._place(source).with_suffix(".tls.o" if TLS in flags else ".o")
        if not built.exists():
            self._run(source, *flags, "-c", str(source), "-o", str(built))
        return built

    def _place(self, source: Path) -> Path:
        folder = self.out / source.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder / source.stem

    def _run(self, source: Path, *words: str) -> None:
        compiler, standard = LANGUAGES[source.suffix]
        command = [compiler if source.suffix == ".cpp" else self._compiler, standard, *self._flags, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
