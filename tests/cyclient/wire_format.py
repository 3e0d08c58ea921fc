"""Tensors, requests and proofs in plain Python, written from cyclient/WIRE.md alone: the other opinion of the tests."""

import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

CODES = {
    "bool": 1, "int8": 2, "int16": 3, "int32": 4, "int64": 5, "uint8": 6, "uint16": 7, "uint32": 8, "uint64": 9,
    "float16": 10, "float32": 11, "float64": 12, "bfloat16": 13, "complex64": 14, "complex128": 15,
}  # fmt: skip
NAMES = {code: name for name, code in CODES.items()}


def encode_tensor(array: np.ndarray[Any, Any], *, column_major: bool | None = None) -> bytes:
    """`column_major`: None for what the layout of the array says."""
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    if column_major is None:
        column_major = array.flags.f_contiguous and not array.flags.c_contiguous
    code = {"S": 16, "U": 17}.get(array.dtype.kind) or CODES[array.dtype.name]
    return encode_header(code, array.itemsize, array.shape, column_major) + array.tobytes("F" if column_major else "C")


def encode_header(code: int, itemsize: int, shape: tuple[int, ...], column_major: bool = False) -> bytes:
    offset = -(-(24 + 8 * len(shape)) // 64) * 64
    count = 1
    for extent in shape:
        count *= extent
    head = b"SSAT" + bytes([1, code, len(shape), int(column_major)])
    head += struct.pack("<IIQ", offset, itemsize, count * itemsize) + struct.pack(f"<{len(shape)}Q", *shape)
    return head.ljust(offset, b"\0")


def decode_tensor(value: bytes) -> np.ndarray[Any, Any]:
    """The array of a value that is known to be right."""
    assert value[:5] == b"SSAT\1"
    code, ndim, order = value[5:8]
    offset, itemsize, size = struct.unpack_from("<IIQ", value, 8)
    shape = struct.unpack_from(f"<{ndim}Q", value, 24)
    assert len(value) == offset + size
    dtype = np.dtype({16: f"S{itemsize}", 17: f"<U{itemsize // 4}"}.get(code) or NAMES[code]).newbyteorder("<")
    return np.frombuffer(value, dtype, offset=offset).reshape(shape, order="F" if order else "C")


METADATA = {"bool": "?", "int32": "i", "int64": "q", "uint32": "I", "uint64": "Q", "float32": "f", "float64": "d"}


def encode_metadata(kind: str, values: Sequence[Any]) -> bytes:
    """The entry of these values: strings, or scalars of a type."""
    if kind == "string":
        texts = [value.encode() for value in values]
        return bytes([16]) + b"".join(struct.pack("<Q", len(text)) + text for text in texts)
    return bytes([CODES[kind]]) + struct.pack(f"<{len(values)}{METADATA[kind]}", *values)


def proof(role: str, secret: bytes, worker_id: bytes, client_nonce: bytes, worker_nonce: bytes) -> bytes:
    text = f"ssasync worker 1 {role}\0".encode() + client_nonce + worker_nonce + worker_id
    return hmac.new(secret, text, hashlib.sha256).digest()


def encode_request(*parts: bytes | str | int) -> bytes:
    encoded = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(encoded) + b"".join(map(bulk, encoded))


def bulk(body: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(body), body)


def read_request(read_line: Callable[[], bytes], read: Callable[[int], bytes]) -> list[bytes]:
    """One array of strings. Raises EOFError when the other side has closed."""

    def number(kind: bytes) -> int:
        line = read_line()
        if not line:
            raise EOFError
        assert line[:1] == kind, line
        assert line.endswith(b"\r\n"), line
        return int(line[1:-2])

    parts = []
    for _ in range(number(b"*")):
        size = number(b"$")
        body = read(size + 2)
        if len(body) < size + 2:
            raise EOFError
        parts.append(body[:-2])
    return parts
