"""libssasync as a wheel brings it: C and C++ programs are compiled against the installed wheel and nothing else."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import run

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "c_programs"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
C_COMPILERS = [name for name in ("cc", "clang") if shutil.which(name)]
CPP_COMPILERS = [name for name in ("c++", "clang++") if shutil.which(name)]
LINKERS = [name for name in ("bfd", "gold", "lld", "mold") if shutil.which(f"ld.{name}")]
LANGUAGES = {"c": ("cc", "-std=c99"), "cpp": ("c++", "-std=c++17")}

pytestmark = pytest.mark.timeout(600)  # the first test builds the wheel


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment that holds nothing else, not even numpy."""

    program: Path  #: `ssasync`

    def config(self, *options: str) -> str:
        """What `ssasync config` prints."""
        return run(self.program, "config", *options, cwd=self.program.parent).rstrip("\n")

    @property
    def prefix(self) -> Path:
        """The folder of include/ and lib/."""
        return Path(self.config("--libdir")).parent

    @property
    def library(self) -> Path:
        """What programs load."""
        return self.prefix / "lib" / "libssasync.so.0"


@pytest.fixture(scope="module")
def installed(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    environment = tmp_path_factory.mktemp("c") / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(environment), "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-deps", packages["wheel"], cwd=environment)
    return Installed(environment / "bin" / "ssasync")


def public_headers(installed: Installed) -> str:
    """The text of the headers for C."""
    return "".join((installed.prefix / "include" / name).read_text() for name in ("ssasync_types.h", "ssasync.h"))


def declared(header: str) -> set[str]:
    """The functions that a header marks as exported."""
    return set(re.findall(r"^SSA_API\b[^;(]*?\b(\w+)\(", header, re.MULTILINE))


def status_codes(header: str) -> dict[str, int]:
    """The codes of `enum ssa_status`."""
    (body,) = re.findall(r"typedef enum ssa_status \{(.*?)\} ssa_status;", header, re.DOTALL)
    return {name: int(value) for name, value in re.findall(r"\b(SSA_\w+) = (-?\d+)", body)}


def dynamic(library: Path, tag: str) -> list[str]:
    """The values of a tag of the dynamic section."""
    return re.findall(rf"\({tag}\).*\[(.*)\]", run("readelf", "--wide", "--dynamic", library, cwd=library.parent))


def check_program(program: Path, *, shared: bool) -> None:
    """It runs without any help, and loads what it should."""
    bare = {"PATH": os.environ["PATH"]}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.fullmatch(
        rf"ssasync {re.escape(version)} \[(tls)?\]\n", run(program, cwd=program.parent, environment=bare)
    )
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    assert "libpython" not in libraries
    assert ("libssasync.so.0 => /" in libraries) == shared


def test_the_library_exports_the_functions_of_the_header_and_nothing_else(installed):
    names = run("nm", "--dynamic", "--defined-only", "--with-symbol-versions", installed.library, cwd=installed.prefix)
    exported = {line.split()[-1] for line in names.splitlines()} - {"SSASYNC_0"}
    wanted = declared(public_headers(installed))
    assert {"ssa_version", "ssa_status_name"} <= wanted
    assert exported == {f"{name}@@SSASYNC_0" for name in wanted}


def test_the_archive_defines_no_name_but_ours(installed):
    names = run("nm", "--extern-only", "--defined-only", "lib/libssasync.a", cwd=installed.prefix).splitlines()
    defined = {line.split()[-1] for line in names if line and not line.endswith(":")}
    assert "ssa_version" in defined
    assert {name for name in defined if not name.startswith("ssa_")} == set()


def test_the_library_needs_libc_alone(installed):
    library = ctypes.CDLL(str(installed.library))
    library.ssa_features.restype = ctypes.c_char_p
    tls = {"libssl", "libcrypto"} if b"tls" in library.ssa_features().split() else set()
    needed = {name.split(".")[0] for name in dynamic(installed.library, "NEEDED")}
    assert needed <= {"libc", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"} | tls
    assert ("libssl" in needed) == bool(tls)
    assert dynamic(installed.library, "SONAME") == ["libssasync.so.0"]
    assert dynamic(installed.library, "RPATH") + dynamic(installed.library, "RUNPATH") == []


def test_the_extensions_export_nothing_of_the_library(installed):
    extensions = sorted(
        path for folder in ("cyclient", "store") for path in (installed.prefix.parent / folder).glob("*.so")
    )
    assert len(extensions) == 2
    for extension in extensions:
        names = run("nm", "--dynamic", "--defined-only", extension, cwd=installed.prefix).split("\n")
        assert [line.split()[-1] for line in names if line] == [f"PyInit_{extension.name.split('.')[0]}"]


def test_every_status_has_its_name_and_its_number(installed):
    library = ctypes.CDLL(str(installed.library))
    library.ssa_status_name.restype = ctypes.c_char_p
    codes = status_codes(public_headers(installed))
    assert len(codes) >= 30
    assert sorted(codes.values()) == list(range(min(codes.values()), 2))
    for name, code in codes.items():
        assert library.ssa_status_name(code) == name.encode()
    for unknown in (2, min(codes.values()) - 1, 2**31 - 1, -(2**31)):
        assert library.ssa_status_name(unknown) == b"SSA_E?"


def test_versions_agree(installed):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    macros = dict(
        re.findall(r"#define SSA_VERSION_(\w+) \"?([\w.]+)", (installed.prefix / "include/ssasync.h").read_text())
    )
    assert macros["TEXT"] == installed.config("--version") == version
    assert version.startswith(f"{macros['MAJOR']}.{macros['MINOR']}.{macros['PATCH']}")
    pkg_config = {**os.environ, "PKG_CONFIG_PATH": installed.config("--pkgconfigdir")}
    assert run("pkg-config", "--modversion", "ssasync", cwd=ROOT, environment=pkg_config).strip() == version


@pytest.mark.parametrize("standard", ["c99", "c11", "c17"])
@pytest.mark.parametrize("compiler", C_COMPILERS)
def test_the_c_header_compiles_alone_without_a_warning(installed, tmp_path, compiler, standard):
    source = tmp_path / "header.c"
    source.write_text("#include <ssasync.h>\n#include <ssasync.h>\n")
    flags = [f"-std={standard}", *STRICT, "-Wstrict-prototypes", *installed.config("--cflags").split()]
    run(compiler, *flags, "-c", source, "-o", tmp_path / "header.o", cwd=tmp_path)


@pytest.mark.parametrize("header", ["ssasync.h", "ssasync.hpp"])
@pytest.mark.parametrize("standard", ["c++17", "c++20"])
@pytest.mark.parametrize("compiler", CPP_COMPILERS)
def test_the_headers_compile_alone_as_cpp_without_a_warning(installed, tmp_path, compiler, standard, header):
    source = tmp_path / "header.cpp"
    source.write_text(f"#include <{header}>\n#include <{header}>\n")
    flags = [f"-std={standard}", *STRICT, "-Wold-style-cast", *installed.config("--cflags").split()]
    run(compiler, *flags, "-c", source, "-o", tmp_path / "header.o", cwd=tmp_path)


def test_the_cpp_header_says_which_standard_it_needs(installed, tmp_path):
    source = tmp_path / "old.cpp"
    source.write_text("#include <ssasync.hpp>\n")
    command = ["c++", "-std=c++14", *installed.config("--cflags").split(), "-fsyntax-only", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs C++17" in done.stderr


@pytest.mark.parametrize("libs", ["--libs", "--static-libs"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_is_built_with_ssasync_config(installed, tmp_path, language, libs):
    program = tmp_path / "program"
    flags = installed.config("--cflags", libs).split()
    run(*LANGUAGES[language], PROGRAMS / f"uses_library.{language}", "-o", program, *flags, cwd=tmp_path)
    check_program(program, shared=libs == "--libs")


@pytest.mark.parametrize("linker", LINKERS)
def test_the_linkers_of_this_machine_understand_libssasync_so(installed, tmp_path, linker):
    program = tmp_path / "program"
    flags = [f"-fuse-ld={linker}", *installed.config("--cflags", "--libs").split()]
    run("cc", PROGRAMS / "uses_library.c", "-o", program, *flags, cwd=tmp_path)
    check_program(program, shared=True)
    run(
        "cc",
        PROGRAMS / "uses_library.c",
        "-o",
        program,
        *flags[:2],
        installed.prefix / "lib/libssasync.so",
        flags[-1],
        cwd=tmp_path,
    )
    check_program(program, shared=True)


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_program_is_built_with_pkg_config_wherever_the_files_stand(installed, tmp_path, language, static):
    moved = tmp_path / "moved here"
    shutil.copytree(installed.prefix / "include", moved / "include")
    shutil.copytree(installed.prefix / "lib", moved / "lib")
    compiler = " ".join([*LANGUAGES[language], *(["-static"] if static else [])])
    asked = "--static --cflags --libs" if static else "--cflags --libs"
    command = f'eval {compiler} "{PROGRAMS}/uses_library.{language}" -o program $(pkg-config {asked} ssasync)'
    run("sh", "-c", command, cwd=tmp_path, environment={**os.environ, "PKG_CONFIG_PATH": str(moved / "lib/pkgconfig")})
    check_program(tmp_path / "program", shared=not static)


def test_programs_are_built_with_cmake(installed, tmp_path):
    folder = installed.config("--cmakedir")
    run("cmake", "-S", PROGRAMS, "-B", tmp_path, f"-Dssasync_DIR={folder}", "-DWANTED_VERSION=0.1", cwd=tmp_path)
    run("cmake", "--build", tmp_path, cwd=tmp_path)
    for language in LANGUAGES:
        check_program(tmp_path / f"{language}_shared", shared=True)
        check_program(tmp_path / f"{language}_static", shared=False)


@pytest.mark.parametrize(
    ("wanted", "fits"), [("", True), ("0", True), ("0.1.0", True), ("0.0", False), ("0.2", False), ("1", False)]
)
def test_cmake_refuses_a_version_that_does_not_fit(installed, tmp_path, wanted, fits):
    command = ["cmake", "-S", PROGRAMS, "-B", tmp_path, f"-Dssasync_DIR={installed.config('--cmakedir')}"]
    done = subprocess.run([*command, f"-DWANTED_VERSION={wanted}"], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == fits
    assert fits or "version: 0.1.0" in done.stderr
