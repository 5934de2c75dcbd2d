"""The networks that are compared, ours and diffusers', with the same weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from archspec import check_data
from archspec.text.positions import Positions
from builder import assemble, initialise
from builder.weights.diffusers import config, to_diffusers

#: name -> parameters of the short form
SIZES: dict[str, dict[str, Any]] = {
    "digits demo, 8x8": {
        "ch": 32, "out_ch": 1, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 1,
        "resolution": 8,
    },
    "DDPM CIFAR-10, 32x32": {
        "ch": 128, "out_ch": 3, "ch_mult": [1, 2, 2, 2], "num_res_blocks": 2, "attn_resolutions": [16],
        "in_channels": 3, "resolution": 32,
    },
    "seed 256 at a quarter": {
        "ch": 32, "out_ch": 3, "ch_mult": [1, 1, 2, 2, 4], "num_res_blocks": 2, "attn_resolutions": [16],
        "in_channels": 3, "resolution": 256,
    },
    "attention at 64x64": {
        "ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [64], "in_channels": 3,
        "resolution": 64,
    },
}  # fmt: skip


#: the network whose attention is also compared with the one written out
ATTENTION = "attention at 64x64"


@dataclass(frozen=True)
class Pair:
    """Two networks that compute the same, and inputs for them."""

    ours: Any
    theirs: Any
    x: torch.Tensor
    t: torch.Tensor


def pair(name: str, batch: int, device: torch.device) -> Pair:
    """A network of `SIZES` and diffusers' UNet2DModel with its weights."""
    import diffusers

    graph = check_data({"version": 1, "name": name, "unet": SIZES[name]}, Positions(name)).sound()
    ours = assemble(graph)
    initialise(ours, seed=0)
    theirs = diffusers.UNet2DModel(**config(graph))
    theirs.load_state_dict(to_diffusers(graph, ours.state_dict()), strict=True)
    torch.manual_seed(0)
    x = torch.randn(batch, SIZES[name]["in_channels"], SIZES[name]["resolution"], SIZES[name]["resolution"])
    t = torch.randint(1000, (batch,))
    return Pair(ours.to(device), theirs.to(device), x.to(device), t.to(device))


class WrittenOut(nn.Module):
    """Attention as CompVis publishes it: all products of q and k, softmax, and the sum, each written out.

    Takes the place of a compiled attention block and has its layers.
    """

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.norm, self.q, self.k, self.v = block.norm, block.q, block.k, block.v
        self.proj_out = block.proj_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        b, c, height, width = x.shape
        h = self.norm(x)
        q, k, v = (_convolved(h, layer).reshape(b, c, height * width) for layer in (self.q, self.k, self.v))
        weights = torch.bmm(q.transpose(1, 2), k) * c**-0.5
        attended = torch.bmm(v, weights.softmax(dim=2).transpose(1, 2)).reshape(b, c, height, width)
        return x + _convolved(attended, self.proj_out)


def _convolved(x: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
    return functional.conv2d(x, layer.weight, layer.bias)
