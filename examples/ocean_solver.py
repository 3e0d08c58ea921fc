"""Two-layer quasi-geostrophic turbulence on a beta plane, pseudo-spectral and doubly periodic.

The oceanographer's smallest model of mesoscale eddies: a sheared mean flow is baroclinically unstable, the eddies
feed on it, bottom drag takes the energy out (Phillips 1954; Vallis, "Atmospheric and Oceanic Fluid Dynamics", ch. 9).
For each layer i, with q the potential vorticity (PV) and psi the streamfunction of the eddies, u = -psi_y, v = psi_x:

    q_t + J(psi, q) + U_i q_x + Q_i psi_x = S_i - (bottom layer) r laplace(psi)
    q_1 = laplace(psi_1) + F_1 (psi_2 - psi_1),   Q_1 = beta + F_1 (U_1 - U_2)
    q_2 = laplace(psi_2) + F_2 (psi_1 - psi_2),   Q_2 = beta - F_2 (U_1 - U_2)

S is the closure: the tendency that a caller gives to `OceanModel.step` for what the grid does not resolve.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

RealArray = npt.NDArray[np.float64]
SpectralArray = npt.NDArray[np.complexfloating]

# Adams-Bashforth weights, newest tendency first: the first two steps have too little past for third order.
ADAMS_BASHFORTH = ((1.0,), (1.5, -0.5), (23 / 12, -16 / 12, 5 / 12))


@dataclass(frozen=True, slots=True)
class OceanParameters:
    """One ocean: geometry, stratification, forcing and time step, in SI units."""

    grid_points: int = 64  #: along each side; even
    domain_size: float = 1.0e6  #: side of the square, m
    deformation_radius: float = 25.0e3  #: m
    layer_ratio: float = 0.25  #: thickness of the upper layer over that of the lower
    beta: float = 1.5e-11  #: northward gradient of the Coriolis parameter, 1/(m s)
    shear: float = 0.08  #: mean eastward flow of the upper layer over the resting lower one, m/s
    bottom_drag: float = 6.0e-7  #: 1/s
    time_step: float = 3600.0  #: s
    filter_strength: float = 8.0  #: e-foldings a step at the smallest resolved scale; 0 for no dissipation

    def __post_init__(self) -> None:
        """Refuse grids that cannot be halved and lengths or steps that are not positive."""
        if self.grid_points < 8 or self.grid_points % 2:
            raise ValueError(f"grid_points is {self.grid_points}; give an even number of at least 8")
        for name in ("domain_size", "deformation_radius", "layer_ratio", "time_step"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a positive number")

    @property
    def grid_spacing(self) -> float:
        """Distance between grid points, m."""
        return self.domain_size / self.grid_points

    @property
    def layer_weights(self) -> RealArray:
        """Share of each layer in the depth, shape (2, 1, 1)."""
        return np.array([self.layer_ratio, 1.0]).reshape(2, 1, 1) / (1.0 + self.layer_ratio)

    @property
    def stretching(self) -> tuple[float, float]:
        """F_1 and F_2: how strongly the layers feel the height of their interface, 1/m^2."""
        upper = self.deformation_radius**-2 / (1.0 + self.layer_ratio)
        return upper, self.layer_ratio * upper


class SpectralGrid:
    """Wavenumbers of a square grid and what can be said of a PV field on it without time.

    Fields are (2, n, n), layer, y, x; spectra are their `rfft2`. Wavenumbers past two thirds of the largest are kept
    at zero, so that products of two fields have no aliasing error and energy is conserved to the time step's accuracy.
    """

    def __init__(self, grid_points: int, parameters: OceanParameters) -> None:
        self.grid_points = grid_points
        unit = 2.0 * np.pi / parameters.domain_size
        along_x = np.fft.rfftfreq(grid_points, 1.0 / grid_points)
        along_y = np.fft.fftfreq(grid_points, 1.0 / grid_points)[:, None]
        largest = grid_points / 3.0
        self.resolved: npt.NDArray[np.bool_] = (np.abs(along_x) < largest) & (np.abs(along_y) < largest)
        self.d_dx: SpectralArray = 1j * unit * along_x
        self.d_dy: SpectralArray = 1j * unit * along_y
        self.wavenumber_squared: RealArray = unit**2 * (along_x**2 + along_y**2)
        #: wavenumber over the largest resolved one
        self.relative_wavenumber: RealArray = np.sqrt(along_x**2 + along_y**2) / largest
        self._inversion = self._invert_stretching(*parameters.stretching)

    def _invert_stretching(self, upper: float, lower: float) -> RealArray:
        """For each wavenumber the 2 x 2 matrix from PV to streamfunction, shape (2, 2, n, n/2 + 1)."""
        squared = self.wavenumber_squared
        determinant = squared * (squared + upper + lower)
        determinant[0, 0] = 1.0
        shape = np.ones_like(squared)
        matrix = -np.array([[squared + lower, upper * shape], [lower * shape, squared + upper]]) / determinant
        matrix[..., 0, 0] = 0.0  # the mean of the streamfunction means nothing
        return matrix * self.resolved

    def to_spectrum(self, field: npt.NDArray[np.floating]) -> SpectralArray:
        """Resolved part of the transform of a field of shape (2, n, n)."""
        return np.fft.rfft2(field).astype(np.complex128, copy=False) * self.resolved

    def to_field(self, spectrum: SpectralArray) -> RealArray:
        """Values on the grid of spectra of shape (..., n, n/2 + 1)."""
        return np.fft.irfft2(spectrum, s=(self.grid_points, self.grid_points))

    def streamfunction(self, pv: SpectralArray) -> SpectralArray:
        """Spectrum of psi, m^2/s, from that of PV, 1/s."""
        psi: SpectralArray = self._inversion[:, 0] * pv[0] + self._inversion[:, 1] * pv[1]
        return psi

    def pv_and_velocity(self, pv: SpectralArray, psi: SpectralArray) -> RealArray:
        """Fields q (1/s), u and v (m/s) on the grid, shape (3, 2, n, n)."""
        return self.to_field(np.stack([pv, -self.d_dy * psi, self.d_dx * psi]))

    def advection(self, pv: SpectralArray, psi: SpectralArray) -> SpectralArray:
        """Spectrum of J(psi, q) = (u q)_x + (v q)_y, 1/s^2."""
        q, u, v = self.pv_and_velocity(pv, psi)
        flux = np.fft.rfft2(np.stack([u * q, v * q]))
        divergence: SpectralArray = self.d_dx * flux[0] + self.d_dy * flux[1]
        return divergence * self.resolved


class OceanModel:
    """One ocean in motion: `step` it, look at its fields, `save` it and `load` it again.

    Equal parameters, seed and closure terms give equal bits on the same machine, also through a checkpoint.
    """

    def __init__(self, parameters: OceanParameters, pv: npt.NDArray[np.floating]) -> None:
        """Begin at time zero from the PV field `pv`, 1/s, shape (2, n, n)."""
        self.parameters = parameters
        self.steps_done = 0
        self.grid = SpectralGrid(parameters.grid_points, parameters)
        self.pv_spectrum = self.grid.to_spectrum(pv)
        self._past: list[SpectralArray] = []  # tendencies of the last two steps, newest first
        upper, lower = parameters.stretching
        mean_flow = np.array([parameters.shear, 0.0]).reshape(2, 1, 1)
        mean_gradient = parameters.beta + np.array([upper, -lower]).reshape(2, 1, 1) * parameters.shear
        drag = np.array([0.0, parameters.bottom_drag]).reshape(2, 1, 1)
        self._from_pv = -mean_flow * self.grid.d_dx
        self._from_psi = -mean_gradient * self.grid.d_dx + drag * self.grid.wavenumber_squared
        # Only the smallest scales are damped: below 0.65 of the largest wavenumber nothing is touched.
        excess = np.clip((self.grid.relative_wavenumber - 0.65) / 0.35, 0.0, None)
        self._filter = np.exp(-parameters.filter_strength * excess**4)

    @classmethod
    def from_random_eddies(cls, parameters: OceanParameters, *, seed: int, speed: float = 0.1) -> OceanModel:
        """Begin with random eddies as large as the unstable waves; `speed` is the upper layer's rms, m/s."""
        n = parameters.grid_points
        grid = SpectralGrid(n, parameters)
        noise = grid.to_spectrum(np.random.default_rng(seed).standard_normal((2, n, n)))
        scale = np.sqrt(grid.wavenumber_squared) * parameters.deformation_radius
        psi = noise * np.exp(-((scale - 0.8) ** 2) / 0.1)
        psi[1] = 0.5 * psi[0] + 0.2 * psi[1]
        psi[:, 0, 0] = 0.0
        upper, lower = parameters.stretching
        pv = -grid.wavenumber_squared * psi + np.stack([upper * (psi[1] - psi[0]), lower * (psi[0] - psi[1])])
        _, u, v = grid.pv_and_velocity(pv, psi)
        return cls(parameters, grid.to_field(pv) * (speed / np.sqrt(np.mean(u[0] ** 2 + v[0] ** 2))))

    def step(self, closure: npt.NDArray[np.floating] | None = None) -> None:
        """Advance by one time step, with the PV tendency `closure`, 1/s^2, shape (2, n, n), if given."""
        psi = self.grid.streamfunction(self.pv_spectrum)
        tendency = self._from_pv * self.pv_spectrum + self._from_psi * psi - self.grid.advection(self.pv_spectrum, psi)
        if closure is not None:
            tendency += self.grid.to_spectrum(closure)
        tendencies = [tendency, *self._past]
        weights = ADAMS_BASHFORTH[len(tendencies) - 1]
        change = sum(weight * past for weight, past in zip(weights, tendencies, strict=True))
        self.pv_spectrum = self._filter * (self.pv_spectrum + self.parameters.time_step * change)
        self._past = tendencies[:2]
        self.steps_done += 1

    @property
    def time(self) -> float:
        """Simulated time, s."""
        return self.steps_done * self.parameters.time_step

    def pv(self) -> RealArray:
        """Potential vorticity of the eddies, 1/s, shape (2, n, n)."""
        return self.grid.to_field(self.pv_spectrum)

    def streamfunction(self) -> RealArray:
        """Streamfunction of the eddies, m^2/s, shape (2, n, n)."""
        return self.grid.to_field(self.grid.streamfunction(self.pv_spectrum))

    def pv_and_velocity(self) -> RealArray:
        """PV (1/s), u and v (m/s) of the eddies, shape (3, 2, n, n)."""
        return self.grid.pv_and_velocity(self.pv_spectrum, self.grid.streamfunction(self.pv_spectrum))

    def energy(self) -> float:
        """Kinetic and available potential energy of the eddies for each unit of mass, m^2/s^2."""
        # Integrating by parts, the sum of both is minus half the depth-weighted mean of psi q.
        weighted_psi = self.parameters.layer_weights * self.streamfunction()
        return -0.5 * float(np.sum(weighted_psi * self.pv())) / self.parameters.grid_points**2

    def enstrophy(self) -> float:
        """Half the depth-weighted mean square of PV, 1/s^2."""
        return 0.5 * float(np.sum(self.parameters.layer_weights * self.pv() ** 2)) / self.parameters.grid_points**2

    def save(self, path: Path) -> None:
        """Write a checkpoint that a crash at any moment leaves either old and whole or new and whole."""
        temporary = path.with_name(path.name + ".part")
        with temporary.open("wb") as file:
            np.savez(
                file,
                parameters=np.array(json.dumps(asdict(self.parameters))),
                steps_done=np.array(self.steps_done),
                pv_spectrum=self.pv_spectrum,
                past=np.array(self._past).reshape(-1, *self.pv_spectrum.shape),
            )
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        # The new name must be on the disk too, not only the bytes.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @classmethod
    def load(cls, path: Path) -> OceanModel:
        """Continue from a checkpoint: every later bit is that of a run which never stopped."""
        with np.load(path, allow_pickle=False) as saved:
            parameters = OceanParameters(**json.loads(str(saved["parameters"])))
            model = cls(parameters, np.zeros((2, parameters.grid_points, parameters.grid_points)))
            model.steps_done = int(saved["steps_done"])
            model.pv_spectrum = saved["pv_spectrum"]
            model._past = list(saved["past"])
        return model
