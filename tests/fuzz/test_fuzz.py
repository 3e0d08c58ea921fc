"""The fuzz targets without libFuzzer: all seeds and some seconds of inputs made of them, under sanitizers.

`make fuzz` runs them for longer, with clang, led by coverage.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cyclient.c_builder import CBuilder, module
from tests.fuzz.seeds import HERE, TARGETS, write_seeds

FLAGS = ("-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SECONDS = 3
#: Until a planted mistake is found; it is found in far less.
PLANTED_SECONDS = 60


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> CBuilder:
    return CBuilder(tmp_path_factory.mktemp("fuzz"), "cc", FLAGS)


def sources(target: str) -> tuple[Path, Path]:
    return HERE / f"{target}_fuzz.c", HERE / "standalone.c"


def run(program: Path, target: str, folder: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    seeds = write_seeds(target, folder / "seeds")
    command = [str(program), str(seconds), "1", *map(str, seeds)]
    limit = seconds + 50  # an input that never ends
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, cwd=folder, timeout=limit
    )


def test_every_target_has_seeds_and_every_seed_a_target():
    assert {path.name.removesuffix("_fuzz.c") for path in HERE.glob("*_fuzz.c")} == set(TARGETS)
    assert {path.name for path in (HERE / "found").glob("*")} <= set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_upsets_a_target(builder, target, tmp_path):
    done = run(builder.program(*sources(target)), target, tmp_path, SECONDS)
    assert done.returncode == 0, f"{done.stderr}\n{failing_input(tmp_path)}"
    assert re.fullmatch(r"[1-9]\d* seeds, [1-9]\d* further inputs\n", done.stdout)
    assert not (tmp_path / "failing-input").exists()


def failing_input(folder: Path) -> str:
    data = (folder / "failing-input").read_bytes()
    size = int.from_bytes(data[:4], "little")
    return f"input: bytes.fromhex('{data[4 : 4 + size].hex()}')"


@dataclass(frozen=True)
class Mistake:
    """A change of one module that its target must notice."""

    target: str
    module: str
    right: str
    wrong: str


READER, HEADER, CONNECTION = [(name, name) for name in ("resp_reader", "tensor_header", "connection")]
MISTAKES = {
    "limits are not kept": Mistake(*READER, "token->number > (is_string", "token->number < (is_string"),
    "a body is left in the buffer": Mistake(*READER, "reader->begin += bytes;\n    r", "r"),
    "the end of a string is not looked at": Mistake(*READER, "if (buffered < 2)", "if (0)"),
    "lengths are not compared": Mistake(*HEADER, "header->data_bytes != get_le(bytes + 16, 8) ||", ""),
    "a header is read before it has come": Mistake(*HEADER, "available < size", "0"),
    "an empty string has no place": Mistake("connection", "resp_writer", "buffer->data && ", ""),
    "an abandoned command still borrows": Mistake("connection", "command", "loan->data = (const void *)(", "(void)("),
    "an abandoned array is written": Mistake(
        *CONNECTION, "current && connection->stage == SSA_READING_TENSOR_BODY", "current && 0"
    ),
    "an abandoned command loses its place": Mistake(*CONNECTION, "command->sent == 0 && ", ""),
    "an error is forgotten": Mistake("connection", "connection_reply", "is_error ? SSA_ESERVER : SSA_OK", "SSA_OK"),
    "any shape is written": Mistake("connection", "connection_reply", "into && !same_type", "0 && !same_type"),
    "a step takes from itself": Mistake(
        "request_parser", "request_parser", "number >= (is_input ? chain->step :", "number > (is_input ? chain->step :"
    ),
    "an output has any number": Mistake("request_parser", "request_parser", "number >= SSA_MAX_STEP_OUTPUTS", "0"),
    "a path is too long": Mistake("address", "address", "bytes >= sizeof address->path", "0"),
    "a worker has too many addresses": Mistake("worker_list", "worker_list", "count > SSA_WORKER_ADDRESSES_MAX", "0"),
    "a slot is not on the map": Mistake("slot_map", "slot_map", "last >= SSA_SLOTS || ", ""),
    "a truth value is two": Mistake("metadata", "metadata", "metadata->values[i] > 1", "0"),
    "a field comes twice": Mistake("dataset", "dataset_wire", "name) != SSA_NAME_NOWHERE", "name) == 0x5aab5"),
    "a password is shown": Mistake("settings", "settings_table", '"(set)"', "*(char *const *)at"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_found(builder, name, tmp_path):
    mistake = MISTAKES[name]
    text = module(mistake.module).read_text(encoding="utf-8")
    assert text.count(mistake.right) == 1
    wrong = tmp_path / f"{mistake.module}.c"
    wrong.write_text(text.replace(mistake.right, mistake.wrong), encoding="utf-8")
    program = builder.changed_program(tmp_path, wrong, *sources(mistake.target))
    done = run(program, mistake.target, tmp_path, PLANTED_SECONDS)
    assert done.returncode != 0
    assert failing_input(tmp_path)
