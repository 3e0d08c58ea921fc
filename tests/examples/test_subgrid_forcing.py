import numpy as np
import pytest

from examples.ocean_solver import OceanModel, OceanParameters, RealArray
from examples.subgrid_forcing import LARGEST_ANSWER, SHARE, CoarseView, closure_from_answer, network_inputs

PARAMETERS = OceanParameters()


def eddies(seed: int = 1, steps: int = 50) -> OceanModel:
    ocean = OceanModel.from_random_eddies(PARAMETERS, seed=seed)
    for _ in range(steps):
        ocean.step()
    return ocean


def energy_rate(ocean: OceanModel, tendency: RealArray) -> float:
    """Share of the eddies' energy that a PV tendency brings in a day."""
    psi = ocean.streamfunction()
    return float(-np.mean(np.sum(PARAMETERS.layer_weights * psi * tendency, axis=0)) / ocean.energy() * 86400)


def test_waves_that_do_not_interact_have_no_subgrid_forcing() -> None:
    n = PARAMETERS.grid_points
    wave = np.sin(2.0 * np.pi * 3 * np.arange(n) / n) * np.ones((n, 1))
    pair = CoarseView(PARAMETERS).training_pair(1e-5 * np.stack([wave, wave]))
    assert np.max(np.abs(pair.forcing)) < 1e-6 * np.max(np.abs(pair.inputs)) ** 2


def test_coarse_view_of_a_long_wave_is_every_second_point_of_it_a_little_smoothed() -> None:
    n = PARAMETERS.grid_points
    wave = 1e-5 * np.sin(2.0 * np.pi * np.arange(n) / n) * np.ones((n, 1))
    pair = CoarseView(PARAMETERS).training_pair(np.stack([wave, 0 * wave]))
    wavenumber, width = 2.0 * np.pi / PARAMETERS.domain_size, 3.0 * 2.0 * PARAMETERS.grid_spacing
    expected = wave[::2, ::2] * np.exp(-((wavenumber * width) ** 2) / 24.0)
    np.testing.assert_allclose(pair.inputs[0], expected, atol=1e-11)


def test_forcing_is_quadratic_in_the_flow_and_makes_no_pv() -> None:
    view, pv = CoarseView(PARAMETERS), eddies().pv()
    once, twice = view.training_pair(pv), view.training_pair(2.0 * pv)
    assert once.inputs.shape == (6, 32, 32)
    assert once.forcing.shape == (2, 32, 32)
    np.testing.assert_allclose(twice.inputs, 2.0 * once.inputs, rtol=1e-5)
    np.testing.assert_allclose(twice.forcing, 4.0 * once.forcing, rtol=1e-4, atol=1e-5 * np.max(np.abs(once.forcing)))
    assert np.all(np.abs(np.mean(once.forcing, axis=(1, 2))) < 1e-5 * np.std(once.forcing, axis=(1, 2)))


def test_network_inputs_are_pv_then_velocities_over_the_grid_spacing() -> None:
    fields = eddies().pv_and_velocity()
    inputs = network_inputs(fields, PARAMETERS.grid_spacing)
    np.testing.assert_allclose(inputs[:2], fields[0], rtol=1e-6)
    np.testing.assert_allclose(inputs[4:], fields[2] / PARAMETERS.grid_spacing, rtol=1e-6)


@pytest.mark.parametrize("size", [1e-13, 1e-9, 1e3])
def test_closure_is_bounded_and_neither_feeds_nor_drains_the_eddies(size: float) -> None:
    ocean = eddies()
    answer = size * np.random.default_rng(0).standard_normal((2, 64, 64)).astype(np.float32) + size
    closure = closure_from_answer(answer, ocean)
    limit = LARGEST_ANSWER * np.mean(ocean.pv() ** 2, axis=(1, 2), keepdims=True)
    assert np.all(np.abs(closure) < 4.0 * SHARE * limit)
    assert np.all(np.abs(np.mean(closure, axis=(1, 2))) < 1e-9 * np.std(closure, axis=(1, 2)))
    assert abs(energy_rate(ocean, closure)) < 1e-12


def test_answer_that_already_is_fair_is_applied_unchanged_but_for_the_share() -> None:
    ocean = eddies()
    answer = ocean.grid.to_field(ocean.grid.advection(ocean.pv_spectrum, ocean.grid.streamfunction(ocean.pv_spectrum)))
    answer *= 1e-3  # advection conserves energy; small, so that no value is limited
    np.testing.assert_allclose(closure_from_answer(answer, ocean), SHARE * answer, atol=1e-9 * np.max(np.abs(answer)))


def test_ocean_survives_a_network_that_answers_noise() -> None:
    ocean, random = eddies(), np.random.default_rng(3)
    energy = ocean.energy()
    for _ in range(100):
        closure = closure_from_answer(1e3 * random.standard_normal((2, 64, 64)), ocean)
        for _ in range(5):
            ocean.step(closure)
    assert 0.3 * energy < ocean.energy() < 3.0 * energy


@pytest.mark.parametrize("answer", [np.full((2, 64, 64), np.nan), np.zeros((2, 32, 32)), np.zeros((1, 2, 64, 64))])
def test_useless_answer_is_refused_with_its_shape_and_step(answer: RealArray) -> None:
    with pytest.raises(ValueError, match=r"closure for step 50 has shape .* check the network"):
        closure_from_answer(answer, eddies())
