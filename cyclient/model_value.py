"""A model as it is stored: one version's bytes and metadata (WIRE.md, "Model"), checked before they are sent."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ssasync.cyclient import _core
from ssasync.cyclient.errors import BadModel, InvalidArgument
from ssasync.cyclient.key_names import ModelKeys

BACKENDS = ("TORCH",)
_DEVICE = re.compile(r"(CPU|GPU)(:\d+)?")


@dataclass(frozen=True, slots=True)
class ModelValue:
    """One version of a model.

    blob               the bytes of the model, in the backend's own format
    backend            "TORCH": a TorchScript archive
    device             "CPU", "GPU" or "GPU:<n>"
    batch_size         most rows (first dimension) in one call; 0 or 1: requests are never joined
    min_batch_size     rows worth waiting for; 0: do not wait
    min_batch_timeout  milliseconds to wait for them at most
    """

    blob: bytes
    backend: str
    device: str = "CPU"
    batch_size: int = 0
    min_batch_size: int = 0
    min_batch_timeout: int = 0

    @classmethod
    def checked(
        cls,
        name: str,
        model: bytes,
        backend: str,
        device: str,
        batch_size: int,
        min_batch_size: int,
        min_batch_timeout: int,
    ) -> ModelValue:
        """The value, if all that can be told without loading the model is right. Raises InvalidArgument, BadModel."""
        if not isinstance(model, bytes | bytearray | memoryview):
            raise TypeError(f"model must be bytes, not {type(model).__name__}; serialise it first (torch.jit.save)")
        blob = bytes(model)
        if backend.upper() not in BACKENDS:
            raise InvalidArgument("backend", repr(backend), f"known ones are: {', '.join(BACKENDS)}")
        if not _DEVICE.fullmatch(device.upper()):
            raise InvalidArgument("device", repr(device), "write CPU, GPU or GPU:<n>")
        for what, number in (
            ("batch_size", batch_size),
            ("min_batch_size", min_batch_size),
            ("min_batch_timeout", min_batch_timeout),
        ):
            if number < 0:
                raise InvalidArgument(what, number, "it counts from 0")
        if min_batch_size and (not batch_size or min_batch_size > batch_size):
            raise InvalidArgument(
                "min_batch_size", min_batch_size, f"give a batch_size of at least that, not {batch_size}"
            )
        if bool(min_batch_size) != bool(min_batch_timeout):
            raise InvalidArgument(
                "min_batch_timeout", min_batch_timeout, "it goes together with min_batch_size: give both or none"
            )
        check_archive(name, "the bytes given", blob)
        return cls(blob, backend.upper(), device.upper(), batch_size, min_batch_size, min_batch_timeout)

    def metadata(self) -> list[bytes]:
        """Fields and values for HSET, in turn."""
        fields = {
            "backend": self.backend,
            "device": self.device,
            "batch_size": self.batch_size,
            "min_batch_size": self.min_batch_size,
            "min_batch_timeout": self.min_batch_timeout,
            "sha256": hashlib.sha256(self.blob).hexdigest(),
        }
        return [part.encode() for item in fields.items() for part in (item[0], str(item[1]))]

    def storing_command(self, core: _core.Connection, name: str, keys: ModelKeys, version: int) -> _core.Command:
        """Queue one transaction: blob, metadata and, last, `current`; the version before the last one goes.

        The blob is borrowed until the command is done or abandoned.
        """
        new, old = str(version), str(version - 2)
        return core.transaction(
            name,
            ("SET", keys.blob(new), self.blob),
            ("HSET", keys.metadata(new), *self.metadata()),
            ("SET", keys.current, new),
            ("UNLINK", keys.blob(old), keys.metadata(old)),
        )


def metadata_from_reply(reply: Mapping[bytes, bytes]) -> dict[str, str]:
    """HGETALL's reply as text."""
    return {field.decode(): value.decode() for field, value in reply.items()}


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
