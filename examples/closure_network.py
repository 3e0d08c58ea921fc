"""The network that answers with a closure, and its way into the store as TorchScript."""

from __future__ import annotations

import io

import torch
from torch import Tensor, nn


class ClosureNetwork(nn.Module):
    """Subgrid PV tendency from q, u, v on a doubly periodic grid of any size.

    Input (rows, 6, n, n) in 1/s, order of `network_inputs`; output (rows, 2, n, n) in 1/s^2. Rows do not touch.
    Three things are known and need no learning: the tendency is quadratic in the flow (each layer is scaled by its rms
    PV, and the first stage multiplies two convolutions), it is local, and it is the divergence of a flux, so that no PV
    is made or lost. A new network answers zero.
    """

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.left = nn.Conv2d(6, channels, 5, padding=2, padding_mode="circular")
        self.right = nn.Conv2d(6, channels, 5, padding=2, padding_mode="circular")
        self.mix = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="circular")
        self.flux = nn.Conv2d(2 * channels, 4, 3, padding=1, padding_mode="circular")
        nn.init.zeros_(self.flux.weight)
        nn.init.zeros_(self.flux.bias)  # type: ignore[arg-type]

    def forward(self, inputs: Tensor) -> Tensor:
        """Answer every row by itself."""
        pv_rms = inputs[:, 0:2].square().mean(dim=[2, 3], keepdim=True).sqrt() + 1e-15
        scaled = inputs / torch.cat([pv_rms, pv_rms, pv_rms], dim=1)
        products = self.left(scaled) * self.right(scaled)
        mixed = nn.functional.gelu(self.mix(products))
        flux = self.flux(torch.cat([products, mixed], dim=1))
        across, along = flux[:, 0:2], flux[:, 2:4]
        divergence = (torch.roll(across, -1, 3) - torch.roll(across, 1, 3)) + (
            torch.roll(along, -1, 2) - torch.roll(along, 1, 2)
        )
        return 0.5 * divergence * pv_rms.square()


def torchscript_bytes(network: nn.Module) -> bytes:
    """The network as a store and its workers take it: TorchScript, ready to answer."""
    scripted = torch.jit.script(network.eval())
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    return buffer.getvalue()
