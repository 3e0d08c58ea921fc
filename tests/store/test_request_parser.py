"""The parser of requests by itself, under sanitizers and with every allocation refused once in turn."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.cyclient.test_c_modules import FLAGS, SANITIZERS, run

ROOT = Path(__file__).parents[2]
LINKED = [ROOT / "store/c" / name for name in ("request_parser.c", "front_chain.c", "front_request.c")]
LINKED += [ROOT / "cyclient/c" / name for name in ("allocator.c", "tensor_memory.c", "tensor_header.c")]
INCLUDED = [ROOT / "store/c", ROOT / "tests/cyclient/c", ROOT / "cyclient/include"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("request_parser") / "test_request_parser"
    includes = [f"-I{folder}" for folder in INCLUDED]
    sources = [Path(__file__).parent / "c" / "test_request_parser.c", *LINKED]
    command = ["cc", *FLAGS, *includes, "-DSSA_API=", *SANITIZERS, *sources, "-o", built]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return built


def test_the_parser_does_what_its_header_says(program: Path, tmp_path: Path) -> None:
    assert re.search(r"^[1-9]\d* checks in 5 tests$", run(program, folder=tmp_path), re.MULTILINE)


def test_any_allocation_of_the_parser_may_be_refused(program: Path, tmp_path: Path) -> None:
    assert re.fullmatch(r"[1-9]\d* allocations refused one by one\n", run(program, "--fail", folder=tmp_path))
