"""Builds the programs of c_engine/ with the whole C core, under AddressSanitizer and UBSan, and runs them on a store."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "c_engine"
CORE = Path(__file__).resolve().parents[2] / "cyclient"
FLAGS = ("-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-format-truncation", "-D_GNU_SOURCE", "-pthread")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover", "-fno-omit-frame-pointer")
INCLUDES = (f"-I{CORE / 'c'}", f"-I{CORE / 'include'}")


def _compile(*words: str | Path) -> None:
    done = subprocess.run(
        ["cc", *FLAGS, *SANITIZERS, *INCLUDES, *words], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def _core(out: Path) -> list[Path]:
    """The objects of the core, compiled once a session."""
    sources = sorted((CORE / "c").glob("*.c"))
    objects = [out / f"{source.stem}.o" for source in sources]

    def compile_one(pair: tuple[Path, Path]) -> None:
        if not pair[1].exists():
            _compile("-c", pair[0], "-o", pair[1])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(compile_one, zip(sources, objects, strict=True)))
    return objects


def build(name: str, factory: pytest.TempPathFactory) -> Path:
    """The program `name` of c_engine/."""
    out = factory.getbasetemp() / "c_engine"
    out.mkdir(exist_ok=True)
    built = out / name
    if not built.exists():
        _compile(FOLDER / f"{name}.c", *_core(out), "-o", built, "-lm")
    return built


def run(program: Path, mode: str, addresses: str, password: str, *words: str, timeout: float = 110) -> str:
    """What it says; it must find nothing wrong."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))}
    command = [program, mode, addresses, password, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout
