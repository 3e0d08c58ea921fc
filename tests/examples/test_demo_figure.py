from pathlib import Path

import numpy as np
import pytest

from examples.demo_figure import DemoStory, Kill, MemberStory, draw_demo
from examples.ocean_solver import OceanModel, OceanParameters
from examples.training_record import PublishedNetwork, TrainingRecord


def story(*, kill: Kill | None, members: int = 4, inferences: int = 50) -> DemoStory:
    pv = OceanModel.from_random_eddies(OceanParameters(), seed=1).pv()
    latencies = np.linspace(1500.0, 9000.0, inferences)
    record = TrainingRecord()
    if inferences:
        record.losses = [(0.1 * step, 1.0 / (1.0 + step)) for step in range(100)]
        record.published = [PublishedNetwork(0.0, 1, 1.0), PublishedNetwork(5.0, 2, 0.4)]
    return DemoStory(
        members=[
            MemberStory(
                f"member_{n}", f"shear {7 + n} cm/s", pv, [(0.0, 0), (10.0, 500)], latencies, attempts=1 + n % 2
            )
            for n in range(members)
        ],
        training=record,
        domain_size=1e6,
        kill=kill,
        notes=["one line about the run"],
    )


@pytest.mark.parametrize("kill", [None, Kill("member_1", 4.0, 4.3)])
def test_figure_is_a_png_of_readable_size(tmp_path: Path, kill: Kill | None) -> None:
    draw_demo(story(kill=kill), tmp_path / "demo.png")
    start = (tmp_path / "demo.png").read_bytes()[:24]
    assert start[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(start[16:20]) > 1400


def test_figure_of_a_run_that_ended_before_anything_was_learned(tmp_path: Path) -> None:
    draw_demo(story(kill=None, members=1, inferences=0), tmp_path / "demo.png")
    assert (tmp_path / "demo.png").stat().st_size > 10_000
