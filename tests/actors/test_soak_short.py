"""Ten seconds of the soak (`make soak` runs ten minutes), on both loops at once, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOOPS = ("asyncio", "uvloop")


def test_a_tree_that_crashes_all_the_time_neither_leaks_nor_loses_anything(tmp_path: Path) -> None:
    # A crash every 4 ms instead of every 10: the crash log must be full before the quarters that are compared.
    command = [sys.executable, "-m", "tests.soak.actors", "--seconds", "10", "--mean", "0.004", "--out", str(tmp_path)]
    running = [
        subprocess.Popen(
            [*command, "--loop", loop], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for loop in LOOPS
    ]
    try:
        outputs = [process.communicate(timeout=90)[0] for process in running]
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.communicate()
    for loop, process, output in zip(LOOPS, running, outputs, strict=True):
        assert process.returncode == 0, output
        assert output.splitlines()[-1] == "verdict: flat, nothing leaked, nothing lost"
        assert (tmp_path / f"actors_{loop}.png").stat().st_size > 10_000
