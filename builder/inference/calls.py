"""Functions that stand in the flat graph instead of several others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from archspec import user_error

#: Row sums of a 3-tap filter as two taps on the half-sized map, for the four offsets of a transposed convolution.
_FOLD = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)

#: From so many pixels on, group norm of maps with channels innermost is computed here.
_MANY_PIXELS = 128 * 128


def entered(x: Tensor) -> Tensor:
    """The input with channels innermost."""
    return x.contiguous(memory_format=torch.channels_last)


def entered_if_given(x: Tensor | None) -> Tensor | None:
    """The input with channels innermost, where there is one."""
    return None if x is None else entered(x)


def left(out: Tensor, x: Tensor) -> Tensor:
    """The output in the layout of the input."""
    return out.contiguous() if x.is_contiguous() else out


def checked(x: Tensor) -> Tensor:
    """The input itself.

    Raises:
        UserError: gradients or autocast are asked for.
    """
    if x.requires_grad and torch.is_grad_enabled():
        hint = "Use the network that for_inference was given, or torch.no_grad()."
        raise user_error("a network prepared for inference gives no gradients.", hint)
    if torch.is_autocast_enabled(x.device.type):
        hint = "Convert the network first: for_inference(network.to(torch.bfloat16)); or use the network as it was."
        raise user_error("a network prepared for inference computes in the type of its weights, not by autocast.", hint)
    return x


def embedding_into(x: Tensor, projected: Tensor) -> Tensor:
    """``x [b, c, h, w]`` plus ``projected [b, c]`` at every position, written over `x`."""
    return x.add_(projected[:, :, None, None])


def group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Group norm of a map with channels innermost, of large maps with sums that stay exact.

    torch's own adds up a channel's pixels one after another in this layout: off by 8e-5 for 256×256 pixels. Squares are
    those of what is left without the mean, as a map far from zero has nothing but rounding in their difference; sums in
    half precision, which could overflow, are torch's, and so are those under torch.compile, which has its own, exact.
    """
    batch, channels, height, width = x.shape
    if height * width < _MANY_PIXELS or x.dtype.itemsize < 4 or torch.compiler.is_compiling():
        return torch.group_norm(x, groups, weight, bias, eps)
    pixels = x.permute(0, 2, 3, 1).flatten(1, 2)
    count = height * width * (channels // groups)
    mean = pixels.sum(1).view(batch, groups, -1).sum(2, keepdim=True) / count
    centred = pixels - mean.expand(-1, -1, channels // groups).reshape(batch, 1, channels)
    variance = centred.square_().sum(1).view(batch, groups, -1).sum(2, keepdim=True) / count
    scale = weight.view(groups, -1) * torch.rsqrt(variance + eps)
    shift = torch.addcmul(bias.view(groups, -1), mean, scale, value=-1)
    sizes = (batch, channels, 1, 1)
    return torch.addcmul(shift.view(sizes), x, scale.view(sizes))


def add_into(x: Tensor, other: Tensor) -> Tensor:
    """`x` plus `other`, written over `x` where the sum has its shape and type."""
    return x.add_(other) if x.shape == other.shape and x.dtype == other.dtype else x + other


def silu_into(x: Tensor) -> Tensor:
    """SiLU of `x`, written over it."""
    return functional.silu(x, inplace=True)


def doubled_kernel(weight: Tensor) -> Tensor:
    """The weights ``[in, out, 4, 4]`` of the transposed convolution (stride 2, padding 1).

    It is the nearest neighbour twice as large, and then the convolution of ``weight [out, in, 3, 3]`` (padding 1).
    """
    fold = _FOLD.to(weight.device)
    kernel = torch.einsum("ak,oikl,bl->ioab", fold, weight.double(), fold).to(weight.dtype)
    return kernel.contiguous(memory_format=torch.channels_last)


def stacked(*tensors: Tensor) -> Tensor:
    """Rows of several tensors, one below the other."""
    return torch.cat(tensors)
