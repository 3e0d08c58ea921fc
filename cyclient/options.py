"""What a client must know: addresses, credentials, prefixes, deadlines; from arguments or the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from ssasync.cyclient.address import Address
from ssasync.cyclient.errors import InvalidArgument

DEFAULT_TIMEOUT = 60.0  #: seconds


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one client.

    addresses     where the shards listen; the first that answers is used
    user          user of the store (default "workload")
    password      its password; also the secret that client and workers prove to each other; None: the store has none
    write_prefix  ensemble prefix of the names this client writes; "" for none
    read_prefixes prefixes of the producers it may read from; the first is the data source to begin with
    timeout       seconds that an operation may take when it is given no timeout of its own (default 60)
    """

    addresses: tuple[Address, ...]
    user: str = "workload"
    password: str | None = field(default=None, repr=False)
    write_prefix: str = ""
    read_prefixes: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT

    @classmethod
    def from_environment(cls, identifier: str = "", environment: Mapping[str, str] | None = None) -> Options:
        """Read SSDB, SSDB_USER, SSDB_PASSWORD, SSKEYOUT, SSKEYIN and SSA_TIMEOUT.

        identifier: a further named store; its variables end in `_<identifier>`. Those of the prefixes do so if they are
        set, and are shared by all stores otherwise. Raises InvalidArgument.
        """
        values = os.environ if environment is None else environment
        suffix = f"_{identifier}" if identifier else ""
        text = values.get(f"SSDB{suffix}", "")
        if not text:
            raise InvalidArgument(
                f"SSDB{suffix}",
                "empty or unset",
                "start the program through an Experiment, or pass the store's address (host:port or unix:///path)",
            )
        timeout_text = values.get("SSA_TIMEOUT", str(DEFAULT_TIMEOUT))
        try:
            timeout = float(timeout_text)
        except ValueError:
            raise InvalidArgument("SSA_TIMEOUT", repr(timeout_text), "give seconds as a number") from None
        incoming = values.get(f"SSKEYIN{suffix}", values.get("SSKEYIN", ""))
        return cls(
            addresses=Address.parse_list(text),
            user=values.get(f"SSDB_USER{suffix}", "workload"),
            password=values.get(f"SSDB_PASSWORD{suffix}"),
            write_prefix=values.get(f"SSKEYOUT{suffix}", values.get("SSKEYOUT", "")),
            read_prefixes=tuple(part for part in incoming.split(",") if part),
            timeout=timeout,
        )

    def __post_init__(self) -> None:
        if not self.addresses:
            raise InvalidArgument("addresses", "empty", "name at least one shard")
        if not self.timeout > 0:
            raise InvalidArgument("timeout", self.timeout, "give a positive number of seconds")


def options_from(
    address: str | None,
    *,
    user: str | None = None,
    password: str | None = None,
    timeout: float | None = None,
    identifier: str = "",
) -> Options:
    """Options of a client: from the arguments where `address` is given, else from the environment."""
    if address is None:
        base = Options.from_environment(identifier)
    else:
        base = Options(addresses=Address.parse_list(address), password=None)
    return Options(
        addresses=base.addresses,
        user=base.user if user is None else user,
        password=base.password if password is None else password,
        write_prefix=base.write_prefix,
        read_prefixes=base.read_prefixes,
        timeout=base.timeout if timeout is None else timeout,
    )
