import io

import pytest
import torch
from torch import Tensor

from examples.closure_network import ClosureNetwork, torchscript_bytes


@pytest.fixture
def network() -> ClosureNetwork:
    """A network that has learned something, though nothing sensible."""
    torch.manual_seed(0)
    network = ClosureNetwork()
    torch.nn.init.normal_(network.flux.weight, std=0.1)
    return network


def flow(rows: int = 2, points: int = 32) -> Tensor:
    return 1e-5 * torch.randn(rows, 6, points, points, generator=torch.Generator().manual_seed(1))


def test_new_network_answers_zero() -> None:
    assert torch.count_nonzero(ClosureNetwork()(flow())) == 0


@pytest.mark.parametrize("points", [16, 32, 64])
def test_network_answers_both_layers_on_a_grid_of_any_size(network: ClosureNetwork, points: int) -> None:
    answer = network(flow(rows=3, points=points))
    assert answer.shape == (3, 2, points, points)
    assert torch.all(torch.isfinite(answer))
    assert torch.count_nonzero(answer) > 0


def test_answer_is_quadratic_in_the_flow_and_makes_no_pv(network: ClosureNetwork) -> None:
    once, thrice = network(flow()), network(3.0 * flow())
    torch.testing.assert_close(thrice, 9.0 * once, rtol=1e-3, atol=1e-3 * once.abs().max().item())
    assert torch.all(once.mean(dim=(2, 3)).abs() < 1e-5 * once.abs().amax(dim=(2, 3)))


def test_answer_moves_with_the_flow_across_the_periodic_boundary(network: ClosureNetwork) -> None:
    shifted = network(torch.roll(flow(), (5, 11), (2, 3)))
    expected = torch.roll(network(flow()), (5, 11), (2, 3))
    torch.testing.assert_close(shifted, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_rows_of_a_batch_do_not_touch(network: ClosureNetwork) -> None:
    together = network(torch.cat([flow(rows=1), torch.zeros(1, 6, 32, 32), 1e3 * flow(rows=1)]))
    alone = network(flow(rows=1))
    torch.testing.assert_close(together[:1], alone, rtol=1e-3, atol=1e-4 * alone.abs().max().item())


def test_torchscript_round_trip_answers_the_same(network: ClosureNetwork) -> None:
    loaded = torch.jit.load(io.BytesIO(torchscript_bytes(network)))
    with torch.inference_mode():
        torch.testing.assert_close(loaded(flow(points=64)), network(flow(points=64)))
