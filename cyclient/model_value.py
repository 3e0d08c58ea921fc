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
    A function is stored as its source, without its decorators, and is compiled by TorchScript in the worker: it sees nothing
    of the module in which it is defined.
    """
    if isinstance(script, str):
        check_syntax(name, script)
        return script.encode()
    if not callable(script):
        raise WrongType("script", script, "give its text, or a function")
    try:
        source = textwrap.dedent(inspect.getsource(script))
    except (OSError, TypeError):
        raise InvalidArgument(
            "function", repr(script), f"its source cannot be found; pass script {name!r} as text (set_script)"
        ) from None
    start = source.find("def ")
    if start < 0:
        raise InvalidArgument("function", repr(script), "it is no def; write one, or pass the text (set_script)")
    return source[start:].encode()


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
