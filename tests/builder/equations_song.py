"""DDPM++ and NCSN++ as one function, written out from Song et al. 2021, in the form of Karras et al. 2022 (table 7).

It has nothing in common with the package but the names of weights. In the type of its arguments: give it float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from fir import resampled
from torch import Tensor
from torch.nn import functional

EPS = 1e-6


@dataclass(frozen=True)
class Song:
    """The sizes and kinds of parts of a network, and its weights."""

    weights: Mapping[str, Tensor]
    mult: tuple[int, ...]
    blocks: int
    attention: tuple[int, ...]
    width: int  # of the features of the noise level
    fourier: bool = False
    classes: int = 0
    taps: tuple[float, ...] = (1.0, 1.0)
    inputs: Literal["none", "residual", "skip"] = "none"
    images: bool = False  # whether each level of the way up gives an image

    def __call__(self, x: Tensor, t: Tensor, label: Tensor | None = None, vector: Tensor | None = None) -> Tensor:
        """The network's result."""
        emb = self.embedding(t, label, vector)
        h, image = self.conv(x, "conv_in"), x
        skips, last = [h], len(self.mult) - 1
        for level in range(last + 1):
            for number in range(self.blocks):
                h = self.block(h, emb, f"down.{level}.block.{number}")
                if h.shape[-1] in self.attention:
                    h = self.attended(h, f"down.{level}.attn.{number}")
                skips.append(h)
            if level < last:
                h = self.block(h, emb, f"down.{level}.downsample", "down")
                h, image = self.with_image(h, image, f"down.{level}.aux")
                skips.append(h)
        h = self.attended(self.block(h, emb, "mid.block_1"), "mid.attn_1")
        h = self.block(h, emb, "mid.block_2")
        return self.way_up(h, emb, skips)

    def way_up(self, h: Tensor, emb: Tensor, skips: list[Tensor]) -> Tensor:
        """The decoder: attention after the last block of a level alone; the image, or the sum of all levels'."""
        image: Tensor | None = None
        for level in range(len(self.mult) - 1, -1, -1):
            for number in range(self.blocks + 1):
                h = self.block(torch.cat([h, skips.pop()], dim=1), emb, f"up.{level}.block.{number}")
            if h.shape[-1] in self.attention:
                h = self.attended(h, f"up.{level}.attn.{self.blocks}")
            if self.images or level == 0:
                path = f"up.{level}." if level else ""
                out = self.conv(swish(self.normed(h, f"{path}norm_out")), f"{path}conv_out")
                image = out if image is None else out + resampled(image, "up", self.taps)
            if level:
                h = self.block(h, emb, f"up.{level}.upsample", "up")
        assert image is not None
        return image

    def embedding(self, t: Tensor, label: Tensor | None, vector: Tensor | None) -> Tensor:
        """Features of the noise level, those of the conditions beside them, and two layers, each with SiLU."""
        if self.fourier:
            angles = 2 * math.pi * t[:, None] * self.weights["time.frequencies"]
        else:
            half = self.width // 2
            angles = t[:, None] * torch.tensor([10_000.0 ** (-k / (half - 1)) for k in range(half)]).to(t)
        emb = torch.cat([angles.sin(), angles.cos()], dim=1)
        if label is not None:
            hot = functional.one_hot(label, self.classes).to(emb) * math.sqrt(self.classes)
            emb = emb + self.linear(hot, "label_emb")
        if vector is not None:
            emb = emb + vector @ self.weights["augment_emb.weight"].T
        return swish(self.linear(swish(self.linear(emb, "temb.dense.0")), "temb.dense.1"))

    def block(self, h: Tensor, emb: Tensor, path: str, change: Literal["down", "up"] | None = None) -> Tensor:
        """BigGAN's block: both branches resampled before the first convolution, the sum over √2."""
        x, h = h, swish(self.normed(h, f"{path}.norm1"))
        if change:
            x, h = resampled(x, change, self.taps), resampled(h, change, self.taps)
        h = self.conv(h, f"{path}.conv1") + self.linear(emb, f"{path}.temb_proj")[:, :, None, None]
        h = self.conv(swish(self.normed(h, f"{path}.norm2")), f"{path}.conv2")
        if change or x.shape[1] != h.shape[1]:
            x = self.conv(x, f"{path}.nin_shortcut")
        return (x + h) / math.sqrt(2)

    def attended(self, h: Tensor, path: str) -> Tensor:
        """One head over all channels; the sum over √2."""
        channels = h.shape[1]
        q, k, v = self.conv(self.normed(h, f"{path}.norm"), f"{path}.qkv").flatten(2).split(channels, dim=1)
        shares = (torch.einsum("bci,bcj->bij", q, k) / math.sqrt(channels)).softmax(dim=2)
        out = torch.einsum("bij,bcj->bci", shares, v).reshape(h.shape)
        return (h + self.conv(out, f"{path}.proj_out")) / math.sqrt(2)

    def with_image(self, h: Tensor, image: Tensor, path: str) -> tuple[Tensor, Tensor]:
        """The smaller image joins the main path: through a 1×1 convolution, or as the sum that goes on."""
        if self.inputs == "skip":
            image = resampled(image, "down", self.taps)
            return h + self.conv(image, path), image
        if self.inputs == "residual":
            h = (h + self.blurred(image, path)) / math.sqrt(2)
            return h, h
        return h, image

    def blurred(self, x: Tensor, path: str) -> Tensor:
        """Blur, then the convolution with stride 2 (Song's order), on a map with zeros all around it."""
        weight, bias = self.weights[f"{path}.weight"], self.weights[f"{path}.bias"]
        line = torch.tensor(self.taps).to(x) / sum(self.taps)
        around = 1 + (len(line) - 1) // 2
        padded = functional.pad(x, (around,) * 4)
        count = padded.shape[-1] - len(line) + 1
        rows = sum(tap * padded[:, :, number : number + count] for number, tap in enumerate(line))
        both = sum(tap * rows[..., number : number + count] for number, tap in enumerate(line))
        return functional.conv2d(both, weight, bias, stride=2)

    def normed(self, h: Tensor, path: str) -> Tensor:
        """Group norm, at least four channels a group and at most 32 groups."""
        groups = min(32, h.shape[1] // 4)
        parts = h.reshape(len(h), groups, -1)
        mean, variance = parts.mean(2, keepdim=True), parts.var(2, unbiased=False, keepdim=True)
        unit = ((parts - mean) / (variance + EPS).sqrt()).reshape(h.shape)
        return unit * self.weights[f"{path}.weight"][:, None, None] + self.weights[f"{path}.bias"][:, None, None]

    def conv(self, h: Tensor, path: str) -> Tensor:
        """A convolution; zeros beyond the edge."""
        weight = self.weights[f"{path}.weight"]
        return functional.conv2d(h, weight, self.weights[f"{path}.bias"], padding=weight.shape[-1] // 2)

    def linear(self, x: Tensor, path: str) -> Tensor:
        """A layer with bias."""
        return x @ self.weights[f"{path}.weight"].T + self.weights[f"{path}.bias"]


def swish(x: Tensor) -> Tensor:
    """SiLU."""
    return x / (1 + torch.exp(-x))
