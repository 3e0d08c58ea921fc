"""What the network learns: the effect of eddies that a grid cannot hold on those that it can.

The truth at the scale of the simulation's own grid is unknown, but one octave up it can be computed: smooth the field
to half the grid and the tendency that got lost is S = J(psi', q') - (J(psi, q))', a prime for smoothing. The network
learns S from the smoothed field (q, u, v); the member asks it on its own, finer grid. That the same law holds at both
scales is Germano's assumption (Phys. Fluids A 3, 1760, 1991). Where it fails the closure is wrong: the demo shows that
a closure is learned and used while the ocean runs, not that this ocean is better for it.

Inputs are q, u/d and v/d with d the grid spacing, all in 1/s, so that the answer, 1/s^2, can be free of any length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.ocean_solver import OceanModel, OceanParameters, RealArray, SpectralArray, SpectralGrid

Float32Array = npt.NDArray[np.float32]

#: Width of the smoothing in coarse cells: twice the 1.5 cells that the solver's two-thirds rule leaves as the finest.
#: Narrower, and most of what is lost has no trace in what is left: at 1 the network explains 15 % of it, at 3 70 %.
SMOOTHING_WIDTH = 3.0

#: Share of the answer that is applied. A member's grid smooths over 1.5 cells, not 3; S grows as the width squared.
SHARE = 0.25

#: Largest answer that is believed, in units of each layer's mean square PV. A trained network says 0.1 to 0.5.
LARGEST_ANSWER = 0.5


def network_inputs(pv_and_velocity: RealArray, grid_spacing: float) -> Float32Array:
    """Order q_1 q_2 u_1 u_2 v_1 v_2, velocities over the grid spacing: shape (6, n, n), 1/s."""
    scaled: RealArray = pv_and_velocity / np.array([1.0, grid_spacing, grid_spacing]).reshape(3, 1, 1, 1)
    return scaled.reshape(6, *scaled.shape[-2:]).astype(np.float32)


def closure_from_answer(answer: npt.NDArray[np.floating], ocean: OceanModel) -> RealArray:
    """What of the network's answer, shape (2, n, n), is safe to give to `ocean.step`: bounded, fair, without mean.

    However badly trained the network is, the run must go on: every value is limited, and the part that would feed or
    drain the eddies' energy is taken out, so that the closure moves energy between scales but is no source of it.
    Raises ValueError if the answer has another shape or is not finite.
    """
    pv = ocean.pv()
    if answer.shape != pv.shape or not np.all(np.isfinite(answer)):
        raise ValueError(
            f"the closure for step {ocean.steps_done} has shape {answer.shape}, wanted {pv.shape} of finite values; "
            "check the network that is stored"
        )
    limit = LARGEST_ANSWER * np.mean(pv**2, axis=(1, 2), keepdims=True)
    bounded: RealArray = np.clip(answer, -limit, limit)
    bounded -= np.mean(bounded, axis=(1, 2), keepdims=True)
    # A tendency S changes the energy by -<psi S>, and PV itself is one such tendency.
    weighted_psi: RealArray = ocean.parameters.layer_weights * ocean.streamfunction()
    return SHARE * (bounded - pv * (np.sum(weighted_psi * bounded) / np.sum(weighted_psi * pv)))


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """What the network sees and what it should have answered, on the coarse grid."""

    inputs: Float32Array  #: shape (6, n/2, n/2), 1/s
    forcing: Float32Array  #: shape (2, n/2, n/2), 1/s^2


class CoarseView:
    """A full-resolution PV field seen through a grid of half as many points."""

    def __init__(self, parameters: OceanParameters) -> None:
        self._fine = SpectralGrid(parameters.grid_points, parameters)
        self._coarse = SpectralGrid(parameters.grid_points // 2, parameters)
        self._spacing = 2.0 * parameters.grid_spacing
        width = SMOOTHING_WIDTH * self._spacing
        self._smoothing: RealArray = np.exp(-self._coarse.wavenumber_squared * width**2 / 24.0) / 4.0

    def training_pair(self, pv: npt.NDArray[np.floating]) -> TrainingPair:
        """The pair for a PV field `pv`, 1/s, shape (2, n, n)."""
        fine = self._fine.to_spectrum(pv)
        coarse = self._smoothed(fine)
        coarse_psi = self._coarse.streamfunction(coarse)
        resolved = self._coarse.advection(coarse, coarse_psi)
        complete = self._smoothed(self._fine.advection(fine, self._fine.streamfunction(fine)))
        return TrainingPair(
            inputs=network_inputs(self._coarse.pv_and_velocity(coarse, coarse_psi), self._spacing),
            forcing=self._coarse.to_field(resolved - complete).astype(np.float32),
        )

    def _smoothed(self, spectrum: SpectralArray) -> SpectralArray:
        """Keep what the coarse grid resolves; the factor 1/4 in the smoothing is numpy's transform convention."""
        half = self._coarse.grid_points // 2
        kept = np.concatenate([spectrum[:, :half, : half + 1], spectrum[:, -half:, : half + 1]], axis=1)
        smoothed: SpectralArray = self._smoothing * kept
        return smoothed * self._coarse.resolved
