"""The program `ssasync`. Each subcommand imports what it needs, so that small ones start at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

CONFIG_OPTIONS = {
    "cflags": "flags for the compiler",
    "libs": "flags for the linker: libssasync.so, found again at run time",
    "static-libs": "flags for the linker: libssasync.a",
    "includedir": "folder of ssasync.h and ssasync.hpp",
    "libdir": "folder of libssasync.so and libssasync.a",
    "pkgconfigdir": "folder of ssasync.pc, for PKG_CONFIG_PATH",
    "cmakedir": "folder of ssasync-config.cmake, for -Dssasync_DIR=",
    "version": "version of the package",
}
CONFIG_DESCRIPTION = """\
Where the C library is, for build systems: cc program.c $(ssasync config --cflags --libs)

Several options are answered in one line, in the order of this list. Flags are quoted for a shell (eval, or make);
folders are printed as they are. Without an option: all of it as a table."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; the exit status is 0, 1 with one line on stderr, or 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="ssasync", description="Couple running simulations with machine learning.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    config = commands.add_parser(
        "config",
        help="where the C library is: flags for compilers, pkg-config and CMake",
        description=CONFIG_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for option, meaning in CONFIG_OPTIONS.items():
        config.add_argument(f"--{option}", dest="asked", action="append_const", const=option, help=meaning)
    return _config(parser.parse_args(arguments).asked or [])


def _config(asked: Sequence[str]) -> int:
    from ssasync.config import answers
    from ssasync.errors import NoLibrary

    try:
        known = answers()
    except NoLibrary as error:
        print(f"ssasync config: {error}", file=sys.stderr)
        return 1
    if asked:
        print(" ".join(known[option] for option in CONFIG_OPTIONS if option in asked))
    else:
        for option, answer in known.items():
            print(f"{option:<13} {answer}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
