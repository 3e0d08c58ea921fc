"""The passwords of one store: random, masked wherever they could be printed."""

import hashlib
import secrets
from dataclasses import dataclass, field

__all__ = ["Credentials", "Secret"]


class Secret:
    """A password. Printing, formatting, pickling and comparing with text never show it; `reveal` does."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def random(cls) -> "Secret":
        """A new one of 256 random bits."""
        return cls(secrets.token_urlsafe(32))

    def reveal(self) -> str:
        """The password itself, for a connection or an environment."""
        return self._text

    def sha256(self) -> str:
        """Its SHA-256 digest in hexadecimal, as ACL rules of the engine take it (`#<digest>`)."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled: hand it over by the environment")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and secrets.compare_digest(self._text, other._text)

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One password for each role of `ssasync.store.acl`, made when the store is planned and kept through restarts."""

    workload: Secret = field(default_factory=Secret.random)
    read_only: Secret = field(default_factory=Secret.random)
    admin: Secret = field(default_factory=Secret.random)
