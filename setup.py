"""Build what pyproject.toml cannot say: the Cython extensions and the C launcher."""

import os
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
C_FLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden", *os.environ.get("SSA_CFLAGS", "").split()]


def c_sources(folder: str) -> list[str]:
    """All C sources of a folder, as paths relative to this file (setuptools refuses absolute ones)."""
    return sorted(str(path.relative_to(HERE)) for path in (HERE / folder).glob("*.c"))


class Executable(Extension):
    """A C program that is installed inside the package and started by path."""


class BuildExtensions(build_ext):
    """build_ext that also links programs."""

    def get_ext_filename(self, fullname: str) -> str:
        if isinstance(self.ext_map.get(fullname), Executable):
            return str(Path(*fullname.split(".")))
        return super().get_ext_filename(fullname)

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return [] if isinstance(ext, Executable) else super().get_export_symbols(ext)

    def build_extension(self, ext: Extension) -> None:
        if not isinstance(ext, Executable):
            super().build_extension(ext)
            return
        output = Path(self.get_ext_fullpath(ext.name))
        output.parent.mkdir(parents=True, exist_ok=True)
        objects = self.compiler.compile(
            ext.sources, output_dir=self.build_temp, extra_postargs=ext.extra_compile_args, depends=ext.depends
        )
        self.compiler.link_executable(objects, str(output), extra_postargs=ext.extra_link_args)


# An sdist has no links, and Cython finds the .pxd beside a .pyx by the name of its package.
for folder in ("actors", "wlm", "store", "cyclient"):
    link = HERE / "ssasync" / folder
    if not link.exists():
        link.symlink_to(Path("..") / folder)

# Two extensions share the C sources of the core: each links its own copy, neither exports a symbol.
core = c_sources("cyclient/c")
headers = sorted(str(path.relative_to(HERE)) for path in [*HERE.glob("*/c/*.h"), *HERE.glob("cyclient/include/*.h")])

numpy_macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("_GNU_SOURCE", None), ("SSA_API", "")]
extensions = [
    Extension(
        "ssasync.cyclient._core",
        ["cyclient/_core.pyx", *core],
        include_dirs=["cyclient/c", numpy.get_include()],
        define_macros=numpy_macros,
        extra_compile_args=C_FLAGS,
        depends=headers,
    ),
    Extension(
        "ssasync.store._worker_front",
        ["store/_worker_front.pyx", *core, *c_sources("store/c")],
        include_dirs=["cyclient/c", "store/c", numpy.get_include()],
        define_macros=numpy_macros,
        extra_compile_args=[*C_FLAGS, "-pthread"],
        extra_link_args=["-pthread"],
        depends=headers,
    ),
]
programs = [
    Executable(
        "ssasync.wlm._launcher",
        c_sources("wlm/c"),
        extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE"],
        depends=headers,
    ),
]

setup(
    ext_modules=[
        *cythonize(
            [e for e in extensions if Path(e.sources[0]).exists()],
            build_dir="build/cython",
            compiler_directives={"language_level": "3str"},
        ),
        *[p for p in programs if p.sources],
    ],
    cmdclass={"build_ext": BuildExtensions},
)
