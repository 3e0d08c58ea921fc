"""ray in the actor benchmark: async actors, a process each, on loopback."""

import os
import time
from collections.abc import Sequence
from typing import Any

# All of this counts at import. Without the third, ray takes an address of the network for 127.0.0.1 and binds to all.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"

import ray

from tests.bench.actor_load import ASK, turns

_PATIENCE = 60.0


class Player:
    async def take(self, message: int) -> int:
        return message

    async def pid(self) -> int:
        return os.getpid()

    async def crash(self) -> None:
        os._exit(1)


class AsyncActors:
    """Restarted as often as need be; ray itself tries calls again that find the actor dead: no other way was faster."""

    batch = 10

    def __init__(self) -> None:
        self._actors: list[Any] = []
        self._kind: Any = None

    async def open(self) -> None:
        ray.init(
            num_cpus=2,
            num_gpus=0,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            object_store_memory=100 << 20,
            log_to_driver=False,
        )
        self._kind = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Player)

    async def spawn(self, count: int) -> None:
        new = [self._kind.remote() for _ in range(count)]
        ray.get([actor.take.remote(ASK) for actor in new], timeout=_PATIENCE)
        self._actors += new

    async def tell(self, count: int, passes: int) -> None:
        last: list[Any] = []
        for some, _ in turns(self._actors[:count], passes):
            last = (last + [actor.take.remote(ASK) for actor in some])[-count:]
        # A call always has a result that may be fetched. Those of the last pass say that all are handled.
        ray.get(last, timeout=_PATIENCE)

    async def ask(self, actors: Sequence[int]) -> None:
        for actor in actors:
            ray.get(self._actors[actor].take.remote(ASK), timeout=_PATIENCE)

    async def crash(self, actor: int) -> float:
        player = self._actors[actor]
        old = ray.get(player.pid.remote(), timeout=_PATIENCE)
        begin = time.perf_counter()
        player.crash.options(max_task_retries=0).remote()
        while True:
            if ray.get(player.pid.remote(), timeout=_PATIENCE) != old:
                return time.perf_counter() - begin

    async def close(self) -> None:
        ray.shutdown()
