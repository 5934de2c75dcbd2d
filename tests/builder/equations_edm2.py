"""The U-Net of EDM2 (config G) as one function, written out from the equations of Karras et al. 2024.

It has nothing in common with the package but the names of weights. In the type of its arguments: give it float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from fir import resampled
from torch import Tensor
from torch.nn import functional

EPS = 1e-4


@dataclass(frozen=True)
class Edm2:
    """The sizes and balances of a network, and its weights."""

    weights: Mapping[str, Tensor]
    mult: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    head_dim: int
    classes: int = 0
    taps: tuple[float, ...] = (1.0, 1.0)
    label_balance: float = 0.5
    concat_balance: float = 0.5
    res_balance: float = 0.3
    attn_balance: float = 0.3
    clip: float = 256.0

    def __call__(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """The network's result."""
        emb = self.embedding(t, label)
        ones = torch.ones(len(x), 1, *x.shape[2:], dtype=x.dtype)
        h = self.conv(torch.cat([x, ones], 1), "conv_in")
        skips, last = [h], len(self.mult) - 1
        for level in range(last + 1):
            for number in range(self.blocks):
                h = self.encoder(h, emb, f"down.{level}.block.{number}")
                h = self.clipped(self.attended(h, f"down.{level}.attn.{number}"))
                skips.append(h)
            if level < last:
                h = self.clipped(self.encoder(resampled(h, "down", self.taps), emb, f"down.{level}.downsample"))
                skips.append(h)
        h = self.clipped(self.attention_of(self.decoder(h, emb, "mid.block.0"), "mid.attn.0"))
        h = self.clipped(self.decoder(h, emb, "mid.block.1"))
        for level in range(last, -1, -1):
            for number in range(self.blocks + 1):
                h = self.decoder(joined(h, skips.pop(), self.concat_balance), emb, f"up.{level}.block.{number}")
                h = self.clipped(self.attended(h, f"up.{level}.attn.{number}"))
            if level:
                h = self.clipped(self.decoder(resampled(h, "up", self.taps), emb, f"up.{level}.upsample"))
        return self.conv(h, "conv_out") * self.weights["conv_out.gain"]

    def embedding(self, t: Tensor, label: Tensor | None) -> Tensor:
        """Fourier features (eq. 75) through a layer, that of the class beside it (eq. 88), SiLU (eq. 81)."""
        phase = t[:, None] * self.weights["time.frequencies"] + self.weights["time.phases"]
        emb = (math.sqrt(2) * torch.cos(2 * math.pi * phase)) @ self.rows("emb.noise").T
        if label is not None:
            hot = math.sqrt(self.classes) * functional.one_hot(label, self.classes).to(emb.dtype)
            emb = balanced(emb, hot @ self.rows("emb.label").T, self.label_balance)
        return activated(emb)

    def encoder(self, h: Tensor, emb: Tensor, path: str) -> Tensor:
        """A block of the way down: the width, each pixel's magnitude, and the residual branch (figure 21)."""
        if f"{path}.conv_skip.weight" in self.weights:
            h = self.conv(h, f"{path}.conv_skip")
        h = unit(h, (1,))
        return balanced(h, self.branch(h, emb, path), self.res_balance)

    def decoder(self, h: Tensor, emb: Tensor, path: str) -> Tensor:
        """A block of the way up: the width changes beside the residual branch."""
        branch = self.branch(h, emb, path)
        if f"{path}.conv_skip.weight" in self.weights:
            h = self.conv(h, f"{path}.conv_skip")
        return balanced(h, branch, self.res_balance)

    def branch(self, h: Tensor, emb: Tensor, path: str) -> Tensor:
        """SiLU, convolution, one plus what the embedding says, SiLU, convolution."""
        said = 1 + self.weights[f"{path}.emb_gain"] * (emb @ self.rows(f"{path}.emb_linear").T)
        h = self.conv(activated(h), f"{path}.conv_res0") * said[:, :, None, None]
        return self.conv(activated(h), f"{path}.conv_res1")

    def attended(self, h: Tensor, path: str) -> Tensor:
        """Attention at the resolutions that have it."""
        return self.attention_of(h, path) if h.shape[-1] in self.attention else h

    def attention_of(self, h: Tensor, path: str) -> Tensor:
        """Each head by itself: q, k and v of magnitude 1, softmax of q·k / √d, the sum of v; beside the input."""
        q, k, v = self.conv(h, f"{path}.qkv").flatten(2).chunk(3, dim=1)
        heads = []
        for parts in zip(*(part.split(self.head_dim, dim=1) for part in (q, k, v)), strict=True):
            q_head, k_head, v_head = (unit(part, (1,)) for part in parts)
            scores = torch.einsum("bci,bcj->bij", q_head, k_head) / math.sqrt(self.head_dim)
            shares = scores.exp() / scores.exp().sum(dim=2, keepdim=True)
            heads.append(torch.einsum("bij,bcj->bci", shares, v_head))
        out = self.conv(torch.cat(heads, dim=1).reshape(h.shape), f"{path}.proj")
        return balanced(h, out, self.attn_balance)

    def conv(self, h: Tensor, path: str) -> Tensor:
        """A convolution by normalised weights; zeros beyond the edge."""
        weight = self.rows(path)
        return functional.conv2d(h, weight, padding=weight.shape[-1] // 2)

    def rows(self, path: str) -> Tensor:
        """Each output's weights at unit length (eq. 47): magnitude 1, over the root of their number."""
        weight = self.weights[f"{path}.weight"]
        dims = tuple(range(1, weight.ndim))
        return unit(weight, dims) / math.sqrt(math.prod(weight.shape[1:]))

    def clipped(self, h: Tensor) -> Tensor:
        """No activation beyond the limit."""
        return h.clamp(-self.clip, self.clip)


def unit(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Magnitude 1 over `dims` (eq. 30, and algorithm 1 for the place of the epsilon)."""
    return x / (EPS + x.square().mean(dims, keepdim=True).sqrt())


def activated(x: Tensor) -> Tensor:
    """SiLU over its magnitude for normal numbers (eq. 81)."""
    return x / (1 + torch.exp(-x)) / 0.596


def balanced(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The sum of eq. 88."""
    return ((1 - t) * a + t * b) / math.sqrt((1 - t) ** 2 + t**2)


def joined(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The concatenation of eq. 103."""
    n, m = a.shape[1], b.shape[1]
    scale = math.sqrt((n + m) / ((1 - t) ** 2 + t**2))
    return torch.cat([a * scale * (1 - t) / math.sqrt(n), b * scale * t / math.sqrt(m)], dim=1)
