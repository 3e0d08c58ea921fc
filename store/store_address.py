"""Where a store is, and the environment that tells a workload so."""

from dataclasses import dataclass
from pathlib import Path

from ssasync.store.acl import WORKLOAD
from ssasync.store.credentials import Credentials

__all__ = ["DEFAULT_NAME", "StoreAddress"]

#: The store of this name needs no suffix in the environment.
DEFAULT_NAME = "orchestrator"


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """The addresses of a running store and the passwords for it. They hold through all restarts of its shards.

    Printing it shows no password.
    """

    name: str
    unix: tuple[str, ...]  #: `unix:///path` of each shard, for workloads on this machine
    tcp: tuple[str, ...]  #: `host:port` of each shard
    sockets: Path  #: the directory of the `<port>.sock` files
    credentials: Credentials

    @property
    def server_type(self) -> str:
        """As SmartRedis names it in SR_DB_TYPE."""
        return "Standalone" if len(self.tcp) == 1 else "Clustered"

    def environment(self, *, local: bool = True, suffix: bool = True) -> dict[str, str]:
        """Variables for a workload, the password included: to be inherited, never to be put on a command line.

        local: it runs on the machine of the shards, so it gets unix sockets. suffix: variables of a store that is not
        named `orchestrator` end with `_<name>`; False for a process that knows one store only.
        """
        values = {
            "SSDB": ",".join(self.unix if local else self.tcp),
            "SSDB_USER": WORKLOAD.name,
            "SSDB_PASSWORD": self.credentials.workload.reveal(),
            "SSDB_OWNED": "1",  # started by the experiment of the workload, which may empty it (`flush_db`)
            "SR_DB_TYPE": self.server_type,
        }
        if local:
            values["SSDB_SOCKETS"] = str(self.sockets)
        ending = f"_{self.name}" if suffix and self.name != DEFAULT_NAME else ""
        return {f"{variable}{ending}": value for variable, value in values.items()}
