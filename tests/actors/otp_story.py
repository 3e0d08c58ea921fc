"""What happens in a tree, as steps; and which steps may follow one another."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One event. `kind` is that of the exit; `again`: it is to be restarted."""

    what: str  # starting, started, exited (by itself), stopped (by its supervisor), gave up
    path: str
    attempt: int
    kind: str = ""
    again: bool = False

    def __str__(self) -> str:
        exit_ = f" ({self.kind}{', to be restarted' if self.again else ''})" if self.kind else ""
        return f"{self.what} {self.path} #{self.attempt}{exit_}"


@dataclass
class Story:
    """Steps and stories, one after the other or (`side_by_side`) in any order."""

    side_by_side: bool = False
    parts: "list[Step | Story]" = field(default_factory=list)

    def steps(self) -> Iterator[Step]:
        """All of them, in one of the orders they may come in."""
        for part in self.parts:
            if isinstance(part, Step):
                yield part
            else:
                yield from part.steps()

    def lines(self, indent: str = "") -> Iterator[str]:
        """As text."""
        for part in self.parts:
            if isinstance(part, Step):
                yield f"{indent}{part}"
            else:
                yield f"{indent}{'in any order' if part.side_by_side else 'in order'}:"
                yield from part.lines(indent + "  ")


class Reader:
    """Follows a story: which steps may come next."""

    def __init__(self, story: Story) -> None:
        self._side_by_side = story.side_by_side
        self._parts = deque(part if isinstance(part, Step) else Reader(part) for part in story.parts)

    def accept(self, step: Step) -> bool:
        """Whether `step` may come next; if so, it has come."""
        while self._parts and isinstance(first := self._parts[0], Reader) and first.at_end:
            self._parts.popleft()
        for part in tuple(self._parts) if self._side_by_side else tuple(self._parts)[:1]:
            if isinstance(part, Reader):
                if part.accept(step):
                    return True
            elif part == step:
                self._parts.remove(part)
                return True
        return False

    @property
    def at_end(self) -> bool:
        """Nothing is left to come."""
        return all(isinstance(part, Reader) and part.at_end for part in self._parts)


def assert_follows(story: Story, steps: list[Step]) -> None:
    """The steps are those of the story, all of them, in its order."""
    reader = Reader(story)
    for number, step in enumerate(steps):
        if not reader.accept(step):
            seen = "\n".join(f"  {seen}" for seen in steps[:number])
            expected = "\n".join(story.lines("  "))
            raise AssertionError(f"expected\n{expected}\nbut saw\n{seen}\nand then\n  {step}")
    assert reader.at_end
