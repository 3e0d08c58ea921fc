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
_READING = frozenset({"get", "mget", "exists", "strlen", "type", "pttl", "hgetall", "info"})
_WRITING = frozenset({"set", "del", "unlink", "incr", "hset", "copy", "rename", "pexpire", "multi", "exec", "discard"})

#: Applications, workers and the training consumer: tensors and models. No flush, no scripts, no configuration.
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
