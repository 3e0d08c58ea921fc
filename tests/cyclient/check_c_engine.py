"""The C programs that talk to an engine (c_face/, c_engine/) under valgrind, in a build as users have it.

Sanitizers, under which the tests run them, cannot stand for it: with them nothing is kept for the next operation
(c/spares.c). Left out are those that refuse each allocation in turn, which would take hours, and fork.c, whose children end
with what they may not free.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.engine_process import EngineProcess
from tests.cyclient.test_c_face import adding_worker
from tests.model_archive import archive_of

FOLDER = Path(__file__).parent
FACES = ("tensors", "values", "datasets", "bad_input", "futures", "batches", "threads", "models")
CORES = ("values", "lists", "datasets", "chunks", "dataset_chunks", "chunk_races", "asked")
PROGRAMS = (*(f"c_face/{name}" for name in FACES), *(f"c_engine/{name}" for name in CORES))
#: Seconds for one of them; they take 20 at most on an idle machine.
DEADLINE = 300


def _worker_of(name: str, folder: Path, engine: EngineProcess) -> AbstractContextManager[None]:
    return adding_worker(folder, engine) if name == "c_face/models" else nullcontext()


def _run(program: Path, valgrind: Sequence[str], engine: EngineProcess, model: Path) -> str:
    """What is wrong; empty: nothing."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))}
    store = {"SSDB": engine.unix, "SSDB_PASSWORD": engine.password, "SSA_TIMEOUT": "120", "MODEL": str(model)}
    words = ["run", engine.unix, engine.password] if program.parent.name == "c_engine" else []
    done = subprocess.run(
        [*valgrind, program, *words],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=DEADLINE,
        env={**bare, **store},
    )
    if done.returncode or done.stderr:
        return f"{program.parent.name}/{program.name} ended with {done.returncode}\n{done.stdout}{done.stderr}"
    return "" if " checks in " in done.stdout else f"{program} checked nothing"


def check_with_engine(names: Sequence[str], valgrind: Sequence[str], out: Path) -> list[str]:
    """Build and run those of PROGRAMS; prints a line for each and returns what is wrong."""
    builder = CBuilder(out / "engine", "cc", ("-O1",))
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.pt"
        model.write_bytes(archive_of(bytes(1000)))
        engine = EngineProcess(Path(folder))
        try:
            for name in names:
                program = builder.core_program(FOLDER / f"{name}.c")
                engine.redis.flushall()
                start = time.monotonic()
                with _worker_of(name, Path(tempfile.mkdtemp(dir=folder)), engine):
                    said = _run(program, valgrind, engine, model)
                wrong += [said] if said else []
                verdict = "WRONG" if said else "ok"
                print(f"{'valgrind':12} {name:24} {time.monotonic() - start:6.1f} s  {verdict}", flush=True)
        finally:
            engine.close()
    return wrong
