"""Online learning without the network's plumbing: PV fields in, better closures out. No store, no event loop."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from examples.closure_network import ClosureNetwork, torchscript_bytes
from examples.ocean_solver import OceanParameters
from examples.subgrid_forcing import CoarseView, TrainingPair


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How the closure is learned."""

    learning_rate: float = 1e-3
    rows: int = 8  #: fields in one gradient step
    replay: int = 256  #: newest pairs kept to learn from, of all members together
    held_out: int = 32  #: newest pairs kept to judge by; the network never learns from them
    hold_out_every: int = 8  #: each so many fields one is held out
    judge_every: int = 25  #: gradient steps between two looks at the held-out pairs
    improvement: float = 0.97  #: a network is better if its loss is below this share of the one in use
    seed: int = 0


class ClosureTrainer:
    """A network, the fields it learns from and the ones it is judged by; memory is bounded by the settings.

    The loss is the part of the subgrid forcing that the network does not explain: 1 for a network that answers zero.
    Not safe to call from two threads at once.
    """

    def __init__(self, parameters: OceanParameters, settings: TrainingSettings | None = None) -> None:
        self.settings = settings or TrainingSettings()
        self.gradient_steps = 0
        torch.manual_seed(self.settings.seed)
        torch.set_num_threads(1)  # the simulations need the other cores
        self._network = ClosureNetwork()
        self._in_use = copy.deepcopy(self._network)
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=self.settings.learning_rate)
        self._random = np.random.default_rng(self.settings.seed)
        self._view = CoarseView(parameters)
        self._fields_seen = 0
        self._replay: deque[TrainingPair] = deque(maxlen=self.settings.replay)
        self._held_out: deque[TrainingPair] = deque(maxlen=self.settings.held_out)

    def network_in_use(self) -> bytes:
        """The network that was published last, as TorchScript; before any training it answers zero."""
        return torchscript_bytes(self._in_use)

    def add(self, pv: npt.NDArray[np.floating]) -> None:
        """Keep a PV field, 1/s, shape (2, n, n), to learn from or, now and then, to judge by."""
        pair = self._view.training_pair(pv)
        held_out = self._fields_seen % self.settings.hold_out_every == 0
        (self._held_out if held_out else self._replay).append(pair)
        self._fields_seen += 1

    def learn(self) -> float | None:
        """One gradient step on pairs drawn from the replay; its loss, or None as long as they are too few."""
        if len(self._replay) < self.settings.rows:
            return None
        drawn = self._random.choice(len(self._replay), self.settings.rows, replace=False)
        self._network.train()
        self._optimizer.zero_grad()
        loss = _unexplained(self._network, [self._replay[int(i)] for i in drawn])
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.gradient_steps += 1
        return loss.item()

    def time_to_judge(self) -> bool:
        """Whether `improved_loss` is due."""
        return self.gradient_steps > 0 and self.gradient_steps % self.settings.judge_every == 0

    def improved_loss(self) -> float | None:
        """The held-out loss, if it is clearly below that of the network in use, which this one then replaces."""
        with torch.inference_mode():
            new = _unexplained(self._network, self._held_out).item()
            used = _unexplained(self._in_use, self._held_out).item()
        if not new < self.settings.improvement * used:
            return None
        self._in_use.load_state_dict(self._network.state_dict())
        return new


def _unexplained(network: ClosureNetwork, pairs: Sequence[TrainingPair]) -> Tensor:
    """Mean over fields and layers of the squared error over the squared forcing."""
    inputs = torch.from_numpy(np.stack([pair.inputs for pair in pairs]))
    forcing = torch.from_numpy(np.stack([pair.forcing for pair in pairs]))
    # In units of each layer's own forcing: squares of 1e-13 are past what float32 holds.
    scale = forcing.abs().amax(dim=(2, 3), keepdim=True) + 1e-30
    error: Tensor = ((network(inputs) - forcing) / scale).square().mean(dim=(2, 3))
    return (error / (forcing / scale).square().mean(dim=(2, 3))).mean()
