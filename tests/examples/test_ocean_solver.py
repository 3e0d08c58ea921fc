import dataclasses
from pathlib import Path

import numpy as np
import pytest

from examples.ocean_solver import OceanModel, OceanParameters, RealArray

QUIET = OceanParameters(shear=0.0, bottom_drag=0.0, filter_strength=0.0, beta=0.0, time_step=450.0)


def relative_change(before: float, after: float) -> float:
    return abs(after - before) / abs(before)


def plane_wave(parameters: OceanParameters, along_x: int, upper: float, lower: float) -> RealArray:
    n = parameters.grid_points
    wave = np.cos(2.0 * np.pi * along_x * np.arange(n) / n) * np.ones((n, 1))
    return np.stack([upper * wave, lower * wave])


@pytest.mark.parametrize("beta", [0.0, 1.5e-11])
def test_energy_and_enstrophy_are_conserved_without_forcing_and_friction(beta: float) -> None:
    ocean = OceanModel.from_random_eddies(dataclasses.replace(QUIET, beta=beta), seed=1, speed=0.3)
    start = ocean.pv()
    energy, enstrophy = ocean.energy(), ocean.enstrophy()
    for _ in range(1000):
        ocean.step()
    assert np.std(ocean.pv() - start) > 0.3 * np.std(start)  # something did happen in these five days
    assert relative_change(energy, ocean.energy()) < 1e-6
    assert relative_change(enstrophy, ocean.enstrophy()) < 1e-6


def test_energy_error_falls_with_the_third_power_of_the_time_step() -> None:
    errors = []
    for steps in (100, 200):
        ocean = OceanModel.from_random_eddies(dataclasses.replace(QUIET, time_step=720_000.0 / steps), seed=1)
        while ocean.time < 72_000.0:  # the first two steps are of lower order
            ocean.step()
        energy = ocean.energy()
        while ocean.time < 720_000.0:
            ocean.step()
        errors.append(relative_change(energy, ocean.energy()))
    assert errors[0] / errors[1] > 6.0


@pytest.mark.parametrize("mode", ["barotropic", "baroclinic"])
def test_rossby_wave_moves_at_the_phase_speed_of_theory(mode: str) -> None:
    parameters = dataclasses.replace(QUIET, beta=1.5e-11, time_step=1800.0)
    wavenumber = 2.0 * np.pi * 4 / parameters.domain_size
    upper, lower = parameters.stretching
    if mode == "barotropic":
        ocean = OceanModel(parameters, plane_wave(parameters, 4, 1e-6, 1e-6))
        expected = -parameters.beta / wavenumber**2
    else:
        # psi_1 : psi_2 = 1 : -F_2/F_1, and PV in the same ratio
        ocean = OceanModel(parameters, plane_wave(parameters, 4, 1e-6, -1e-6 * lower / upper))
        expected = -parameters.beta / (wavenumber**2 + parameters.deformation_radius**-2)
    before = np.angle(ocean.pv_spectrum[0, 0, 4])
    for _ in range(100):
        ocean.step()
    turned = np.angle(ocean.pv_spectrum[0, 0, 4]) - before
    assert -turned / wavenumber / ocean.time == pytest.approx(expected, rel=1e-4)


def test_unstable_wave_grows_as_the_linear_phillips_problem_says() -> None:
    parameters = OceanParameters(shear=0.15, filter_strength=0.0)
    ocean = OceanModel(parameters, plane_wave(parameters, 4, 1e-12, 0.3e-12))
    wavenumber = 2.0 * np.pi * 4 / parameters.domain_size
    upper, lower = parameters.stretching
    to_pv = np.array([[-(wavenumber**2) - upper, upper], [lower, -(wavenumber**2) - lower]])
    gradient = np.diag([parameters.beta + upper * parameters.shear, parameters.beta - lower * parameters.shear])
    advection = 1j * wavenumber * (np.diag([parameters.shear, 0.0]) + gradient @ np.linalg.inv(to_pv))
    drag = np.diag([0.0, parameters.bottom_drag * wavenumber**2]) @ np.linalg.inv(to_pv)
    expected = max(np.linalg.eigvals(-advection + drag).real)
    assert expected * 86400 > 0.03  # e-folding within a month: an instability worth the name

    for _ in range(2400):  # the decaying mode dies out
        ocean.step()
    before, seconds = np.abs(ocean.pv_spectrum[0, 0, 4]), ocean.time
    for _ in range(400):
        ocean.step()
    growth = np.log(np.abs(ocean.pv_spectrum[0, 0, 4]) / before) / (ocean.time - seconds)
    assert growth == pytest.approx(expected, rel=1e-3)


def test_closure_term_is_a_tendency_of_pv() -> None:
    at_rest = np.zeros((2, 64, 64))
    ocean = OceanModel(QUIET, at_rest)
    forcing = plane_wave(QUIET, 3, 1e-12, -2e-12)
    ocean.step(forcing)
    np.testing.assert_allclose(ocean.pv(), QUIET.time_step * forcing, atol=1e-20)


@pytest.mark.parametrize("steps_before", [0, 1, 2, 7])
def test_run_continued_from_a_checkpoint_is_bitwise_the_uninterrupted_one(tmp_path: Path, steps_before: int) -> None:
    closure = plane_wave(OceanParameters(), 3, 1e-13, 0.0)
    whole = OceanModel.from_random_eddies(OceanParameters(), seed=7)
    for _ in range(steps_before):
        whole.step(closure)
    whole.save(tmp_path / "checkpoint.npz")
    continued = OceanModel.load(tmp_path / "checkpoint.npz")
    for ocean in (whole, continued):
        for _ in range(10):
            ocean.step(closure)
    assert continued.parameters == whole.parameters
    assert continued.steps_done == whole.steps_done == steps_before + 10
    assert continued.pv_spectrum.tobytes() == whole.pv_spectrum.tobytes()


def test_half_written_checkpoint_leaves_the_last_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.npz"
    ocean = OceanModel.from_random_eddies(OceanParameters(), seed=7)
    ocean.save(path)
    ocean.step()

    def power_cut(*_: object, **__: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr(np, "savez", power_cut)
    with pytest.raises(OSError, match="power cut"):
        ocean.save(path)
    assert OceanModel.load(path).steps_done == 0


def test_equal_seeds_give_equal_bits_and_others_do_not() -> None:
    first, second, other = (OceanModel.from_random_eddies(OceanParameters(), seed=seed) for seed in (5, 5, 6))
    for ocean in (first, second, other):
        for _ in range(20):
            ocean.step()
    assert first.pv_spectrum.tobytes() == second.pv_spectrum.tobytes()
    assert not np.allclose(first.pv(), other.pv())


@pytest.mark.parametrize(("name", "value"), [("grid_points", 63), ("grid_points", 4), ("deformation_radius", 0.0)])
def test_impossible_ocean_is_refused_by_name_and_value(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}; give"):
        dataclasses.replace(OceanParameters(), **{name: value})
