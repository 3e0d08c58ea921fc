"""A client of model workers on a plain socket, written from cyclient/WIRE.md alone: the other opinion of the tests."""

import hashlib
import hmac
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CODES = {"?": 1, "i1": 2, "i2": 3, "i4": 4, "i8": 5, "u1": 6, "u2": 7, "u4": 8, "u8": 9, "f2": 10, "f4": 11, "f8": 12}
CODES |= {"c8": 14, "c16": 15}
DTYPES = {code: "<" + text if text != "?" else "?" for text, code in CODES.items()}
DEADLINE = 30.0

#: Of a step of a chain: a tensor, a key, or (step, output).
Input = np.ndarray | str | tuple[int, int]


class ReplyError(Exception):
    """An error in a reply: `-CODE text`."""

    @property
    def code(self) -> str:
        return str(self).split(" ", 1)[0]


class Closed(Exception):
    """The worker closed the connection."""


@dataclass
class Reply:
    id: int
    version: str = ""
    outputs: list[np.ndarray] = field(default_factory=list)
    error: ReplyError | None = None


@dataclass
class Alive:
    id: int
    place: int


def encode_tensor(array: np.ndarray) -> bytes:
    column_major = not array.flags.c_contiguous and array.flags.f_contiguous
    code = CODES[array.dtype.str[1:] if array.dtype.kind != "b" else "?"]
    size = -(-(24 + 8 * array.ndim) // 64) * 64
    header = b"SSAT" + bytes([1, code, array.ndim, int(column_major)])
    header += struct.pack("<IIQ", size, array.itemsize, array.nbytes) + struct.pack(f"<{array.ndim}Q", *array.shape)
    return header.ljust(size, b"\0") + array.tobytes("F" if column_major else "C")


def decode_tensor(value: bytes) -> np.ndarray:
    assert value[:5] == b"SSAT\1"
    code, ndim, order = value[5], value[6], value[7]
    offset, itemsize, nbytes = struct.unpack_from("<IIQ", value, 8)
    shape = struct.unpack_from(f"<{ndim}Q", value, 24)
    dtype = np.dtype(DTYPES[code])
    assert itemsize == dtype.itemsize
    assert len(value) == offset + nbytes
    return np.frombuffer(value, dtype, offset=offset).reshape(shape, order="F" if order else "C")


def encode_request(*parts: bytes | str | int) -> bytes:
    encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in encoded)


class WireClient:
    """One connection; blocking, every wait has a deadline."""

    def __init__(self, address: str | tuple[str, int], worker_id: str, secret: bytes, *, prove: bool = True) -> None:
        self.worker_id = worker_id.encode()
        self.secret = secret
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")
        if prove:
            self.prove()

    def __enter__(self) -> "WireClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def proof(self, role: str, client_nonce: bytes, worker_nonce: bytes) -> bytes:
        text = f"ssasync worker 1 {role}\0".encode() + client_nonce + worker_nonce + self.worker_id
        return hmac.new(self.secret, text, hashlib.sha256).digest()

    def hello(self) -> tuple[bytes, list[Any]]:
        nonce = os.urandom(32)
        self.send(encode_request("SSA.HELLO", 1, self.worker_id, nonce))
        return nonce, self.read()

    def prove(self) -> None:
        nonce, (label, worker_id, worker_nonce, proof) = self.hello()
        assert label == b"SSA.CHALLENGE"
        assert worker_id == self.worker_id
        assert proof == self.proof("worker", nonce, worker_nonce)
        self.send(encode_request("SSA.PROOF", self.proof("client", nonce, worker_nonce)))
        assert self.read() == "OK"

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> bytes:
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Closed
        return line[:-2]

    def read(self) -> Any:
        """The next value; an error in a reply is returned, one alone is raised."""
        value = self.value()
        if isinstance(value, ReplyError):
            raise value
        return value

    def value(self) -> Any:
        line = self.line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            body = self.file.read(int(rest) + 2)
            assert body.endswith(b"\r\n")
            return body[:-2]
        if kind == b"*":
            return [self.value() for _ in range(int(rest))]
        if kind == b">":
            label, *numbers = [self.value() for _ in range(int(rest))]
            assert label == "alive"
            return Alive(*numbers)
        raise AssertionError(f"not RESP: {line!r}")

    def request(
        self,
        id_: int,
        model: str,
        *inputs: np.ndarray | str,
        timeout_ms: int = 30_000,
        function: str = "",
        attempt: int = 1,
        least_version: int = 0,
    ) -> bytes:
        parts: list[bytes | str | int] = ["SSA.RUN", id_, attempt, timeout_ms, model, function]
        if least_version:
            parts += ["V", least_version]
        for each in inputs:
            parts += ["K", each] if isinstance(each, str) else ["T", encode_tensor(each)]
        return encode_request(*parts)

    def chain_request(
        self,
        id_: int,
        steps: Sequence[tuple[str, str, Sequence[Input]]],
        outputs: Sequence[tuple[int, int]],
        timeout_ms: int = 30_000,
        attempt: int = 1,
        least_version: int = 0,
    ) -> bytes:
        """steps: model, function and inputs of each; (step, output) stands for an output of an earlier one."""
        parts: list[bytes | str | int] = ["SSA.CHAIN", id_, attempt, timeout_ms, len(steps)]
        for model, function, inputs in steps:
            parts += [model, function, *(["V", least_version] if least_version else []), len(inputs)]
            for each in inputs:
                if isinstance(each, tuple):
                    parts += ["O", *each]
                else:
                    parts += ["K", each] if isinstance(each, str) else ["T", encode_tensor(each)]
        parts += ["OUTPUTS", len(outputs), *(number for output in outputs for number in output)]
        return encode_request(*parts)

    def chain(
        self, steps: Sequence[tuple[str, str, Sequence[Input]]], outputs: Sequence[tuple[int, int]], **options: Any
    ) -> Reply:
        self.send(self.chain_request(1, steps, outputs, **options))
        reply = self.answer()
        assert reply.id == 1
        if reply.error:
            raise reply.error
        return reply

    def run_nowait(self, id_: int, model: str, *inputs: np.ndarray | str, **options: Any) -> None:
        self.send(self.request(id_, model, *inputs, **options))

    def reply(self) -> Reply | Alive:
        value = self.read()
        if isinstance(value, Alive):
            return value
        if isinstance(value[1], ReplyError):
            return Reply(value[0], error=value[1])
        return Reply(value[0], value[1].decode(), [decode_tensor(each) for each in value[2:]])

    def answer(self) -> Reply:
        """The next reply that is not a sign of life."""
        while isinstance(reply := self.reply(), Alive):
            pass
        return reply

    def run(self, model: str, *inputs: np.ndarray | str, id_: int = 1, **options: Any) -> list[np.ndarray]:
        self.run_nowait(id_, model, *inputs, **options)
        reply = self.answer()
        assert reply.id == id_
        if reply.error:
            raise reply.error
        return reply.outputs

    def ping(self) -> None:
        self.send(encode_request("PING"))
        assert self.read() == "PONG"
