"""The parser of requests by itself, under sanitizers and with every allocation refused once in turn."""

import re
from pathlib import Path

import pytest

from tests.cyclient.c_builder import SANITIZERS, CBuilder
from tests.cyclient.test_c_modules import run


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = CBuilder(tmp_path_factory.mktemp("request_parser"), "cc", SANITIZERS["address"])
    return builder.program(Path(__file__).parent / "c" / "test_request_parser.c")


def test_the_parser_does_what_its_header_says(program: Path, tmp_path: Path) -> None:
    assert re.search(r"^[1-9]\d* checks in 5 tests$", run(program, folder=tmp_path), re.MULTILINE)


def test_any_allocation_of_the_parser_may_be_refused(program: Path, tmp_path: Path) -> None:
    assert re.fullmatch(r"[1-9]\d* allocations refused one by one\n", run(program, "--fail", folder=tmp_path))
