"""Every test here runs real stores and real programs, and must leave neither process nor directory."""

import io
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

import ssasync

#: In the environment of the driver and so of all it starts: finds what has escaped.
MARK = "SSA_TEST_MARK"


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The test fails if a process with its mark, or a runtime directory, outlives it. Gives the mark."""
    mark = uuid.uuid4().hex
    runtime = Path("/tmp", f"ssat-{mark[:8]}")
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv(MARK, mark)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    yield mark
    assert carriers(mark) == []
    assert list(runtime.iterdir()) == []
    runtime.rmdir()


def carriers(mark: str) -> list[str]:
    """Command lines of the processes that carry the mark, but of this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


@pytest.fixture
async def exp(tmp_path: Path) -> AsyncIterator[ssasync.Experiment]:
    """An open experiment. Set up and torn down in different tasks, as fixtures are."""
    experiment = ssasync.Experiment("test", tmp_path / "test")
    await experiment.open()
    yield experiment
    await experiment.close()


@pytest.fixture
def python(exp: ssasync.Experiment) -> Callable[..., ssasync.RunSettings]:
    """Run settings of a Python program given as text."""

    def settings(text: str, *arguments: object) -> ssasync.RunSettings:
        return ssasync.RunSettings(sys.executable, ["-c", text, *map(str, arguments)])

    return settings


@pytest.fixture(scope="session")
def double_model() -> bytes:
    """A TorchScript model that doubles its input."""
    import torch

    class Double(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x

    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(Double()), buffer)
    return buffer.getvalue()
