"""What one thread drops while another is on the C side of the same client (drop_in_threads.py) harms nobody."""

import os
import subprocess
import sys
from pathlib import Path

SECONDS = 1.0  # for each of the two clients


def test_threads_drop_what_is_anothers_under_a_debug_malloc(engine):
    environment = {**os.environ, "PYTHONMALLOC": "debug", "MALLOC_PERTURB_": "165", "MALLOC_CHECK_": "3"}
    command = ["-X", "faulthandler", "-m", "tests.cyclient.drop_in_threads", engine.unix, engine.password, str(SECONDS)]
    done = subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-4000:]
    assert done.stdout == "sound\n"
