"""Build what pyproject.toml cannot say: libssasync, the Cython extensions over it, and the C launcher.

Read from the environment: SSA_CFLAGS (more flags for the C compiler), SSA_TLS (0: without TLS; 1: fail when OpenSSL is
missing; otherwise TLS is in when OpenSSL's headers are there).
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
LINUX = sys.platform.startswith("linux")
C_FLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden", *os.environ.get("SSA_CFLAGS", "").split()]
SONAME = "libssasync.so.0"


def c_sources(folder: str) -> list[str]:
    """All C sources of a folder, as paths relative to this file (setuptools refuses absolute ones)."""
    return sorted(str(path.relative_to(HERE)) for path in (HERE / folder).glob("*.c"))


class Executable(Extension):
    """A C program that is installed inside the package and started by path."""


class Library(Extension):
    """libssasync for C, C++ and Fortran, with what pkg-config and CMake want to know."""


class BuildExtensions(build_ext):
    """build_ext that compiles the C core once, for libssasync and the extensions, and also links programs."""

    def get_ext_filename(self, fullname: str) -> str:
        ext = self.ext_map.get(fullname)
        if isinstance(ext, Executable):
            return str(Path(*fullname.split(".")))
        if isinstance(ext, Library):
            return str(Path(*fullname.split(".")).with_name(SONAME if LINUX else "libssasync.a"))
        return super().get_ext_filename(fullname)

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return [] if isinstance(ext, (Executable, Library)) else super().get_export_symbols(ext)

    def build_extensions(self) -> None:
        core = next(ext for ext in self.extensions if isinstance(ext, Library))
        self.tls = self.find_tls()
        if self.tls:
            core.define_macros.append(("SSA_HAVE_OPENSSL", None))
        self.objects = self.compile_core(core)
        archive = self.archive_core()
        for ext in self.extensions:
            if not isinstance(ext, (Executable, Library)):
                ext.extra_objects.append(archive)
                ext.depends.append(archive)
                ext.libraries.extend(self.tls)
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        if isinstance(ext, Library):
            self.build_library(ext)
        elif isinstance(ext, Executable):
            self.build_executable(ext)
        else:
            super().build_extension(ext)

    def build_executable(self, ext: Executable) -> None:
        output = Path(self.get_ext_fullpath(ext.name))
        output.parent.mkdir(parents=True, exist_ok=True)
        objects = self.compiler.compile(
            ext.sources, output_dir=self.build_temp, extra_postargs=ext.extra_compile_args, depends=ext.depends
        )
        self.compiler.link_executable(objects, str(output), extra_postargs=ext.extra_link_args)

    def find_tls(self) -> list[str]:
        """The libraries of OpenSSL, if TLS is to be in and a program with it can be compiled and linked."""
        wanted = os.environ.get("SSA_TLS", "")
        if wanted == "0" or not (HERE / "cyclient/c/tls.c").exists():
            return []
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text("#include <openssl/ssl.h>\nint main(void) { return SSL_CTX_new(TLS_method()) == 0; }\n")
            command = [*self.compiler.compiler, str(source), "-o", str(source.with_suffix(""))]
            search = [*self.compiler.linker_exe[1:], *(f"-L{path}" for path in self.compiler.library_dirs)]
            found = subprocess.run([*command, *search, "-lssl", "-lcrypto"], capture_output=True, check=False)
        if found.returncode != 0 and wanted == "1":
            sys.exit("SSA_TLS=1 needs the headers of OpenSSL (Debian: libssl-dev); SSA_TLS=0 builds without TLS.")
        return ["ssl", "crypto"] if found.returncode == 0 else []

    def compile_core(self, ext: Library) -> list[str]:
        """The object files of the core; compiled are those older than their source, a header, or a change of flags."""
        folder = Path(self.build_temp, "core")
        folder.mkdir(parents=True, exist_ok=True)
        flags = repr((self.compiler.compiler_so, ext.define_macros, ext.extra_compile_args))
        stamp = folder / "flags"
        if self.force or not stamp.exists() or stamp.read_text() != flags:
            stamp.write_text(flags)
        newest = max(Path(path).stat().st_mtime for path in [stamp, *ext.depends])

        def compile_one(source: str) -> str:
            (name,) = self.compiler.object_filenames([source], output_dir=str(folder))
            target = Path(name)
            if not target.exists() or target.stat().st_mtime < max(newest, Path(source).stat().st_mtime):
                self.compiler.compile(
                    [source],
                    output_dir=str(folder),
                    macros=ext.define_macros,
                    extra_postargs=ext.extra_compile_args,
                )
            return name

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(compile_one, ext.sources))

    def archive_core(self) -> str:
        """libssasync.a, which the extensions link too."""
        archive = Path(self.build_temp, "core", "libssasync.a")
        members = archive.with_suffix(".members")
        content = "\n".join(self.objects)
        newest = max(Path(path).stat().st_mtime for path in self.objects)
        if not archive.exists() or archive.stat().st_mtime < newest or members.read_text() != content:
            archive.unlink(missing_ok=True)  # ar would keep the members of sources that are gone
            self.compiler.create_static_lib(self.objects, "ssasync", output_dir=str(archive.parent))
            members.write_text(content)
        return str(archive)

    def build_library(self, ext: Library) -> None:
        files = self.library_files(ext)
        for path in files.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        self.copy_file(self.archive_core(), str(files["libssasync.a"]), preserve_mode=False)
        for name, text in self.library_texts().items():
            if name in files:
                files[name].write_text(text)
        if SONAME in files:
            # Not the linker of extensions: that one carries the paths of Python's own libraries.
            self.compiler.link_executable(
                self.objects,
                str(files[SONAME]),
                libraries=self.tls,
                extra_preargs=["-shared"],
                extra_postargs=ext.extra_link_args,
            )

    def library_files(self, ext: Library) -> dict[str, Path]:
        """Name: where the build puts it."""
        folder = Path(self.build_lib, self.get_ext_filename(ext.name)).parent
        return {name: folder / name for name in ("libssasync.a", *([SONAME, *self.library_texts()] if LINUX else []))}

    def library_texts(self) -> dict[str, str]:
        """The small files beside the libraries. A wheel has no links: libssasync.so is a linker script of one line."""
        version = self.distribution.get_version()
        numbers = re.match(r"(\d+)\.(\d+)(\.\d+)?", version)
        if numbers is None:
            sys.exit(f"pyproject.toml: the version {version!r} does not begin with two numbers")
        private = ["-pthread", *(f"-l{name}" for name in getattr(self, "tls", []))]
        values = {
            "VERSION": version,
            "VERSION_NUMBERS": numbers[0],
            "VERSION_MAJOR": numbers[1],
            "VERSION_MINOR": numbers[2],
            "PRIVATE_LIBS": " ".join(private),
            "PRIVATE_LIBS_CMAKE": ";".join(private),
        }
        templates = {
            "pkgconfig/ssasync.pc": "cyclient/pkgconfig/ssasync.pc.in",
            "cmake/ssasync/ssasync-config.cmake": "cyclient/cmake/ssasync-config.cmake.in",
            "cmake/ssasync/ssasync-config-version.cmake": "cyclient/cmake/ssasync-config-version.cmake.in",
        }
        texts = {name: (HERE / template).read_text() for name, template in templates.items()}
        texts = {name: re.sub(r"@(\w+)@", lambda word: values[word[1]], text) for name, text in texts.items()}
        return {"libssasync.so": f"/* GNU ld script */\nINPUT({SONAME})\n", **texts}

    def library_copies(self) -> Iterator[tuple[str, str]]:
        """Where the build puts the files of libssasync, and where they stand beside the sources."""
        for ext in self.extensions:
            if isinstance(ext, Library):
                beside, built = map(Path, self._get_inplace_equivalent(self.get_finalized_command("build_py"), ext))
                for path in self.library_files(ext).values():
                    yield str(path), str(beside.parent / path.relative_to(built.parent))

    def copy_extensions_to_source(self) -> None:
        for built, beside in self.library_copies():
            Path(beside).parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(built, beside)
        super().copy_extensions_to_source()

    def get_output_mapping(self) -> dict[str, str]:
        mapping = super().get_output_mapping()
        return {**mapping, **dict(self.library_copies())} if self.inplace else mapping


# An sdist has no links, and Cython finds the .pxd beside a .pyx by the name of its package.
for folder in ("actors", "wlm", "store", "cyclient"):
    link = HERE / "ssasync" / folder
    if not link.exists():
        link.symlink_to(Path("..") / folder)

headers = sorted(str(path.relative_to(HERE)) for path in [*HERE.glob("*/c/*.h"), *HERE.glob("cyclient/include/*.h")])
numpy_macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("_GNU_SOURCE", None)]
# Each extension links its own copy of the core and exports nothing of it.
hide_core = ["-pthread", *(["-Wl,--exclude-libs,ALL"] if LINUX else [])]

library = Library(
    "ssasync.cyclient.lib.libssasync",
    c_sources("cyclient/c"),
    define_macros=[("_GNU_SOURCE", None)],
    extra_compile_args=["-fPIC", "-pthread", "-g0", *C_FLAGS],
    extra_link_args=[
        "-pthread",
        f"-Wl,-soname,{SONAME}",
        "-Wl,--version-script=cyclient/libssasync.map",
        "-Wl,-Bsymbolic-functions",
        # A thread that looks up a name may still be in it after a dlclose (test_name_lookup.py).
        "-Wl,-z,nodelete",
    ],
    depends=headers,
)
extensions = [
    Extension(
        "ssasync.cyclient._core",
        ["cyclient/_core.pyx"],
        include_dirs=["cyclient/c", numpy.get_include()],
        define_macros=numpy_macros,
        extra_compile_args=C_FLAGS,
        extra_link_args=hide_core,
        depends=headers,
    ),
    Extension(
        "ssasync.store._worker_front",
        ["store/_worker_front.pyx", *c_sources("store/c")],
        include_dirs=["cyclient/c", "store/c", numpy.get_include()],
        define_macros=numpy_macros,
        extra_compile_args=[*C_FLAGS, "-pthread"],
        extra_link_args=hide_core,
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
        library,
        *cythonize(
            [e for e in extensions if Path(e.sources[0]).exists()],
            build_dir="build/cython",
            compiler_directives={"language_level": "3str"},
        ),
        *[p for p in programs if p.sources],
    ],
    cmdclass={"build_ext": BuildExtensions},
)
