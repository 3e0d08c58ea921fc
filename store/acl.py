"""Who may do what on a shard: three roles as allow-lists, and the rules that tell the engine so."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ssasync.store.credentials import Credentials

__all__ = ["ADMIN", "READ_ONLY", "ROLES", "WORKLOAD", "Role", "acl_lines"]


@dataclass(frozen=True, slots=True)
class Role:
    """A user of the engine. `commands`: what it may send, all else is refused; None: everything."""

    name: str
    commands: frozenset[str] | None

    def rules(self) -> str:
        """Its permissions in the engine's ACL language (valkey.io, topics/acl), without the password."""
        if self.commands is None:
            return "~* &* +@all"
        return " ".join(["~*", "resetchannels", "-@all", *(f"+{command}" for command in sorted(self.commands))])


# `client|...` by subcommand: CLIENT KILL, PAUSE and LIST belong to the admin. No `client|setinfo`: engines before 7.2 do
# not start with a rule for a command they do not know, and client libraries take its refusal in silence.
_CONNECTION = frozenset({"hello", "auth", "ping", "client|id", "client|setname", "client|tracking", "client|caching"})
# What a client must know of a cluster; its nodes' bus addresses and its reconfiguration are the admin's.
_CLUSTER = frozenset({"cluster|slots", "cluster|shards", "cluster|myid", "cluster|info", "asking"})
_VALUES = frozenset({"get", "mget", "getrange", "strlen", "exists", "type", "ttl", "pttl"})
_HASHES = frozenset({"hget", "hmget", "hgetall", "hexists", "hlen"})
_LISTS = frozenset({"llen", "lrange"})
# Each command of a transaction needs its own permission: readers wait for keys, and read datasets, in one.
_TRANSACTIONS = frozenset({"multi", "exec", "discard"})
_READING = _CLUSTER | _VALUES | _HASHES | _LISTS | _TRANSACTIONS | {"info", "scan"}
_KEYS = frozenset({"set", "incr", "del", "unlink", "copy", "rename", "expire", "pexpire", "persist"})
_WRITING = _KEYS | {"watch", "unwatch", "hset", "hdel", "rpush", "lpush"}

#: Applications, workers and the training consumer: tensors, datasets, models. A flush is a scan and deletes of its own
#: keys. No scripts of the server, no configuration.
WORKLOAD = Role("workload", _CONNECTION | _READING | _WRITING)
#: Whoever looks on.
READ_ONLY = Role("read_only", _CONNECTION | _READING)
#: The driver: health, the list of workers, later the cluster.
ADMIN = Role("admin", None)

ROLES: Mapping[str, Role] = MappingProxyType({role.name: role for role in (WORKLOAD, READ_ONLY, ADMIN)})


def acl_lines(credentials: Credentials) -> list[str]:
    """Lines for the engine's configuration file. Passwords stand there as digests; the user `default` is off."""
    passwords = {WORKLOAD: credentials.workload, READ_ONLY: credentials.read_only, ADMIN: credentials.admin}
    return [
        "user default reset",
        *(f"user {role.name} reset on #{password.sha256()} {role.rules()}" for role, password in passwords.items()),
    ]
