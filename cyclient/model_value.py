"""What is stored of a model or script: its bytes, checked before they are sent (WIRE.md, "Model", "Script")."""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ssasync.cyclient.errors import BadModel, InvalidArgument, WrongType


def model_bytes(name: str, model: bytes, backend: str) -> bytes:
    """The bytes of a model, if all that can be told without loading it is right. Raises WrongType, BadModel."""
    if not isinstance(model, bytes | bytearray | memoryview):
        raise WrongType("model", model, "serialise it first (torch.jit.save) and give the bytes")
    if not isinstance(backend, str):
        raise WrongType("backend", backend, "give a str")
    blob = bytes(model)
    if backend.upper() == "TORCH":
        check_archive(name, "the bytes given", blob)
    return blob


def script_bytes(name: str, script: str | Callable[..., Any]) -> bytes:
    """The source of a script: text, or a function whose source can be found. Raises WrongType, InvalidArgument.

    A text must be Python as far as its syntax goes.
    A function must be a plain one: `def`, no method, class or lambda, not async. It is stored as its source, without its
    decorators, and is compiled by TorchScript in the worker: it sees nothing of the module in which it is defined.
    """
    if isinstance(script, str):
        check_syntax(name, script)
        return script.encode()
    if not callable(script):
        raise WrongType("script", script, "give its text, or a function")
    return _function_source(name, script).encode()


def _function_source(name: str, function: Callable[..., Any]) -> str:
    """The text of a `def`, from that word on. Raises InvalidArgument."""
    inner = inspect.unwrap(function)
    if inspect.ismethod(inner) or not inspect.isfunction(inner):
        kind = "class" if inspect.isclass(inner) else "method" if inspect.ismethod(inner) else type(inner).__name__
        raise _no_function(name, function, f"it is a {kind}")
    try:
        source = textwrap.dedent(inspect.getsource(inner))
        statements = ast.parse(source).body
    except (OSError, TypeError, SyntaxError):  # the last: what stands around it is part of its lines
        raise _no_function(name, function, "its source cannot be found") from None
    definition = statements[0]
    if inner.__name__ == "<lambda>" or len(statements) != 1 or not isinstance(definition, ast.FunctionDef):
        kind = (
            "a lambda" if inner.__name__ == "<lambda>" else "async" if inspect.iscoroutinefunction(inner) else "no def"
        )
        raise _no_function(name, function, f"it is {kind}")
    class_, _, _ = inner.__qualname__.rpartition(".")
    is_static = any(ast.unparse(decorator) == "staticmethod" for decorator in definition.decorator_list)
    if class_ and not class_.endswith("<locals>") and not is_static:
        raise _no_function(name, function, f"it is a method of {class_}")
    return "\n".join(source.split("\n")[definition.lineno - 1 :])


def _no_function(name: str, function: Callable[..., Any], why: str) -> InvalidArgument:
    remedy = f"{why}. Give a plain function (def), or its text: set_script({name!r}, text)"
    return InvalidArgument("function", repr(function), remedy)


def check_syntax(name: str, script: str) -> None:
    """Refuse what is not Python: the worker would refuse it too, at the first run. Raises InvalidArgument."""
    try:
        ast.parse(textwrap.dedent(script), f"<script {name!r}>")
    except SyntaxError as error:
        line = (error.text or "").strip()
        where = f"line {error.lineno}" + (f" ({line!r})" if line else "")
        raise InvalidArgument(f"script {name!r}", "stored", f"{where}: {error.msg}") from None
    except ValueError as error:  # NUL
        raise InvalidArgument(f"script {name!r}", "stored", str(error)) from None


def read_model_file(name: str, path: str | Path) -> bytes:
    """The bytes of a model file. Raises BadModel, or the OSError that names the file."""
    try:
        blob = Path(path).read_bytes()
    except OSError as error:
        raise type(error)(error.errno, f"model {name!r} cannot be read: {error.strerror}", str(path)) from None
    check_archive(name, str(path), blob)
    return blob


def read_script_file(name: str, path: str | Path) -> str:
    """The text of a script file. Raises InvalidArgument, or the OSError that names the file."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of {path}"
        raise InvalidArgument(
            f"script {name!r}", "stored", f"{where} is not UTF-8; write the file anew in it"
        ) from None


def check_archive(name: str, where: str, blob: bytes) -> None:
    """Refuse what cannot be TorchScript: a zip file with a folder of code in it. Raises BadModel."""
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            parts = {entry.split("/")[1] for entry in archive.namelist() if "/" in entry}
    except zipfile.BadZipFile:
        what = f"{len(blob)} bytes that begin with {blob[:16]!r}" if blob else "nothing"
        raise BadModel(name, where, f"{what}: no TorchScript archive, as torch.jit.save writes it") from None
    if "code" not in parts:
        what = (
            "weights or a pickled object, as torch.save writes them"
            if "data.pkl" in parts
            else "a zip file without code"
        )
        raise BadModel(name, where, f"{what}; store a program: torch.jit.save(torch.jit.script(model), file)")
