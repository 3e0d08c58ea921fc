"""A real Valkey Cluster whose nodes a test may kill, stop, continue, start again and promote, and whose slots it may move.

Nodes are formed by the engine's own commands. A node that was primary and is started again at once is primary again, and
empty: its replica copies that. `promote` the replica first, or wait until it has taken over.
"""

import contextlib
import random
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from tests.cyclient.engine_process import engine_path

SLOTS = 16384
BUS = 10000  #: the bus of a node listens this far above its port
DEADLINE = 20.0
#: Seconds between two looks at what is waited for.
LOOK = 0.005
#: What a node answers while the cluster forms, fails over, or the node itself starts or has just died.
NOT_YET = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError, OSError)


def wait_until(
    what: str, true: Callable[[], bool], *, deadline: float = DEADLINE, show: Callable[[], object] = str
) -> None:
    """Return when `true()` is; answers such as CLUSTERDOWN count as false. `show()` is what a failure tells."""
    end = time.monotonic() + deadline
    last: BaseException | None = None
    while time.monotonic() < end:
        try:
            if true():
                return
        except NOT_YET as error:
            last = error
        time.sleep(LOOK)
    raise AssertionError(f"not within {deadline} s: {what}; last refusal: {last!r}\n{show()}")


def key_in(slots: Iterable[int], name: str = "k") -> str:
    """A key of one of these slots, with `name` in it."""
    wanted = set(slots)
    return next(key for i in range(100 * SLOTS) if key_slot((key := f"{name}{i}").encode()) in wanted)


@dataclass(frozen=True)
class NodeView:
    """What one node says of another: a line of CLUSTER NODES."""

    id: str
    flags: frozenset[str]
    primary: str  #: the id of the one whose replica it is, or "-"
    slots: frozenset[int]
    connected: bool


class Node:
    """One server of the cluster. Its port stays once it has been found."""

    def __init__(self, folder: Path, password: str, settings: dict[str, str]) -> None:
        self.password = password
        self.port = 0
        self.id = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = False
        self._folder = folder
        self._settings = settings
        self._redis: redis.Redis | None = None

    def __repr__(self) -> str:
        return f"Node({self.address}{'' if self.alive else ', dead'}{', stopped' * self.stopped})"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def socket(self) -> Path:
        return self._folder / f"{self.port}.sock"

    @property
    def log(self) -> Path:
        return self._folder / str(self.port) / "engine.log"

    @property
    def alive(self) -> bool:
        return self.process is not None

    @property
    def answers(self) -> bool:
        return self.alive and not self.stopped

    @property
    def redis(self) -> redis.Redis:
        """A connection of the default user that neither retries nor follows redirections."""
        if self._redis is None:
            self._redis = redis.Redis(
                unix_socket_path=str(self.socket),
                password=self.password,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=DEADLINE,
                single_connection_client=False,
            )
        return self._redis

    def cluster(self, *arguments: object) -> Any:
        """CLUSTER with these arguments."""
        return self.redis.execute_command("CLUSTER", *arguments)

    def spawn(self) -> None:
        """Start the process; `await_start` says whether it came up."""
        self.port = self.port or free_port()
        self.log.parent.mkdir(exist_ok=True)
        settings = {
            "port": self.port,
            "bind": "127.0.0.1",
            "unixsocket": self.socket,
            "dir": self.log.parent,
            "save": "",
            "appendonly": "no",
            "maxmemory": "1gb",
            "requirepass": self.password,
            "primaryauth": self.password,
            "cluster-enabled": "yes",
            "cluster-node-timeout": 1000,
            "cluster-allow-replica-migration": "no",
            "cluster-replica-validity-factor": 0,
            "repl-diskless-sync-delay": 0,
            **self._settings,
        }
        command = [
            str(engine_path()),
            *(str(word) for name, value in settings.items() for word in (f"--{name}", value)),
        ]
        command += ["--user", "workload", "on", f">{self.password}", "~*", "&*", "+@all"]
        command += ["--user", "reader", "on", f">{self.password}", "~*", "&*", "+@read", "+@connection"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def await_start(self) -> bool:
        """Whether it came up; if not, another process has one of its ports and this one has ended."""
        assert self.process is not None
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            # It takes connections before it tries the port of its bus, and answers after.
            with contextlib.suppress(*NOT_YET):
                return bool(self.redis.ping())
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(LOOK)
        self._reap()
        return False

    def restart(self) -> None:
        """Start it again at its port, with what it knew of the cluster and without its data."""
        assert not self.alive
        # A process of another test may hold the port for a moment, as one end of a connection.
        wait_until(f"{self!r} has its ports", self._restarted, show=self.log.read_text)

    def _restarted(self) -> bool:
        self.spawn()
        return self.await_start()

    def kill(self) -> None:
        """Return when it is gone."""
        self._signal(signal.SIGKILL)
        self._reap()

    def stop(self) -> None:
        """SIGSTOP: its connections stay and nothing answers."""
        self._signal(signal.SIGSTOP)
        self.stopped = True

    def cont(self) -> None:
        self._signal(signal.SIGCONT)
        self.stopped = False

    def disconnect(self) -> None:
        if self._redis is not None:
            self._redis.close()
            self._redis = None

    def close(self) -> None:
        self.disconnect()
        if self.process is not None:
            self.kill()
        self.socket.unlink(missing_ok=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def _reap(self) -> None:
        assert self.process is not None
        self.process.communicate(timeout=DEADLINE)
        self.process = None
        self.stopped = False
        self.disconnect()

    def views(self) -> dict[str, NodeView]:
        """What it thinks of all nodes, by id."""
        found = {}
        for line in self.cluster("NODES").decode().splitlines():
            node_id, _, flags, primary, _, _, _, link, *slots = line.split()
            found[node_id] = NodeView(
                node_id, frozenset(flags.split(",")), primary, frozenset(_slots(slots)), link == "connected"
            )
        return found


def _slots(words: Iterable[str]) -> Iterable[int]:
    for word in words:
        if not word.startswith("["):
            first, _, last = word.partition("-")
            yield from range(int(first), int(last or first) + 1)


@dataclass
class ClusterProcess:
    """`shards` primaries with `replicas` replicas each, ready: all agree, replicas are in sync, every shard takes a write.

    settings: further settings of the engine, with underscores for hyphens.
    """

    folder: Path
    shards: int = 3
    replicas: int = 1
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.password = secrets.token_hex(8)
        settings = {name.replace("_", "-"): value for name, value in self.settings.items()}
        self.nodes = [Node(self.folder, self.password, settings) for _ in range(self.shards * (1 + self.replicas))]
        try:
            self._start()
            self._form()
            self.wait_ready()
        except BaseException:
            self.close()
            raise

    @property
    def addresses(self) -> str:
        """All nodes over TCP, as SSDB names them."""
        return ",".join(node.address for node in self.nodes)

    @property
    def sockets(self) -> Path:
        """The folder of the `<port>.sock` files."""
        return self.folder

    # ---- who is what

    def by_id(self, node_id: str) -> Node:
        return next(node for node in self.nodes if node.id == node_id)

    def views(self) -> dict[str, NodeView]:
        """What the first node that answers thinks."""
        return next(node for node in self.nodes if node.answers).views()

    def primary_of(self, slot: int) -> Node:
        """The owner of the slot, dead or alive."""
        return self.by_id(next(view.id for view in self.views().values() if slot in view.slots))

    def primaries(self) -> list[Node]:
        """The owners of slots, in the order of their slots."""
        owners = [view for view in self.views().values() if view.slots]
        return [self.by_id(view.id) for view in sorted(owners, key=lambda view: min(view.slots))]

    def replicas_of(self, primary: Node) -> list[Node]:
        return [self.by_id(view.id) for view in self.views().values() if view.primary == primary.id]

    def slots_of(self, primary: Node) -> frozenset[int]:
        return self.views()[primary.id].slots

    def key_of(self, primary: Node, name: str = "k") -> str:
        """A key that this primary owns."""
        return key_in(self.slots_of(primary), name)

    # ---- changing it

    def promote(self, replica: Node, *, takeover: bool = False) -> None:
        """Make it primary, whatever its primary does; return when all who answer agree.

        takeover: without asking the other primaries, needed where most of them do not answer.
        """
        assert replica.cluster("FAILOVER", "TAKEOVER" if takeover else "FORCE") == b"OK"
        wait_until(f"{replica!r} has slots", lambda: bool(replica.views()[replica.id].slots), show=self.describe)
        self.wait_agreed()

    def wait_failover(self, old: Node) -> Node:
        """After the death of a primary: return its replica once that has taken over by itself and all agree."""
        heirs = self.replicas_of(old)
        wait_until(f"a replica of {old!r} takes over", lambda: any(self.slots_of(n) for n in heirs), show=self.describe)
        self.wait_agreed()
        return next(node for node in heirs if self.slots_of(node))

    def migrate_slot(self, slot: int, to: Node, *, half: bool = False) -> None:
        """Move a slot with its keys. half: move half of its keys and leave it there, so that its owner answers ASK for
        the others that it has not; a further call goes on."""
        source = self.primary_of(slot)
        to.cluster("SETSLOT", slot, "IMPORTING", source.id)
        source.cluster("SETSLOT", slot, "MIGRATING", to.id)
        keys = source.cluster("GETKEYSINSLOT", slot, 1_000_000)
        keys = sorted(keys)[: (len(keys) + 1) // 2] if half else keys
        if keys:
            options = ("REPLACE", "AUTH2", "default", self.password, "KEYS", *keys)
            source.redis.execute_command("MIGRATE", "127.0.0.1", to.port, "", 0, int(DEADLINE * 1000), *options)
        if half:
            return
        for node in (to, source, *(node for node in self.primaries() if node not in (to, source))):
            node.cluster("SETSLOT", slot, "NODE", to.id)
        self.wait_agreed()

    def flush(self) -> None:
        """Empty all shards, and their replicas with them; half-moved slots stay where they were."""
        for primary in self.primaries():
            primary.redis.flushall()
        for primary in self.primaries():
            for word in b" ".join(line for line in primary.cluster("NODES").splitlines() if b"myself" in line).split():
                if word.startswith(b"["):
                    primary.cluster("SETSLOT", word[1:].split(b"-")[0], "STABLE")
            replicas = len(self.replicas_of(primary))
            assert primary.redis.execute_command("WAIT", replicas, int(DEADLINE * 1000)) >= replicas

    def heal(self) -> None:
        """Continue and start again what a test has stopped and killed; return when the cluster is ready. Data is lost."""
        for node in self.nodes:
            if node.stopped:
                node.cont()
            if not node.alive:
                node.restart()
        self.wait_ready()

    def disconnect(self) -> None:
        """Close the connections of this process to the nodes; the next use opens new ones."""
        for node in self.nodes:
            node.disconnect()

    def close(self) -> None:
        """End all nodes; nothing is left but their logs."""
        for node in self.nodes:
            node.close()

    # ---- waiting

    def wait_ready(self) -> None:
        """All nodes agree, every replica is in sync and every shard takes a write."""
        self.wait_agreed()
        wait_until("every replica is in sync", self._in_sync, show=self.describe)
        for primary in self.primaries():
            key = self.key_of(primary)
            wait_until(
                f"{primary!r} takes a write",
                lambda primary=primary, key=key: primary.redis.set(key, "x") and primary.redis.delete(key) == 1,
                show=self.describe,
            )
        wait_until("every node says that the cluster is up", self._up, show=self.describe)

    def wait_agreed(self) -> None:
        """All nodes that answer have the same view, in which all slots have an owner who answers."""
        wait_until("all nodes agree", self._agreed, show=self.describe)

    def _agreed(self) -> bool:
        answering = [node for node in self.nodes if node.answers]
        ids = {node.id for node in answering}
        all_views = [node.views() for node in answering]
        pictures = {frozenset((v.id, v.primary, v.slots) for v in views.values() if v.id in ids) for views in all_views}
        suspects = {"fail", "fail?", "handshake", "noaddr"}
        (picture, *others) = pictures
        return (
            not others
            and len(picture) == len(answering)
            and sum(len(slots) for _, _, slots in picture) == SLOTS
            and all(len(views) == len(self.nodes) for views in all_views)
            and not any(
                v.flags & suspects or not v.connected for views in all_views for v in views.values() if v.id in ids
            )
        )

    def _in_sync(self) -> bool:
        for view in self.views().values():
            node = self.by_id(view.id)
            if view.primary != "-" and node.answers and self.by_id(view.primary).answers:
                information = node.redis.info("replication")
                if information["role"] != "slave" or information["master_link_status"] != "up":
                    return False
        return True

    def _up(self) -> bool:
        return all(b"cluster_state:ok" in node.cluster("INFO") for node in self.nodes if node.answers)

    def describe(self) -> str:
        """For the text of a failure: what each node thinks."""
        lines = []
        for node in self.nodes:
            lines.append(repr(node))
            if node.answers:
                with contextlib.suppress(*NOT_YET):
                    lines.append(node.cluster("NODES").decode() + node.cluster("INFO").decode())
        return "\n".join(lines)

    # ---- forming

    def _start(self) -> None:
        waiting = list(self.nodes)
        for _ in range(20):
            for node in waiting:
                node.spawn()
            waiting = [node for node in waiting if not node.await_start()]
            if not waiting:
                return
            said = waiting[0].log.read_text()
            for node in waiting:
                node.port = 0
        raise AssertionError(f"not started in 20 tries at different ports; the last one said:\n{said}")

    def _form(self) -> None:
        for number, node in enumerate(self.nodes):
            node.id = node.cluster("MYID").decode()
            node.cluster("SET-CONFIG-EPOCH", number + 1)
        primaries = self.nodes[: self.shards]
        for number, node in enumerate(primaries):
            first, end = (SLOTS * i // self.shards for i in (number, number + 1))
            node.cluster("ADDSLOTSRANGE", first, end - 1)
        # Each meets each: rumours would take their time.
        for number, node in enumerate(self.nodes):
            for other in self.nodes[:number]:
                node.cluster("MEET", "127.0.0.1", other.port)
        wait_until("all nodes have met", self._agreed, show=self.describe)
        for number, node in enumerate(self.nodes[self.shards :]):
            assert node.cluster("REPLICATE", primaries[number % self.shards].id) == b"OK"
        wait_until("all replicas have a primary", self._has_replicas, show=self.describe)

    def _has_replicas(self) -> bool:
        return all(len(self.replicas_of(primary)) == self.replicas for primary in self.nodes[: self.shards])


def free_port() -> int:
    """Free with its bus, and both below the ports that the kernel gives to connections."""
    for _ in range(1000):
        port = random.randrange(10000, 22768)
        own, bus = (("127.0.0.1", number) for number in (port, port + BUS))
        with contextlib.suppress(OSError), socket.create_server(own), socket.create_server(bus):
            return port
    raise AssertionError("no free port in 1000 tries")
