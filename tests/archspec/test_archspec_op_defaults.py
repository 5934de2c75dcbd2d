"""What an operation is where nothing is said: its defaults, its ports with their roles, its group norms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from bound_cases import NEEDED

from archspec.ops import (
    ATTENTION,
    BLOCKS,
    MERGES,
    OPS,
    Attention,
    Conv,
    Norm,
    Op,
    ResnetBlock,
    Transformer,
    WindowAttention,
)
from archspec.ops.shapes import Embedding, FeatureMap, Shape, Tokens

#: A file that leaves a parameter out means this; another default would be another architecture under the same text.
DEFAULTS: dict[str, dict[str, Any]] = {
    "input": {"kind": "image", "dim": None, "length": None},
    "output": {},
    "time_embedding": {"type": "sinusoidal", "order": "sin_cos", "freq_shift": 1.0, "max_period": 10_000.0,
                       "scale": None, "steps": None},
    "mlp": {},
    "conv": {"kernel": 3, "groups": 1, "bias": True, "zero_init": False},
    "norm": {"type": "group", "groups": 32, "eps": 1e-6},
    "act": {"fn": "silu"},
    "resnet_block": {"conditioning": "add", "emb_dim": None, "dropout": 0.0, "groups": 32, "eps": 1e-6,
                     "conv_shortcut": False, "zero_init": False, "resample": "none", "resample_filter": None,
                     "hidden": None, "residual": True, "residual_scale": 1.0, "project_shortcut": False,
                     "norm_type": "group", "norm_order": "pre", "act": "silu", "condition_both": False},
    "attention": {"type": "vanilla", "heads": None, "head_dim": None, "norm": None, "residual": None, "groups": 32,
                  "eps": 1e-6, "qkv_bias": None, "fused_qkv": False, "zero_init": False, "residual_scale": 1.0,
                  "norm_type": "group"},
    "downsample": {"method": "conv", "padding": "asymmetric"},
    "upsample": {"conv": True, "mode": "nearest"},
    "concat": {"skip_scale": 1.0, "learn_skip_scale": False},
    "add": {"project": False, "x_scale": 1.0, "skip_scale": 1.0, "learn_x_scale": False, "learn_skip_scale": False},
    "transformer": {"depth": 1, "heads": None, "head_dim": None, "self_attention": True, "cross_attention": True,
                    "feed_forward": True, "ff_mult": 4, "ff_act": "geglu", "projection": "conv", "groups": 32,
                    "eps": 1e-6, "dropout": 0.0, "residual": True, "zero_init": False, "norm_type": "group"},
    "label_embedding": {"type": "table", "bias": False, "scaled": False},
    "add_embeddings": {},
    "mp_conv": {"kernel": 3, "gain": False},
    "mp_linear": {},
    "mp_fourier": {"bandwidth": 1.0},
    "mp_silu": {},
    "mp_sum": {"t": 0.5},
    "mp_concat": {"t": 0.5},
    "pixel_norm": {"eps": 1e-4},
    "ones_channel": {},
    "clip": {"limit": 256.0},
    "one_hot": {"scaled": True},
    "mp_block": {"resample": "none", "filter": (1.0, 1.0), "dropout": 0.0, "t": 0.3},
    "mp_attention": {"head_dim": 64, "t": 0.3},
    "fir_resample": {"filter": (1.0, 3.0, 3.0, 1.0)},
    "fourier_features": {"scale": 16.0},
    "linear": {"bias": True},
    "blurred_conv": {"kernel": 3, "filter": (1.0, 3.0, 3.0, 1.0)},
    "gated_concat": {"hidden": None},
    "freeu_concat": {"backbone": 1.2, "skip_scale": 0.9, "threshold": 1.0},
    "window_attention": {"window": 8, "shift": 0, "heads": None, "head_dim": None, "groups": 32, "eps": 1e-6,
                         "norm_type": "group", "relative_position": False},
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_what_is_not_said_of_an_operation(name: str) -> None:
    needed = NEEDED.get(name, {})
    op = OPS[name].model_validate({"op": name, **needed})
    assert {key: value for key, value in op if key != "op" and key not in needed} == DEFAULTS[name]


#: operations of one map; and the others with the role of each port, those that may stay empty in brackets
OF_ONE_MAP = {
    "output", "conv", "norm", "act", "attention", "downsample", "upsample", "mp_conv", "mp_silu", "pixel_norm",
    "ones_channel", "clip", "mp_attention", "fir_resample", "blurred_conv", "window_attention",
}  # fmt: skip
PORTS: list[tuple[dict[str, Any], str]] = [
    ({"op": "input", "channels": 3, "resolution": 8}, ""),
    ({"op": "time_embedding", "dim": 8}, "t emb"),
    ({"op": "fourier_features", "dim": 8}, "t emb"),
    ({"op": "mp_fourier", "dim": 8}, "t emb"),
    ({"op": "label_embedding", "classes": 3, "out": 4}, "label emb"),
    ({"op": "one_hot", "classes": 3}, "label emb"),
    ({"op": "mlp", "hidden": 4, "out": 4}, "x emb"),
    ({"op": "linear", "out": 4}, "x emb"),
    ({"op": "mp_linear", "out": 4}, "x emb"),
    ({"op": "add_embeddings"}, "x emb, other emb"),
    ({"op": "concat"}, "x main, skip skip"),
    ({"op": "add"}, "x main, skip skip"),
    ({"op": "mp_sum"}, "x main, skip skip"),
    ({"op": "mp_concat"}, "x main, skip skip"),
    ({"op": "gated_concat"}, "x main, skip skip"),
    ({"op": "freeu_concat"}, "x main, skip skip"),
    ({"op": "resnet_block", "out": 8}, "x main, emb emb"),
    ({"op": "resnet_block", "out": 8, "emb_dim": 4}, "x main, [emb emb]"),
    ({"op": "resnet_block", "out": 8, "conditioning": "none"}, "x main"),
    ({"op": "mp_block", "out": 8, "flavor": "encoder"}, "x main, emb emb"),
    ({"op": "transformer"}, "x main, tokens context"),
    ({"op": "transformer", "cross_attention": False}, "x main"),
    *(({"op": name, **NEEDED.get(name, {})}, "x main") for name in sorted(OF_ONE_MAP)),
]


@pytest.mark.parametrize(("data", "ports"), PORTS)
def test_the_ports_of_an_operation_and_their_roles(data: dict[str, Any], ports: str) -> None:
    op = OPS[data["op"]].model_validate(data)
    said = [(f"{port.name} {port.role}", port.required) for port in op.ports()]
    assert ", ".join(one if required else f"[{one}]" for one, required in said) == ports


def test_the_ports_of_every_operation_are_here() -> None:
    assert {data["op"] for data, _ in PORTS} == OPS.keys()


MAP, TOKENS = {"x": FeatureMap(12, 4)}, {"x": FeatureMap(12, 4), "tokens": Tokens(5, 3)}


@pytest.mark.parametrize(
    ("op", "inputs", "widths"),
    [
        (Norm(), MAP, (12,)),
        (Norm(type="layer"), MAP, ()),
        (ResnetBlock(out=8, conditioning="none"), MAP, (12, 8)),
        (ResnetBlock(out=8, hidden=6, conditioning="none"), MAP, (12, 6)),
        (ResnetBlock(out=8, hidden=6, conditioning="none", norm_order="post"), MAP, (6, 8)),
        (ResnetBlock(out=8, conditioning="none", norm_type="rms"), MAP, ()),
        (Attention(), MAP, (12,)),
        (Attention(norm=False), MAP, ()),
        (Attention(type="linear"), MAP, ()),
        (Attention(type="linear", norm=True), MAP, (12,)),
        (Attention(norm_type="pixel"), MAP, ()),
        (Transformer(), TOKENS, (12,)),
        (Transformer(norm_type="none"), TOKENS, ()),
        (WindowAttention(window=2), MAP, (12,)),
        (WindowAttention(window=2, norm_type="layer"), MAP, ()),
        (Conv(out=8, groups=4), MAP, ()),
    ],
)
def test_the_widths_over_which_it_has_group_norms(op: Op, inputs: Mapping[str, Shape], widths: tuple[int, ...]) -> None:
    assert op.normed(inputs) == widths


def test_what_stands_for_what_in_tables_and_pictures() -> None:
    assert {cls.model_fields["op"].default for cls in BLOCKS} == {"resnet_block", "mp_block"}
    of_attention = {name for name in OPS if "attention" in name or name == "transformer"}
    assert {cls.model_fields["op"].default for cls in ATTENTION} == of_attention
    joins = {cls for cls in OPS.values() if "skip" in {port.name for port in cls.PORTS}}
    assert joins - set(MERGES) == {OPS["mp_sum"]}  # of embeddings too, and of smaller images on the way down
    assert set(MERGES) <= joins


@pytest.mark.parametrize(
    ("heads", "head_dim", "channels", "split"),
    [
        (None, None, 12, (1, 12)),
        (3, None, 12, (3, 4)),
        (None, 4, 12, (3, 4)),
        (2, 5, 12, (2, 5)),
        (None, 64, 12, (1, 64)),  # refused, but no division by nought
        (24, None, 12, (24, 1)),
    ],
)
def test_heads_and_their_width_from_what_is_given_of_them(
    heads: int | None, head_dim: int | None, channels: int, split: tuple[int, int]
) -> None:
    assert Attention(heads=heads, head_dim=head_dim).split(channels) == split
    assert Transformer(heads=heads, head_dim=head_dim).split(channels) == split
    assert WindowAttention(heads=heads, head_dim=head_dim).split(channels) == split


def test_no_embedding_costs_no_products_but_its_projection_is_there() -> None:
    kept = ResnetBlock(out=12, groups=4, emb_dim=5)
    bare = ResnetBlock(out=12, groups=4, conditioning="none")
    given = {**MAP, "emb": Embedding(5)}
    assert kept.parameters(MAP) - bare.parameters(MAP) == 5 * 12 + 12
    assert kept.macs(MAP) == bare.macs(MAP)
    assert kept.macs(given) - bare.macs(MAP) == 5 * 12
    assert kept.parameters(given) == kept.parameters(MAP)
