"""A real engine or cluster for each module; asyncio tests run on asyncio and on uvloop; nothing may be left open."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cyclient.c_builder import SANITIZERS, CBuilder
from tests.cyclient.c_engine_program import FOLDER as C_ENGINE
from tests.cyclient.c_engine_talk import Talks, talks
from tests.cyclient.cluster_process import ClusterProcess
from tests.cyclient.engine_process import EngineProcess
from tests.cyclient.faces import FACES, LOOPS, AsyncFace, BlockingFace, make_face
from tests.cyclient.interruptions import Interruptions, interrupting
from tests.cyclient.tls_engine import TlsEngine


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return LOOPS


@pytest.fixture(scope="module")
def module_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    # Short: the path of a unix socket has 107 bytes at most.
    engine = EngineProcess(tmp_path_factory.mktemp("e"))
    yield engine
    engine.close()


@pytest.fixture
def engine(module_engine: EngineProcess) -> Iterator[EngineProcess]:
    """The engine, empty."""
    module_engine.redis.flushall()
    return module_engine


@pytest.fixture(scope="module")
def module_tls_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsEngine]:
    engine = TlsEngine(tmp_path_factory.mktemp("t"))
    yield engine
    engine.close()


@pytest.fixture
def tls_engine(module_tls_engine: TlsEngine) -> TlsEngine:
    """An engine that speaks TLS, empty."""
    module_tls_engine.redis.flushall()
    return module_tls_engine


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine that this test may kill."""
    engine = EngineProcess(tmp_path)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def module_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterProcess]:
    """Three shards with a replica each."""
    cluster = ClusterProcess(tmp_path_factory.mktemp("c"))
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(module_cluster: ClusterProcess) -> Iterator[ClusterProcess]:
    """The cluster, whole and empty. A test may kill and stop nodes of it and leave them so."""
    module_cluster.heal()
    module_cluster.flush()
    yield module_cluster
    module_cluster.disconnect()


@pytest.fixture(scope="session")
def builders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CBuilder]:
    """One for each sanitizer, which compiles each source once a session."""
    return {name: CBuilder(tmp_path_factory.mktemp(f"c_{name}"), "cc", flags) for name, flags in SANITIZERS.items()}


@pytest.fixture(scope="session")
def talk_program(builders: dict[str, CBuilder]) -> Path:
    """The program that does with the C core what it is told."""
    return builders["address"].core_program(C_ENGINE / "talk.c")


@pytest.fixture
def connect(talk_program: Path) -> Iterator[Talks]:
    """Opens clients of the C core, each in a process of its own; they end with the test, and must find nothing wrong."""
    with talks(talk_program) as opened:
        yield opened


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[AsyncFace | BlockingFace]:
    face = make_face(request.param)
    yield face
    face.close()


@pytest.fixture
def client(face: AsyncFace | BlockingFace, engine: EngineProcess) -> Any:
    """A client over the unix socket."""
    return face.open(engine.unix, password=engine.password, timeout=20)


def open_sockets() -> set[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture(autouse=True)
def no_socket_is_left(module_engine_sockets: None) -> Iterator[None]:
    """Names of hosts are looked up in processes of their own, by a name server of ours (test_name_lookup.py).

    The thread of a look-up that a client has given up keeps the resolver's socket until the name server has answered, which
    nothing can hasten; here it would count as left.
    """
    before = open_sockets()
    yield
    left = open_sockets() - before
    assert not left, f"left open: {left}"


@pytest.fixture
def module_engine_sockets(request: pytest.FixtureRequest) -> None:
    """The sockets of the module's engine are older than its tests."""
    for name in ("module_engine", "module_tls_engine"):
        if name in request.fixturenames:
            request.getfixturevalue(name).redis.ping()


@pytest.fixture
def interruptions() -> Iterator[Interruptions]:
    with interrupting() as interruptions:
        yield interruptions
