"""cyclient/operations.toml against the faces: no row missing, none too many, the same parameters everywhere."""

import builtins
import inspect
import re
import tomllib
from pathlib import Path

import pytest

from ssasync.cyclient import Dataset, blocking, client, errors, future
from ssasync.cyclient.operations import Operations
from tests.cyclient.c_declarations import FACE, Declared, functions_in_c, methods_in_cpp, wanted

TABLE = tomllib.loads((Path(__file__).parents[2] / "cyclient" / "operations.toml").read_text())
OPERATIONS, DATASET = TABLE["operations"], TABLE["dataset"]
STARTED = {name: name.removeprefix("start_") for name in OPERATIONS if name.startswith("start_")}
CLASSES = {"python_async": client.Client, "python_blocking": blocking.Client}
BATCHES = {"python_async": client.Batch, "python_blocking": blocking.Batch}
#: What a batch has beside the operations of a client.
OF_BATCHES_ALONE = {"execute": "carries the batch out"}
#: What a face calls otherwise because its language has a word of its own for it.
NAMES_IN_C = {
    "close": "client_free",
    "describe": "client_describe",
    "statistics": "client_statistics",
    "batch": "batch_new",
}
#: What a batch in C has beside the operations of a client.
OF_BATCHES_IN_C = {"new", "free", "execute", "count", "status", "error"}
#: What an operation takes in a batch alone.
IN_A_BATCH = {"run_model": ["int keep"]}
IN_A_BATCH |= dict.fromkeys(("run_model_multigpu", "run_script", "run_script_multigpu"), IN_A_BATCH["run_model"])
NAMES_IN_CPP = {"close": "Client"}  # its destructor
#: What C has beside the methods of a dataset.
OF_DATASETS_IN_C = {"dataset_free", "dataset_error"}
STUB = (Path(__file__).parents[2] / "cyclient" / "_core.pyi").read_text().partition("class Dataset:")[2].splitlines()


def public_methods(class_):
    return {name for name, value in inspect.getmembers(class_, callable) if not name.startswith("_")}


def spelled(method):
    """Its parameters as the table writes them."""
    names, starred = [], False
    for parameter in list(inspect.signature(method).parameters.values()):
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            names.append(f"*{parameter.name}")
            starred = True
        elif parameter.kind is parameter.VAR_KEYWORD:
            names.append(f"**{parameter.name}")
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not starred:
                names.append("*")
                starred = True
            names.append(parameter.name)
    return names


def has(row, face):
    """Whether the row says that the face has it; any other word than yes gives a reason."""
    said = row.get(face, TABLE["defaults"].get(face))
    assert said is not None, f"no word about {face}"
    if said == "yes":
        return True
    kind, _, reason = said.partition(": ")
    assert kind in ("later", "n/a"), said
    assert len(reason) > 5, said
    return False


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_row_speaks_of_every_face(operation):
    row = OPERATIONS[operation]
    for face in (*TABLE["faces"], "batch"):
        has(row, face)
    assert set(row) <= {*TABLE["faces"], "parameters", "batch", "batch_parameters"}


@pytest.mark.parametrize("face", CLASSES)
def test_a_face_has_what_its_rows_say_and_nothing_else(face):
    assert public_methods(CLASSES[face]) == {name for name, row in OPERATIONS.items() if has(row, face)}


@pytest.mark.parametrize("face", CLASSES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_parameters_are_spelled_alike(face, operation):
    if has(OPERATIONS[operation], face):
        assert spelled(getattr(CLASSES[face], operation)) == OPERATIONS[operation]["parameters"]


@pytest.mark.parametrize("face", BATCHES)
def test_a_batch_has_what_the_rows_say(face):
    rows = {name: row for name, row in OPERATIONS.items() if has(row, "batch")}
    assert public_methods(BATCHES[face]) == {*rows, *OF_BATCHES_ALONE}
    for name, row in rows.items():
        without_timeout = [p for p in row["parameters"] if p != "timeout"]
        if without_timeout[-1:] == ["*"]:
            without_timeout.pop()
        assert spelled(getattr(BATCHES[face], name)) == row.get("batch_parameters", without_timeout)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_defaults_and_results_are_alike(operation):
    methods = [getattr(class_, operation) for face, class_ in CLASSES.items() if has(OPERATIONS[operation], face)]
    described = []
    for method in methods:
        signature = inspect.signature(method)
        defaults = {p.name: p.default for p in signature.parameters.values()}
        described.append(
            (defaults, [str(p.annotation) for p in signature.parameters.values()], signature.return_annotation)
        )
    assert all(each == described[0] for each in described)


def test_only_what_waits_is_awaited():
    at_once = {"batch", "close", "set_data_source", "watch_key", "describe", "statistics"}
    for name, row in OPERATIONS.items():
        if not has(row, "python_async"):
            continue
        method = getattr(client.Client, name)
        is_switch = name.startswith("use_")
        assert inspect.iscoroutinefunction(method) == (name not in at_once and not is_switch)


def public_methods_in_cpp():
    return {*methods_in_cpp("Client"), "Client"}


@pytest.mark.parametrize(
    ("face", "declared", "names"), [("c", functions_in_c, NAMES_IN_C), ("cpp", public_methods_in_cpp, NAMES_IN_CPP)]
)
def test_the_headers_declare_what_the_rows_say(face, declared, names):
    there = declared()
    for name, row in OPERATIONS.items():
        assert (names.get(name, name) in there) == has(row, face), f"{name}: {face}"


def declared_by_rows(face: str) -> list[str]:
    return [name for name, row in OPERATIONS.items() if has(row, face) and name != "close" and name not in STARTED]


@pytest.mark.parametrize("name", declared_by_rows("c"))
def test_a_function_in_c_has_the_parameters_of_its_row(name):
    declared = functions_in_c()[NAMES_IN_C.get(name, name)]
    assert declared.parameters[0] == "ssa_client *client"
    assert Declared(declared.returns, declared.parameters[1:]) == wanted(TABLE, name, OPERATIONS[name], "c")


@pytest.mark.parametrize("name", declared_by_rows("cpp"))
def test_a_method_in_cpp_has_the_parameters_of_its_row(name):
    assert methods_in_cpp("Client")[name] == wanted(TABLE, name, OPERATIONS[name], "cpp")


@pytest.mark.parametrize("of", ["", "_of_dataset"])
@pytest.mark.parametrize("face", ["c", "cpp"])
def test_no_word_about_declarations_is_for_nothing(face, of):
    rows = DATASET if of else OPERATIONS
    assert set(TABLE["declared"][face][f"gives{of}"]) <= set(rows)
    assert set(TABLE["declared"][face][f"exceptions{of}"]) <= set(rows)


# ---- datasets in memory


def name_in_c(name):
    """What C calls a method of a dataset."""
    said = DATASET[name]["c"]
    return said.partition(":")[0].removeprefix("as ") if said.startswith("as ") else name


def test_a_dataset_in_python_has_what_its_rows_say_and_nothing_else():
    rows = {name: row for name, row in DATASET.items() if has(row, "python")}
    assert {name for name in dir(Dataset) if not name.startswith("_")} == set(rows)
    for name in set(rows) - {"name"}:
        declared = next(line for line in STUB if line.startswith(f"    def {name}("))
        assert re.findall(r"(\w+):", declared.partition("->")[0]) == rows[name]["parameters"]


def test_a_dataset_in_c_has_what_its_rows_say_and_nothing_else():
    of_datasets = {
        name: declared
        for name, declared in functions_in_c().items()
        if declared.parameters and declared.parameters[0].endswith("ssa_dataset *dataset")
    }
    named = {name_in_c(name): name for name in DATASET}
    assert set(of_datasets) == {*named, *OF_DATASETS_IN_C}
    for in_c, name in named.items():
        declared = of_datasets[in_c]
        expected = wanted(TABLE, name, DATASET[name], "c", of_dataset=True)
        assert declared.parameters[1:] == expected.parameters, name


def test_a_dataset_in_cpp_has_what_its_rows_say_and_nothing_else():
    declared = methods_in_cpp("Dataset")
    assert set(declared) == set(DATASET)
    for name, row in DATASET.items():
        assert has(row, "cpp")
        assert declared[name] == wanted(TABLE, name, row, "cpp", of_dataset=True), name


# ---- batches


def test_a_batch_in_c_has_the_functions_of_the_client_without_client_and_timeout():
    functions = functions_in_c()
    rows = {name for name, row in OPERATIONS.items() if has(row, "batch") and has(row, "c")}
    assert {name for name in functions if name.startswith("batch_")} == {
        f"batch_{name}" for name in rows | OF_BATCHES_IN_C
    }
    for name in rows:
        client, *parameters, timeout = functions[name].parameters
        assert (client, timeout) == ("ssa_client *client", "double timeout")
        assert functions[f"batch_{name}"].parameters == ["ssa_batch *batch", *parameters, *IN_A_BATCH.get(name, [])]


#: What a method of a batch in C++ has behind the parameters of the client's.
IN_A_BATCH_OF_CPP = {
    "run_model": ["bool keep"],
    "run_model_multigpu": ["bool keep"],
    "run_script": ["bool keep"],
    "run_script_multigpu": ["bool keep"],
    "infer": ["std::size_t most_outputs"],
}
#: The text that it borrows until the batch is carried out, by method: its type refuses a string that is gone before.
LENT_TO_A_BATCH = {
    "put_bytes": "bytes",
    "set_model": "model",
    "set_model_multigpu": "model",
    "set_script": "script",
    "set_script_multigpu": "script",
}


def test_a_batch_in_cpp_has_the_methods_of_the_client_without_timeout():
    methods, of_client = methods_in_cpp("Batch"), methods_in_cpp("Client")
    rows = {name for name, row in OPERATIONS.items() if has(row, "batch") and has(row, "cpp")}
    assert {name for name, declared in methods.items() if declared.returns.startswith("Pending<")} == rows
    for name in rows:
        *parameters, timeout = of_client[name].parameters
        assert timeout == "double timeout"
        lent = f" {LENT_TO_A_BATCH[name]}" if name in LENT_TO_A_BATCH else None
        parameters = [f"LentText{lent}" if lent and each == f"std::string_view{lent}" else each for each in parameters]
        assert methods[name].parameters == [*parameters, *IN_A_BATCH_OF_CPP.get(name, [])]
        assert methods[name].returns == f"Pending<{of_client[name].returns}>"


# ---- what goes on while the program computes


def names_of_futures(face: str) -> set[str]:
    rows = [row[face] for row in TABLE["futures"].values() if not row[face].startswith("n/a: ")]
    return {name for row in rows for name in row.split()}


def test_futures_have_what_the_rows_say():
    public = {f"Future.{name}" for name in vars(future.Future) if not name.startswith("_")}
    assert public | {"wait_any"} == names_of_futures("python_blocking")
    in_c = {f"ssa_{name}" for name in functions_in_c() if name.startswith("future_") or name == "wait_any"}
    assert in_c == names_of_futures("c")
    in_cpp = {f"Future::{name}" for name in methods_in_cpp("Future")}
    assert in_cpp | {"wait_any"} == names_of_futures("cpp")
    assert "> wait_any(" in FACE


def test_what_is_started_takes_in_python_what_the_operation_takes():
    for name, operation in STARTED.items():
        expected = ["batch", "*", "timeout"] if name == "start_batch" else OPERATIONS[operation]["parameters"]
        assert OPERATIONS[name]["parameters"] == expected


def test_what_is_started_takes_in_c_what_the_operation_takes_and_gives_a_future():
    functions = functions_in_c()
    for name, operation in STARTED.items():
        given = ["ssa_batch *batch", "double timeout"]
        if name != "start_batch":
            given = [each for each in functions[operation].parameters if not re.search(r"\*\*|^size_t \*", each)]
        assert functions[name] == Declared("ssa_status", [*given, "ssa_future **future"])


def test_what_is_started_takes_in_cpp_what_the_operation_takes_and_gives_a_future():
    methods = methods_in_cpp("Client")
    for name, operation in STARTED.items():
        if has(OPERATIONS[name], "cpp"):
            assert methods[name] == Declared("Future", methods[operation].parameters)


# ---- docstrings


def test_every_operation_says_what_it_does_and_raises_errors_that_exist():
    methods = [getattr(Operations, name) for name in OPERATIONS if hasattr(Operations, name)]
    methods += [getattr(blocking.Client if name in STARTED else client.Client, name) for name in OPERATIONS]
    methods += [getattr(Dataset, name) for name in DATASET if hasattr(Dataset, name)]
    for method in methods:
        said = inspect.cleandoc(method.__doc__ or "")
        assert said.rstrip().endswith("."), f"{method.__name__}: {said}"
        named = re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", said.partition("Raises")[2])
        assert all(hasattr(errors, name) or hasattr(builtins, name) for name in named), f"{method.__name__}: {named}"
