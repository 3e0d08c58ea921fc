"""Every function of ssasync.h with one bad argument at a time: it refuses it in words, and nothing crashes.

The calls are made from the declarations, so that a function that is added is tried too.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.c_declarations import functions_in_c

FACE = Path(__file__).parent / "c_face"
FUNCTIONS = functions_in_c()

#: What can be passed for a parameter, by its whole declaration. Other texts, numbers and places of results: `spelled`.
GOOD = {
    "ssa_client *client": "client",
    "ssa_batch *batch": "batch",
    "const ssa_batch *batch": "batch",
    "ssa_dataset *dataset": "dataset",
    "const ssa_dataset *dataset": "dataset",
    "ssa_names inputs": "names",
    "ssa_names outputs": "names",
    "ssa_layout layout": "SSA_ROW_MAJOR",
    "ssa_dtype type": "SSA_INT32",
    "ssa_comparison comparison": "SSA_COMPARE_EQUAL",
    "const ssa_array *array": "&array",
    "const ssa_array *into": "&array",
    "const ssa_array *inputs": "&array",
    "ssa_tensor **outputs": "outputs",
    "size_t *output_count": "&output_count",
    "const void *data": '"data"',
    "const void *value": '"data"',
    "const void *model": "model",
    "size_t model_bytes": "sizeof model",
    "const ssa_model_description *description": "NULL",
    "size_t size": "sizeof(ssa_statistics)",
    "size_t bytes": "4",
    "size_t room": "4",
    "char *buffer": "buffer",
    "double timeout": "0.01",
}
NUMBER = re.compile(r"(?:u?int\d*_t|int|size_t|double) \w+")
#: How each can be bad. Pointers that are not named here are bad as NULL, texts in three ways.
BAD = {
    "double timeout": ["NAN"],
    "double seconds": ["NAN", "0", "-1"],
    "ssa_layout layout": ["(ssa_layout)-1", "(ssa_layout)9"],
    "ssa_dtype type": ["(ssa_dtype)0", "(ssa_dtype)-1", "(ssa_dtype)99"],
    "ssa_comparison comparison": ["(ssa_comparison)-1", "(ssa_comparison)9"],
    "const ssa_array *array": ["NULL", "&negative"],
    "const ssa_array *into": ["NULL", "&negative"],
    "const ssa_array *inputs": ["NULL", "&negative"],
    "ssa_names inputs": ["no_names", "null_names", "endless_names", "unset_names", "many_names"],
    "ssa_names outputs": ["no_names", "null_names", "endless_names", "unset_names", "many_names"],
    "const ssa_model_description *description": ["&other_size"],
    "int first_gpu": ["-1", "INT_MAX"],
    "int num_gpus": ["0", "-1", "INT_MAX"],
    "int64_t frequency_ms": ["-1"],
    "int64_t tries": ["-1"],
    "size_t size": ["0"],
    "size_t bytes": ["(size_t)-5"],
    "size_t input_count": ["509", "100000", "(size_t)-1"],
    "size_t *output_count": ["NULL", "&unset_count"],
}
#: NULL means something there.
OPTIONAL = {"flush_db": {"deleted"}}
#: Tried elsewhere.
NOT_HERE = {
    "client_new": "its options are tried in c_face/bad_input.c",
    "future_test": "a future is tried in c_face/bad_input.c",
    "future_wait": "so",
    "future_cancel": "so",
    "future_tensor": "so",
    "future_outputs": "so",
    "wait_any": "so",
    "batch_status": "tells SSA_EARGUMENT of a place that is none, without a text: c_face/batches.c",
}
TRIED = [name for name, declared in FUNCTIONS.items() if declared.returns == "ssa_status" and name not in NOT_HERE]


def arguments(parameters: list[str]) -> Iterator[tuple[list[str], str]]:
    """All lists of arguments with one that is bad, and the parameter that it is of."""
    good = [spelled(parameter) for parameter in parameters]
    for at, parameter in enumerate(parameters):
        for bad in bad_ones(parameter, parameters[at + 1 :]):
            yield [*good[:at], *bad, *good[at + len(bad) :]], parameter


def spelled(parameter: str) -> str:
    name = parameter.split()[-1].lstrip("*")
    if parameter in GOOD:
        return GOOD[parameter]
    if parameter.startswith("const char *"):
        return '"name"'
    if name.endswith("_bytes"):
        return "4"
    if NUMBER.fullmatch(parameter):
        return "1"
    assert re.fullmatch(r"(?:const )?\w+ \**\w+", parameter), parameter
    return "(void *)room_for_a_result"


def bad_ones(parameter: str, behind: list[str]) -> Iterator[list[str]]:
    """What replaces the argument, and those behind it that belong to it."""
    is_text = bool(behind) and behind[0] == f"size_t {parameter.split('*')[-1]}_bytes"
    if is_text:
        yield ["NULL", "4"]
        yield ["NULL", "SSA_TEXT_ENDS"]
        yield ['"name"', "(size_t)-5"]
        return
    for bad in BAD.get(parameter, ["NULL"] if "*" in parameter else []):
        yield [bad]


def calls() -> Iterator[str]:
    for name in TRIED:
        for given, parameter in arguments(FUNCTIONS[name].parameters):
            what = parameter.split("*")[-1].split()[-1]
            if what in OPTIONAL.get(name, ()):
                continue
            call = f"ssa_{name}({', '.join(given)})"
            of = "dataset" if FUNCTIONS[name].parameters[0] == "ssa_dataset *dataset" else "client"
            if given[0] == "NULL" or name == "dataset_new":
                of = "nobody"
            yield f"    TRY({call}, {of});"


PROGRAM = """/* Made by tests/cyclient/test_c_arguments.py. */
#include "{face}"

#include <limits.h>

#define TRY(call, of) \\
    do {{ \\
        ssa_status status = (call); \\
        try_it(status, #call, of##_said()); \\
    }} while (0)

static ssa_client *client;
static ssa_batch *batch;
static ssa_dataset *dataset;

static const char *client_said(void) {{ return ssa_client_error(client); }}
static const char *dataset_said(void) {{ return ssa_dataset_error(dataset); }}
static const char *nobody_said(void) {{ return "there is none"; }}

static void try_it(ssa_status status, const char *call, const char *said) {{
    if (!face_check(status == SSA_EARGUMENT && strlen(said) > 10, call, __FILE__, __LINE__))
        printf("    is %s: %s\\n", ssa_status_name(status), said);
}}

int main(void) {{
    static const char model[64] = "PK\\3\\4";
    static const char *const some[] = {{"name", NULL}};
    static const size_t lengths[] = {{(size_t)-5}};
    static const int64_t shape[] = {{2, 2}}, below[] = {{2, -1}};
    double data[4] = {{0}};
    char buffer[8];
    void *room_for_a_result[64];
    ssa_tensor *outputs[4];
    size_t output_count = 4, unset_count = (size_t)-1;
    ssa_names names = {{some, NULL, 1}}, no_names = {{NULL, NULL, 1}}, null_names = {{some, NULL, 2}},
              endless_names = {{some, lengths, 1}}, unset_names = {{some, NULL, (size_t)-1}},
              many_names = {{some, NULL, 509}};
    ssa_array array = face_array(data, SSA_FLOAT64, shape, 2, SSA_ROW_MAJOR), negative = array;
    ssa_model_description other_size;
    ssa_options options;
    negative.shape = below;
    ssa_model_description_init(&other_size, sizeof other_size);
    other_size.size = 3;
    ssa_options_init(&options, sizeof options);
    options.address = "127.0.0.1:1";
    if (ssa_client_new(&options, &client) || ssa_batch_new(client, &batch) || ssa_dataset_new("name", 4, &dataset))
        return 2;
    ssa_add_tensor(dataset, "name", 4, &array);
{calls}
    ssa_batch_free(batch);
    ssa_dataset_free(dataset);
    ssa_client_free(client);
    printf("%ld checks\\n", face_state.checks);
    return face_state.failures ? 1 : 0;
}}
"""


@pytest.mark.timeout(300)  # it may compile the core
def test_every_function_refuses_bad_arguments_in_words(builders: dict[str, CBuilder], tmp_path: Path) -> None:
    assert not set(NOT_HERE) - set(FUNCTIONS)
    source = tmp_path / "arguments.c"
    source.write_text(PROGRAM.format(face=FACE / "face.h", calls="\n".join(calls())))
    program = builders["address"].core_program(source)
    done = subprocess.run([program], capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-4000:] + done.stderr
    assert int(done.stdout.split()[-2]) > 3 * len(TRIED)
