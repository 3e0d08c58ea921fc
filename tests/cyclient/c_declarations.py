"""What the headers for C and C++ declare, and what rows of cyclient/operations.toml say that they should."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INCLUDE = Path(__file__).parents[2] / "cyclient" / "include"
LIBRARY = (INCLUDE / "ssasync.h").read_text()
FACE = "\n".join(path.read_text() for path in sorted(INCLUDE.rglob("*.hpp")))
METHOD = re.compile(
    r"^    (?:template <class T> )?(?!return |throw )([A-Za-z][\w:<>, ]*?) (\w+)"  # what it returns, its name
    r"\(((?:[^()]|\(\))*)\)(?: const)?(?: &)?(?: noexcept)?(?: \{|;)",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Declared:
    """A function: what it returns and its parameters, blanks made one, without default values."""

    returns: str
    parameters: list[str]


def _split(parameters: str) -> list[str]:
    """At the commas outside <>, without defaults."""
    parts = re.split(r",(?![^<]*>)", parameters)
    return [" ".join(part.split("=")[0].split()) for part in parts if part.strip()]


def functions_in_c() -> dict[str, Declared]:
    """Those of ssasync.h, without the prefix ssa_ of their names."""
    found = re.findall(r"^SSA_API ([^;(]*?)\bssa_(\w+)\(([^;]*)\);", LIBRARY, re.MULTILINE)
    return {name: Declared(returns.strip(), _split(parameters)) for returns, name, parameters in found}


def methods_in_cpp(class_: str) -> dict[str, Declared]:
    """The public methods of a class of the headers for C++; of those of one name the first."""
    text = FACE[FACE.index(f"\nclass {class_} {{") :]
    found = [each for each in METHOD.findall(text[: text.index("\nprivate:")]) if each[0] != "explicit"]
    return {name: Declared(returns, _split(parameters)) for returns, name, parameters in reversed(found)}


def wanted(table: dict[str, Any], name: str, row: dict[str, Any], face: str, of_dataset: bool = False) -> Declared:
    """How a face is to declare the operation of a row; in C without the handle."""
    spelled, suffix = table["declared"][face], "_of_dataset" if of_dataset else ""
    exception, reason = spelled[f"exceptions{suffix}"].get(name, (None, "no exception"))
    assert len(reason) > 5, f"{name}: why?"
    if exception is None:
        exception = ", ".join(filter(None, (_spelled(spelled, each, face) for each in _given(row))))
    parameters = _split(exception)
    gives = spelled[f"gives{suffix}"].get(name, "void" if face == "cpp" else "")
    if face == "c":
        parameters += _split(gives)
    if "timeout" in row["parameters"] or "**options" in row["parameters"]:
        parameters.append(spelled["parameters"]["timeout"])
    return Declared(gives if face == "cpp" else "ssa_status", parameters)


def _given(row: dict[str, Any]) -> list[str]:
    return [each for each in row["parameters"] if each not in ("*", "timeout")]


def _spelled(spelled: dict[str, Any], parameter: str, face: str) -> str:
    text = f"const char *{parameter}, size_t {parameter}_bytes" if face == "c" else f"std::string_view {parameter}"
    return str(spelled["parameters"].get(parameter, text))
