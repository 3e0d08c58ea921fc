"""Names by which actors are found, whoever started them and wherever in the tree they stand."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssasync.actors.errors import RegisteredName, UnknownName

if TYPE_CHECKING:
    from ssasync.actors.reference import ActorRef


@dataclass(frozen=True, slots=True)
class RegistryStatistics:
    """names: registered now. children: those that have them."""

    names: int
    children: int


class Registry:
    """Name to reference. A name belongs to a child, so it survives restarts; a child may have several.

    Whoever ends a child calls `unregister_child`, at the cost of that child's names only: a pool of a hundred thousand
    members comes and goes without a look at the names of others.
    """

    __slots__ = ("_names", "_owners")

    def __init__(self) -> None:
        self._owners: dict[str, ActorRef] = {}
        self._names: dict[ActorRef, dict[str, None]] = {}  # in order of registration; no empty ones are kept

    def register(self, name: str, ref: "ActorRef") -> None:
        """Give `name` to a child; nothing happens if it has it already.

        Raises RegisteredName (it belongs to another living child), ValueError for an empty name.
        """
        if not name:
            raise ValueError(f"{ref.path} was to be registered under an empty name: give one that can be looked up")
        owner = self._owners.get(name)
        if owner is not None and owner != ref:
            raise RegisteredName(name, ref.path, owner.path)
        self._owners[name] = ref
        self._names.setdefault(ref, {})[name] = None

    def unregister(self, name: str) -> None:
        """Take a name back from whoever has it. Raises UnknownName."""
        ref = self.whereis(name)
        del self._owners[name]
        names = self._names[ref]
        del names[name]
        if not names:
            del self._names[ref]

    def unregister_child(self, ref: "ActorRef") -> tuple[str, ...]:
        """A child is over: forget all its names, and return them; none is no error."""
        names = tuple(self._names.pop(ref, ()))
        for name in names:
            del self._owners[name]
        return names

    def whereis(self, name: str) -> "ActorRef":
        """Whoever has that name. Raises UnknownName."""
        ref = self._owners.get(name)
        if ref is None:
            raise UnknownName(name, tuple(self._owners))
        return ref

    def registered(self) -> "dict[str, ActorRef]":
        """All names, in order of registration; a copy."""
        return dict(self._owners)

    def statistics(self) -> RegistryStatistics:
        """How many names there are, and of how many children."""
        return RegistryStatistics(len(self._owners), len(self._names))
