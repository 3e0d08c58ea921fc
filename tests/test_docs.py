"""Every block of cyclient/docs runs, and prints what the page says: Python against a real store, C and C++ compiled first.

Blocks are taken in the order of their page, in one folder, with the store in the environment. A block without a language, or
of ```text, is what the one before it prints; `...` in it stands for anything. The first line of a C, C++ or CMake block
names its file (`/* solver.c: ... */`): a file named `*.c` or `*.cpp` is compiled with `ssasync config` and run.
"""

import doctest
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import run
from tests.cyclient.cluster_process import ClusterProcess
from tests.docs_program import SEPARATOR

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "cyclient" / "docs"
COMPILERS = {"c": ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror"], "cpp": ["c++", "-std=c++17", "-Wall", "-Werror"]}
KINDS = {*COMPILERS, "python", "sh", "cmake"}
OUTPUT = ("", "text")
#: Holds a store with a model worker open until its standard input ends; says what workloads find in their environment.
STORE = """
import asyncio, json, sys
import ssasync

async def main():
    async with ssasync.Experiment("docs", sys.argv[1]) as exp:
        store = exp.create_database()
        await exp.start(store)
        print(json.dumps(store.address.environment()), flush=True)
        await asyncio.to_thread(sys.stdin.read)

ssasync.run(main())
"""

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Block:
    """A block of a page, and what it prints."""

    kind: str
    text: str
    line: int
    prints: str

    @property
    def file(self) -> str:
        """What its first line names."""
        named = re.match(r"(?:/\*|//|#) ([\w.]+)", self.text)
        assert named, f"line {self.line}: the first line of the block names no file"
        return named[1]


def blocks_of(page: Path) -> list[Block]:
    """In their order."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        kind, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        if kind in OUTPUT:
            assert found, f"line {line}: nothing before it prints"
            assert not found[-1].prints, f"line {line}: the block before it has its output already"
            found[-1] = Block(found[-1].kind, found[-1].text, found[-1].line, body)
        else:
            assert kind in KINDS, f"line {line}: no block is of kind {kind!r}"
            found.append(Block(kind, body, line, ""))
    return found


def check_printed(page: str, block: Block, printed: str) -> None:
    wanted = block.prints
    assert doctest.OutputChecker().check_output(wanted, printed, doctest.ELLIPSIS), (
        f"{page}, line {block.line} prints\n{printed}\nbut the page says\n{wanted}"
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a store with a model worker."""
    folder = tmp_path_factory.mktemp("store")
    command = [sys.executable, "-c", STORE, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=bare()) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        yield json.loads(said)
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a cluster of three shards with a replica each."""
    cluster = ClusterProcess(tmp_path_factory.mktemp("c"))
    yield {"SSDB": cluster.addresses, "SSDB_PASSWORD": cluster.password}
    cluster.close()


def bare() -> dict[str, str]:
    """This environment without anything about stores; programs import and find ssasync where this one does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class Page:
    """Runs the blocks of one page in a folder of its own."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.folder = folder
        program = folder / "bin" / "ssasync"  # the one beside Python may be of another checkout
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ssasync.cli "$@"\n')
        program.chmod(0o755)
        path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
        self.environment = {**bare(), **environment, "PATH": path, "CXX": "c++", "CC": "cc"}

    def run(self, blocks: list[Block]) -> None:
        self._run_python([block for block in blocks if block.kind == "python"])
        for block in blocks:
            if block.kind in COMPILERS:
                check_printed(self.name, block, self._compiled(block))
            elif block.kind == "cmake":
                (self.folder / "CMakeLists.txt").write_text(block.text)
            elif block.kind == "sh":
                command = f"set -eu\n{block.text}"
                check_printed(self.name, block, run("sh", "-c", command, cwd=self.folder, environment=self.environment))

    def _run_python(self, blocks: list[Block]) -> None:
        files = [self.folder / f"block_{block.line}.py" for block in blocks]
        for file, block in zip(files, blocks, strict=True):
            file.write_text(block.text, encoding="utf-8")
        program = str(Path(__file__).with_name("docs_program.py"))
        said = run(sys.executable, program, *files, cwd=self.folder, environment=self.environment)
        *printed, rest = said.split(f"{SEPARATOR}\n")
        assert rest == ""
        for block, text in zip(blocks, printed, strict=True):
            check_printed(self.name, block, text)

    def _compiled(self, block: Block) -> str:
        source = self.folder / block.file
        source.write_text(block.text, encoding="utf-8")
        program = source.with_suffix("")
        flags = run("ssasync", "config", "--cflags", "--libs", cwd=self.folder, environment=self.environment).split()
        run(*COMPILERS[block.kind], source, *flags, "-o", program, cwd=self.folder)
        return run(program, cwd=self.folder, environment=self.environment)


@pytest.mark.parametrize(("page", "of"), [("client.md", "store"), ("c.md", "store"), ("cluster.md", "cluster")])
def test_the_blocks_of_a_page_print_what_it_says(page, of, tmp_path, request):
    blocks = blocks_of(PAGES / page)
    assert blocks
    Page(page, tmp_path, request.getfixturevalue(of)).run(blocks)


def test_every_operation_stands_in_a_block_that_runs():
    table = tomllib.loads((ROOT / "cyclient" / "operations.toml").read_text())
    rows = {**table["operations"], **{name: row for name, row in table["dataset"].items() if row["python"] == "yes"}}
    blocks = [block.text for page in ("client.md", "cluster.md") for block in blocks_of(PAGES / page)]
    called = set(re.findall(r"[.](\w+)", "\n".join(blocks)))
    assert set(rows) - called == set()


def test_every_page_is_tested_and_its_links_lead_somewhere():
    pages = sorted(PAGES.glob("*.md"))
    assert [page.name for page in pages] == ["c.md", "client.md", "cluster.md"]
    for page in [*pages, ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
