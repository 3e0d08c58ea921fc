"""Ctrl-C and SIGTERM: a driver of its own, so that the signals hit no test runner."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
import asyncio, sys
import ssasync

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"

async def main():
    async with ssasync.Experiment("test", sys.argv[1]) as exp:
        store = exp.create_database(workers=0)
        deaf = exp.create_model("deaf", ssasync.RunSettings(sys.executable, ["-c", STUBBORN]), grace=float(sys.argv[2]))
        await exp.start(store)
        await exp.start(deaf)
        print("running", flush=True)
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            print("cancelled", flush=True)
            raise

ssasync.run(main())
"""


def start_driver(directory: Path, grace: float) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(directory), str(grace)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() == "running\n", driver.communicate(timeout=20)
    return driver


@pytest.mark.parametrize(
    ("number", "status", "last_line"), [(signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, 143, "")]
)
def test_one_signal_stops_in_order_and_leaves_nothing(tmp_path, number, status, last_line):
    driver = start_driver(tmp_path, grace=0.3)
    driver.send_signal(number)
    out, errors = driver.communicate(timeout=30)
    assert out == "cancelled\n"
    assert driver.returncode == status, errors
    assert errors.strip().endswith(last_line)


def test_a_second_signal_does_not_wait_for_the_grace(tmp_path):
    driver = start_driver(tmp_path, grace=300)
    driver.send_signal(signal.SIGINT)
    assert driver.stdout is not None
    assert driver.stdout.readline() == "cancelled\n"
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=30)  # far below the grace
    assert driver.returncode == -signal.SIGINT


def test_a_killed_driver_takes_plain_models_with_it_or_leaves_them_to_their_launcher(tmp_path, nothing_is_left):
    """SIGKILL: nobody can clean up but the launchers, whose programs go on until somebody comes back or they end."""
    driver = start_driver(tmp_path, grace=0.3)
    driver.kill()
    driver.communicate(timeout=30)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_launcher_of(entry, nothing_is_left):
            os.kill(int(entry.name), signal.SIGTERM)
    _wait_until_gone(nothing_is_left)
    for leftover in Path(os.environ["XDG_RUNTIME_DIR"]).iterdir():
        raise AssertionError(f"the last launcher left {leftover}")


def _is_launcher_of(entry: Path, mark: str) -> bool:
    try:
        return mark.encode() in (entry / "environ").read_bytes() and b"_launcher" in (entry / "cmdline").read_bytes()
    except OSError:
        return False


def _wait_until_gone(mark: str) -> None:
    import select

    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() not in (entry / "environ").read_bytes():
                    continue
                descriptor = os.pidfd_open(int(entry.name))
            except OSError:
                continue
            ready, _, _ = select.select([descriptor], [], [], 20)
            os.close(descriptor)
            assert ready, f"{entry} lives on"
