"""Inputs that fuzzing begins with: the test vectors in the form of each target, and what was once found."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cyclient.write_test_vectors import read

HERE = Path(__file__).parent

STREAMS = (
    b"+OK\r\n:42\r\n-ERR no\r\n_\r\n$-1\r\n*-1\r\n#t\r\n#f\r\n,3.25\r\n,-inf\r\n,nan\r\n(1234567890123456789012\r\n",
    b"$5\r\nhello\r\n=7\r\ntxt:abc\r\n!5\r\nERR x\r\n$0\r\n\r\n",
    b"*3\r\n:1\r\n$3\r\nfoo\r\n*2\r\n+a\r\n+b\r\n%2\r\n+k\r\n:1\r\n+l\r\n~1\r\n:2\r\n",
    b"|1\r\n+ttl\r\n:9\r\n$2\r\nhi\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
    b"%4611686018427387905\r\n",  # twice as many elements do not fit in 63 bits
    b"%9223372036854775807\r\n",
    b"*9223372036854775808\r\n",
    b"$18446744073709551617\r\n",
    b":-9223372036854775808\r\n:9223372036854775808\r\n",
    b"*1\r\n" * 40,
    b"+" + b"x" * 5000 + b"\r\n",
    b"(" + b"9" * 4096 + b"\r\n",
    b"$4000\r\n" + b"y" * 4000 + b"\r\n$3\r\nabcd\r\n",
)


def streams() -> list[bytes]:
    return [*STREAMS, *(bytes.fromhex(data) for _, data in read("messages.tsv"))]


def resp_reader() -> Iterator[bytes]:
    """First byte: limits and buffer; two of pieces; the stream."""
    for stream in streams():
        for choice in (0, 1, 7, 24, 49):
            yield bytes([choice, 17, choice]) + stream


def tensor_header() -> Iterator[bytes]:
    """First byte 1: the value's length is that of what follows the next eight bytes; 0: these say it."""
    for name, *_, value in read("tensors.tsv") + read("refused.tsv"):
        data = bytes.fromhex(value)
        yield bytes([1]) + bytes(8) + data
        yield bytes([0]) + (len(data) + len(name)).to_bytes(8, "big") + data[:64]


def connection() -> Iterator[bytes]:
    """Lists of steps: random ones, for what a step means depends on all before it; garbage from the streams."""
    chance = random.Random(5)
    for i in range(64):
        yield bytes([i % 16]) + chance.randbytes(chance.choice((40, 200, 700, 1500)))
    for stream in streams():
        # Queue, send, let the peer read; then this as an answer; a round.
        yield bytes([12, 0, 0, 10, 3, 5, 14, 0, len(stream) % 256]) + stream[:255] + bytes([15, 9, 15, 9])


TARGETS: dict[str, Callable[[], Iterator[bytes]]] = {
    "connection": connection,
    "resp_reader": resp_reader,
    "tensor_header": tensor_header,
}


def write_seeds(target: str, folder: Path) -> list[Path]:
    """Write the seeds of a target as files and return them, with those that were found by fuzzing."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, data in enumerate(TARGETS[target]()):
        path = folder / f"seed-{number:03}"
        path.write_bytes(data)
        paths.append(path)
    return paths + sorted((HERE / "found" / target).glob("*"))
