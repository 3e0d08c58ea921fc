"""One of many processes that ask for inferences at the same time: `python -m tests.bench.infer_rank MODEL`.

Prints "ready" when its connection is warm; answers each "run SECONDS" on stdin with one line of nanoseconds.
"""

import sys
import time

import numpy as np

from ssasync.blocking import Client

WARM_UP = 50


def main(model: str) -> None:
    x = np.random.default_rng(0).random((1, 32), dtype=np.float32)
    with Client() as client:
        for _ in range(WARM_UP):
            client.infer(model, x)
        print("ready", flush=True)
        for line in sys.stdin:
            times = []
            end = time.monotonic() + float(line.split()[1])
            while time.monotonic() < end:
                begin = time.perf_counter_ns()
                client.infer(model, x)
                times.append(time.perf_counter_ns() - begin)
            print(*times, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
