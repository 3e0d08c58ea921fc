"""The text of the list of workers."""

import pytest

from ssasync.cyclient.errors import BadWorkerList
from ssasync.cyclient.worker_list import WorkerEntry, WorkerList, new_worker_id

FIRST = WorkerEntry("0123456789abcdef0123456789abcdef", 1, "CPU", ("unix:///run/w.sock", "127.0.0.1:40112"))
SECOND = WorkerEntry("f" * 32, 7, "GPU:1", ("node07:4000",))


def test_the_text_is_as_wire_md_says() -> None:
    workers = WorkerList().with_worker(FIRST).with_worker(SECOND)
    assert workers.encode() == (
        b"1 2\n"
        b"0123456789abcdef0123456789abcdef 1 CPU unix:///run/w.sock,127.0.0.1:40112\n"
        b"ffffffffffffffffffffffffffffffff 7 GPU:1 node07:4000\n"
    )
    assert WorkerList.decode(workers.encode()) == workers
    assert WorkerList.decode(WorkerList().encode()) == WorkerList()


def test_every_change_and_only_a_change_makes_a_new_version() -> None:
    one = WorkerList().with_worker(FIRST)
    assert one.without_worker(SECOND.worker_id) is one
    assert one.without_worker(FIRST.worker_id) == WorkerList(version=2)
    assert one.with_worker(FIRST) == WorkerList(version=2, workers=(FIRST,))


def test_ids_are_new_every_time() -> None:
    assert len({new_worker_id() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "first line is ''"),
        (b"2 1\n", "first line is '2 1'"),
        (b"1 x\n", "first line is '1 x'"),
        (b"\xff\xfe", "not text"),
        (b"1 1\nabc 1 CPU h:1\n", "worker id 'abc'"),
        (b"1 1\n" + b"a" * 32 + b" 0 CPU h:1\n", "incarnation 0"),
        (b"1 1\n" + b"a" * 32 + b" 1 TPU h:1\n", "device 'TPU'"),
        (b"1 1\n" + b"a" * 32 + b" 1 CPU nowhere\n", "address 'nowhere'"),
        (b"1 1\n" + b"a" * 32 + b" 1 CPU\n", "is not '<worker id>"),
        (b"1 1\n" + b"a" * 32 + b" x CPU h:1\n", "is not '<worker id>"),
    ],
)
def test_what_is_not_a_list_is_refused_and_quoted(text: bytes, says: str) -> None:
    with pytest.raises(BadWorkerList, match=says):
        WorkerList.decode(text)


def test_a_worker_without_an_address_is_refused() -> None:
    with pytest.raises(BadWorkerList, match="has no address"):
        WorkerEntry("a" * 32, 1, "CPU", ())


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:6379", "node-07.cluster:1", "tcp://a:65535", "[::1]:6379", "[fe80::1%eth0]:6379", "unix:///tmp/s.sock"],
)
def test_an_address_is_kept_as_it_is(address: str) -> None:
    workers = WorkerList().with_worker(WorkerEntry("a" * 32, 1, "CPU", (address, "b:1")))
    assert WorkerList.decode(workers.encode()).workers[0].addresses == (address, "b:1")


@pytest.mark.parametrize(
    "address",
    ["", "localhost", ":6379", "a:", "a:0", "a:65536", "a:b", "::1:6379", "unix://", "http://a:1", "a b:1", "a:1/0",
     "unix:///tmp/a b", "unix:///tmp/a,b", "a:1\n"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadWorkerList, match="is no unix:///path and no host:port"):
        WorkerEntry("a" * 32, 1, "CPU", (address,))
