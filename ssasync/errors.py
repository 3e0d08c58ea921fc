"""Errors of the face.

ExperimentError
├── InvalidExperiment     what was asked for cannot work; lists every mistake
├── NotStarted            the entity was not started by this experiment
└── ExperimentClosed      the experiment is not open
NoLibrary                 this installation has no C library
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class ExperimentError(Exception):
    """Root of the errors of this folder."""


class InvalidExperiment(ExperimentError, ValueError):
    """Mistakes found before anything was started; `mistakes` has one text each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        text = mistakes[0] if len(mistakes) == 1 else "".join(f"\n  - {mistake}" for mistake in mistakes)
        super().__init__(f"nothing was started: {text}")


class NotStarted(ExperimentError):
    """An operation on something that this experiment has not started."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was not started by this experiment: await exp.start(...) first.")


class ExperimentClosed(ExperimentError):
    """The experiment is not open."""

    def __init__(self, name: str) -> None:
        super().__init__(f"experiment {name!r} is not open: use it inside `async with Experiment(...)`.")


class NoLibrary(Exception):
    """The package was installed without libssasync."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"ssasync was installed without its C library: {folder} has no libssasync.so. Wheels for Linux hold it; "
            "in a checkout `make build` makes it."
        )
