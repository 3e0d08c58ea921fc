"""Inputs that fuzzing begins with: the test vectors in the form of each target, and what was once found."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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

ADDRESSES = (
    b"127.0.0.1:6379",
    b"node-7.cluster:40112",
    b"tcp://a:1",
    b"[::1]:65535",
    b"[fe80::1%eth0]:1",
    b"unix:///run/ssa/1.sock",
    b"unix:///" + b"x" * 106,
    b"unix:///" + b"x" * 107,
    b"host:0",
    b"host:65536",
    b"a b:1",
    b"::1",
    b"",
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


def address() -> Iterator[bytes]:
    """One byte: how the text is read; two: a port; the text."""
    for text in ADDRESSES:
        yield from (bytes([way, 27, 88]) + text for way in range(3))
    yield bytes([1, 0, 0]) + b" , ".join(ADDRESSES)


def worker_list() -> Iterator[bytes]:
    """The text of a list."""
    worker = b"0123456789abcdef0123456789abcdef %d %s %s\n"
    first, second = worker % (1, b"CPU", b"unix:///run/w.sock,127.0.0.1:40112"), worker % (7, b"GPU:1", b"[::1]:4000")
    for text in (b"1 42\n", b"1 42\n" + first, b"1 9223372036854775807\n" + first + second.replace(b"0", b"f", 4)):
        yield from (text, text[:-1], text.replace(b" ", b"  "), text.replace(b"CPU", b"TPU"), b"2" + text[1:])
    yield b"1 1\n" + worker % (2, b"GPU", b",".join([b"node:1"] * 17))


def metadata() -> Iterator[bytes]:
    """An entry."""
    for *_, entry in read("metadata.tsv"):
        yield bytes.fromhex(entry)


def text_reply(value: object) -> bytes:
    """RESP3 of a nest of lists, dicts, bytes, numbers and None."""
    match value:
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(value), value)
        case int():
            return b":%d\r\n" % value
        case dict():
            return b"%%%d\r\n" % len(value) + b"".join(text_reply(part) for pair in value.items() for part in pair)
        case list():
            return b"*%d\r\n" % len(value) + b"".join(map(text_reply, value))
        case _:
            return b"_\r\n"


def slot_map() -> Iterator[bytes]:
    """First byte: even for a map, whose next three bytes are moved later; odd for the text of a redirection."""
    node = b"07c37dfeb235213a872192d90877d0cd55635b91"
    one = [0, 5460, [b"127.0.0.1", 30001, node, []], [b"127.0.0.1", 30004, node[::-1], []]]
    two = [5461, 10922, [b"", 30002, node[1:] + b"1", {b"hostname": b"b"}]]
    three = [10923, 16383, [None, 30003, node[2:] + b"22", [b"ip", b"::1"]]]
    maps: tuple[list[Any], ...] = (
        [],
        [one],
        [one, two, three],
        [two, [*one[:1], 5462, *one[2:]]],
        [[16383, 0, one[2]]],
        [[0, 16384, one[2]]],
    )
    for number, ranges in enumerate(maps):
        for way in (0, 2, 4):
            yield bytes([way, number, 200, 3]) + text_reply(ranges)
        yield bytes([0, 255, 255, 3]) + text_reply(
            [[*entry[:2], *(part[:2] for part in entry[2:])] for entry in ranges]
        )
    texts = (
        b"MOVED 3999 127.0.0.1:6381",
        b"ASK 16383 ::1:6381",
        b"MOVED 1 :7000",
        b"ASK 5 node.example:1 more",
        b"MOVED 16384 a:1",
    )
    for text in (*texts, b"MOVED", b"ASK ", b"MOVEDX 1 a:1", b"ERR no", b"MOVED -1 a:1", b"MOVED 1 a:99999"):
        yield from (bytes([way]) + text for way in (1, 3, 5))


def dataset() -> Iterator[bytes]:
    """A reply to HGETALL."""
    entries = {row[0]: bytes.fromhex(row[-1]) for row in read("metadata.tsv")}
    names = entries["string"]
    hidden = {b".tensor_names": entries["string_no_values"], b".bytes_names": entries["string_no_values"]}
    complete = {b".version": b"0" * 32, b".COMPLETE": b"1"}
    for name, entry in entries.items():
        yield text_reply({**hidden, name.encode(): entry, **complete})
        yield text_reply({**hidden, b".tensor_names": entry, b"field": entries["int64"], **complete})
    one = b"\x10" + (4).to_bytes(8, "little") + b"wind"
    for fields in (
        {**hidden, b".tensor_names": one, b".bytes_names": one.replace(b"wind", b"rain"), **complete},
        {**hidden, b".tensor_names": one, b".bytes_names": one, **complete},
        {**hidden, b".tensor_names": one + one[1:], **complete},
        {
            **hidden,
            b".bytes_names": names,
            b".later": b"x",
            b"a": entries["bool"],
            b"b": entries["float32"],
            **complete,
        },
        {**hidden, b"a": entries["int64"]},
        complete,
        {},
    ):
        reply = text_reply(fields)
        yield reply
        yield b"*%d" % (2 * len(fields)) + reply[reply.index(b"\r") :]
    pairs = [part for pair in ({**hidden, **complete, b"a": entries["int64"]}).items() for part in pair]
    yield text_reply([*pairs, *pairs[-2:]])
    yield text_reply([*pairs, *pairs[:2]])


def settings() -> Iterator[bytes]:
    """First byte: what is given; lines of the environment, `@`, lines of the file."""
    every = b"SSDB=unix:///run/1.sock,node:6379\nSSDB_USER=reader\nSSDB_SOCKETS=/run/s\nSSKEYOUT=ens_3\nSSKEYIN=ens_3,ens_4,\n"
    every += b"SR_DB_TYPE=CLUSTERED\nSSA_TIMEOUT=2.5\nSSA_VALUE_LIMIT=536870912\nSSA_TRUST_TOPOLOGY=1\n"
    every += b"SSA_BULK_CONNECTION=0\nSSA_KEEP_BYTES=0\nSSA_LOG_LEVEL=Debug\nSSA_LOG_FILE=x.log\n"
    tls = b"SSA_TLS=1\nSSA_TLS_CA=ca\nSSA_TLS_CERT=cert\nSSA_TLS_KEY=key\nSSA_TLS_NAME=name\n"
    wrong = b"SSDB=nonsense\nSSKEYOUT={\nSR_DB_TYPE=?\nSSA_TIMEOUT=soon\nSSA_VALUE_LIMIT=-1\nSSA_TLS=2\nSSA_LOG_LEVEL=loud\n"
    file = b"SSDB=a:1\nSSDB_USER=u\nSSDB_PASSWORD=p\n# c\n\nSSDB_SOCKETS=/s\n"
    suffixed = b"SSDB_b=c:3\nSSKEYIN_b=x\nSSKEYOUT=all\n"
    for text in (
        every,
        every + tls,
        wrong,
        b"@\n" + file,
        suffixed + b"@\n" + file,
        b"SSDB=a:1\nSSA_TIMEOUT=1e400\n@\nnonsense\n",
    ):
        yield from (bytes([choice]) + text for choice in (0, 1, 4, 65, 129, 198))


def request_parser() -> Iterator[bytes]:
    """First byte: whether it is a chain, and how many strings are announced; the words, a line each."""
    run = b"7 2 60000 closure  V 3 T t K ens_0.u T t"
    chain = b"7 2 60000 3 prepare split 2 T t K ens_0.u closure  V 9 1 O 0 1 prepare join 3 O 1 0 O 0 1 T t "
    chain += b"OUTPUTS 3 2 0 0 1 2 0"
    wrong = (
        b"7 0 1 m f",
        b"7 1 18446744073709551616 m f",
        b"7 1 1 m f X",
        b"7 1 1 m f V 0",
        b"7 1 1 65 m f 0",
        b"7 1 1 2 m f 1 O 0 0 n g 0 OUTPUTS 1 1 0",
        b"7 1 1 1 m f 0 OUTPUTS 1 0 256",
        b"7 1 1 1 m f 9 T t OUTPUTS 1 0 0",
        b"7 1 1 1 m f 0 OUTPUTS 0",
    )
    for choice in (0, 1, 2, 6, 7, 5):
        yield from (bytes([choice]) + words.replace(b" ", b"\n") for words in (run, chain, *wrong))


TARGETS: dict[str, Callable[[], Iterator[bytes]]] = {
    "address": address,
    "connection": connection,
    "dataset": dataset,
    "metadata": metadata,
    "request_parser": request_parser,
    "resp_reader": resp_reader,
    "settings": settings,
    "slot_map": slot_map,
    "tensor_header": tensor_header,
    "worker_list": worker_list,
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
