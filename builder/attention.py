"""Attention by name, as the reference U-Net's authors call it."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from archspec import user_error
from archspec.text.suggest import did_you_mean
from builder.layers import AttentionBlock, LinearAttention, LinearAttentionBlock

_TYPES: dict[str, Callable[[int], nn.Module]] = {
    "vanilla": AttentionBlock,
    "linear": LinearAttentionBlock,
    "none": nn.Identity,
}


def make_attention(in_channels: int, attn_type: str = "vanilla") -> nn.Module:
    """An attention block ``[b, in_channels, h, w] -> [b, in_channels, h, w]`` of a type: vanilla, linear or none.

    Raises:
        UserError: there is no such type.
    """
    if attn_type not in _TYPES:
        hint = did_you_mean(attn_type, _TYPES) or f"Choices: {', '.join(_TYPES)}."
        raise user_error(f"{attn_type!r} is not an attention type.", hint)
    return _TYPES[attn_type](in_channels)


__all__ = ["LinearAttention", "make_attention"]
