"""A parallel program under the launcher, with the MPI of this environment."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from ssasync.wlm import MpirunSettings, Reason

PROGRAM = """
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int rank, size, sum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    printf("rank %d of %d, sum %d, %s\\n", rank, size, sum, getenv("SSA_TEST_VALUE"));
    fflush(stdout);
    if (argc > 1) for (;;) usleep(10000);
    MPI_Finalize();
    return 0;
}
"""


def find(name: str) -> str:
    """A program of the environment that runs the tests, or else of PATH."""
    beside = Path(sysconfig.get_path("scripts"), name)
    return str(beside) if beside.exists() else shutil.which(name) or ""


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mpi")
    (folder / "ranks.c").write_text(PROGRAM)
    subprocess.run([find("mpicc"), "ranks.c", "-o", "ranks"], cwd=folder, check=True, timeout=100)
    return folder / "ranks"


def settings(program: Path, *args: str) -> MpirunSettings:
    made = MpirunSettings(program, list(args), run_command=find("mpirun"))
    made.set_tasks(4)
    made.set_hostlist(["localhost"])
    return made


async def test_four_ranks_work_together(program, launch, tmp_path):
    process = await launch(*settings(program).command(), env={"SSA_TEST_VALUE": "inherited"})
    ended = await process.wait()
    assert ended.reason is Reason.COMPLETED, (tmp_path / "job.err").read_text()
    lines = sorted((tmp_path / "job.out").read_text().splitlines())
    assert lines == [f"rank {rank} of 4, sum 6, inherited" for rank in range(4)]


async def test_stopped_mpirun_leaves_no_rank(program, launch, until, tmp_path, carriers_of_mark):
    process = await launch(*settings(program, "forever").command(), env={"SSA_TEST_VALUE": "x"})
    await until(lambda: (tmp_path / "job.out").read_text().count("rank") == 4, seconds=60)
    assert len(carriers_of_mark()) >= 5
    await process.stop()
    assert carriers_of_mark() == []


async def test_killed_launcher_leaves_no_rank(program, launch, until, tmp_path, carriers_of_mark):
    process = await launch(*settings(program, "forever").command(), env={"SSA_TEST_VALUE": "x"})
    await until(lambda: (tmp_path / "job.out").read_text().count("rank") == 4, seconds=60)
    os.kill(process.launcher_pid, signal.SIGKILL)
    assert (await process.wait()).reason is Reason.LOST
    assert carriers_of_mark() == []


async def test_program_that_fails_in_one_rank_is_a_failure(launch, tmp_path):
    made = MpirunSettings(sys.executable, ["-c", "import os; os._exit(3)"], run_command=find("mpirun"))
    made.set_tasks(2)
    ended = await (await launch(*made.command())).wait()
    assert ended.reason is Reason.EXIT_CODE
    assert ended.exit_code
