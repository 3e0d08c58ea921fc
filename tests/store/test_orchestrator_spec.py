"""What of a store's settings cannot work."""

import socket
from pathlib import Path

import pytest

from ssasync.store.errors import InvalidOrchestrator
from ssasync.store.memory_size import default_maxmemory, memory_of_machine
from ssasync.store.orchestrator_spec import OrchestratorSpec, check_orchestrator


def test_the_defaults_work(tmp_path: Path) -> None:
    checked = check_orchestrator(OrchestratorSpec(tmp_path))
    assert (checked.host, checked.devices, checked.engine.kind) == ("127.0.0.1", ("CPU",), "valkey")
    assert checked.maxmemory == default_maxmemory(memory_of_machine())


def test_workers_are_counted_or_named(tmp_path: Path) -> None:
    assert check_orchestrator(OrchestratorSpec(tmp_path, workers=3)).devices == ("CPU",) * 3
    assert check_orchestrator(OrchestratorSpec(tmp_path, workers=0)).devices == ()
    assert check_orchestrator(OrchestratorSpec(tmp_path, workers=("CPU", "CPU"))).devices == ("CPU", "CPU")


def test_all_mistakes_are_told_at_once() -> None:
    spec = OrchestratorSpec(
        log_directory=Path("/no/such/folder"),
        name="not-a-variable",
        shards=3,
        engine="no-such-server",
        port=70000,
        interface="ib77",
        maxmemory="plenty",
        workers=("CPU", "TPU"),
        worker_threads=0,
        durability="maybe",
        grace=-1.0,
        orphan_timeout=0.0,
        io_threads=0,
    )
    with pytest.raises(InvalidOrchestrator) as refusal:
        check_orchestrator(spec)
    assert len(refusal.value.mistakes) == 13
    for word in (
        "'/no/such/folder'",
        "name='not-a-variable'",
        "shards=3: clusters are not yet supported",
        "'no-such-server' on PATH",
        "port=70000",
        "interface 'ib77'",
        "maxmemory='plenty'",
        "'TPU': this version runs models on the CPU only",
        "worker_threads=0",
        "durability='maybe'",
        "grace=-1.0",
        "orphan_timeout=0.0",
        "io_threads=0",
    ):
        assert word in str(refusal.value)


def test_a_taken_port_is_found_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidOrchestrator, match=rf"port {port} on 127\.0\.0\.1 is taken by another process"):
            check_orchestrator(OrchestratorSpec(tmp_path, port=port))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"shards": 0}, "a store needs one"),
        ({"workers": -1}, "workers=-1"),
        ({"maxmemory": "1 MiB"}, r"give it 16\.0 MiB or more"),
        ({"maxmemory": "100000 TiB"}, "more than this machine has"),
    ],
)
def test_single_mistakes(tmp_path: Path, changed: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidOrchestrator, match=says):
        check_orchestrator(OrchestratorSpec(tmp_path, **changed))  # type: ignore[arg-type]
