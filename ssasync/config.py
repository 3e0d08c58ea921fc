"""Where the installed package keeps its C library: what `ssasync config` prints.

Uses nothing but the standard library, for build systems ask several times in a row.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import ssasync
from ssasync.errors import NoLibrary


@dataclass(frozen=True, slots=True)
class LibraryFiles:
    """Folders and flags of libssasync; `prefix` is the folder that holds include/ and lib/."""

    prefix: Path

    @property
    def include(self) -> Path:
        """The folder of ssasync.h and ssasync.hpp."""
        return self.prefix / "include"

    @property
    def library(self) -> Path:
        """The folder of libssasync.so and libssasync.a."""
        return self.prefix / "lib"

    @property
    def pkgconfig(self) -> Path:
        """The folder of ssasync.pc, for PKG_CONFIG_PATH."""
        return self.library / "pkgconfig"

    @property
    def cmake(self) -> Path:
        """The folder of ssasync-config.cmake, for ssasync_DIR."""
        return self.library / "cmake" / "ssasync"

    @property
    def cflags(self) -> list[str]:
        """What the compiler needs."""
        return [f"-I{self.include}"]

    @property
    def libs(self) -> list[str]:
        """What links libssasync.so; the program finds it at run time without LD_LIBRARY_PATH."""
        return [f"-L{self.library}", "-lssasync", f"-Wl,-rpath,{self.library}"]

    @property
    def static_libs(self) -> list[str]:
        """What links libssasync.a: the program needs nothing of this package at run time."""
        description = (self.pkgconfig / "ssasync.pc").read_text()
        (private,) = (line for line in description.splitlines() if line.startswith("Libs.private:"))
        return [str(self.library / "libssasync.a"), *private.split()[1:]]


def library_files() -> LibraryFiles:
    """Those of the package that runs. Raises NoLibrary."""
    files = LibraryFiles(Path(__file__).absolute().parent / "cyclient")
    if not (files.library / "libssasync.so").exists():
        raise NoLibrary(files.library)
    return files


def answers() -> dict[str, str]:
    """Option of `ssasync config`: what it prints. Flags are quoted for a shell, folders are not."""
    files = library_files()
    return {
        "cflags": shlex.join(files.cflags),
        "libs": shlex.join(files.libs),
        "static-libs": shlex.join(files.static_libs),
        "includedir": str(files.include),
        "libdir": str(files.library),
        "pkgconfigdir": str(files.pkgconfig),
        "cmakedir": str(files.cmake),
        "version": ssasync.__version__,
    }
