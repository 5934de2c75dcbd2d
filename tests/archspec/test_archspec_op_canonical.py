"""What the fingerprint sees of each operation: every parameter that has an effect, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from bound_cases import NEEDED

from archspec.ops import OPS
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Timestep, Tokens

Data = dict[str, Any]

#: What arrives at each port; an embedding only where there must be one.
ARRIVING: dict[str, Shape] = {
    "x": FeatureMap(8, 8), "skip": FeatureMap(6, 8), "emb": Embedding(5), "t": Timestep(), "label": Label(),
    "tokens": Tokens(4, 3), "other": Embedding(5),
}  # fmt: skip
OF_EMBEDDINGS = ("mlp", "linear", "mp_linear", "add_embeddings")


def seen(data: Data) -> tuple[dict[str, Any], dict[str, str]]:
    """What an operation does, and what it does to each input."""
    op = OPS[data["op"]].model_validate(data)
    inputs = {port.name: ARRIVING[port.name] for port in op.ports() if port.required}
    if data["op"] in OF_EMBEDDINGS:
        inputs["x"] = ARRIVING["emb"]
    resolved = op.canonical(inputs)
    return {key: value for key, value in resolved.items() if key not in op.LABELLED}, op.labels(inputs)


BLOCK: Data = {"op": "resnet_block", "out": 8, "groups": 2}
SHIFTED: Data = {**BLOCK, "conditioning": "scale_shift"}
HALVING: Data = {**BLOCK, "resample": "down"}
NARROW: Data = {**BLOCK, "out": 4}
ATTENTION: Data = {"op": "attention", "groups": 2}
TRANSFORMER: Data = {"op": "transformer", "groups": 2}
ALONE: Data = {**TRANSFORMER, "self_attention": False, "cross_attention": False}
EMPTY: Data = {**ALONE, "feed_forward": False}
WINDOW: Data = {"op": "window_attention", "window": 4, "groups": 2}
SINES: Data = {"op": "time_embedding", "dim": 8}
TABLE: Data = {"op": "label_embedding", "classes": 3, "out": 5}
MAP: Data = {"op": "label_embedding", "classes": 3, "out": 5, "type": "linear"}
MP_BLOCK: Data = {"op": "mp_block", "out": 8, "flavor": "encoder"}
IMAGE: Data = {"op": "input", "channels": 8, "resolution": 8}
WORDS: Data = {"op": "input", "kind": "tokens", "dim": 4, "length": 3}

#: an operation -> parameters, each of which makes another computation of it
CHANGES: list[tuple[Data, Data]] = [
    (IMAGE, {"kind": "context", "channels": 4, "resolution": 4}),
    (WORDS, {"dim": 5, "length": 4}),
    (SINES, {"dim": 10, "type": "fourier", "order": "cos_sin", "freq_shift": 0.0, "max_period": 100.0, "scale": 2.0}),
    ({**SINES, "type": "fourier"}, {"order": "cos_sin", "scale": 2.0}),
    ({**SINES, "type": "learned"}, {"dim": 10, "steps": 10}),
    ({"op": "mlp", "hidden": 4, "out": 4}, {"hidden": 5, "out": 5}),
    ({"op": "conv", "out": 8}, {"out": 4, "kernel": 5, "groups": 2, "bias": False, "zero_init": True}),
    ({"op": "norm", "groups": 2}, {"type": "layer", "groups": 4, "eps": 1e-5}),
    ({"op": "norm", "type": "pixel"}, {"type": "rms", "eps": 1e-5}),
    ({"op": "act"}, {"fn": "gelu"}),
    (BLOCK, {"out": 4, "conditioning": "none", "dropout": 0.1, "groups": 4, "eps": 1e-5, "zero_init": True,
             "resample": "up", "hidden": 4, "residual": False, "residual_scale": 0.5, "project_shortcut": True,
             "norm_type": "rms", "norm_order": "post", "act": "relu", "emb_dim": 5}),
    (SHIFTED, {"condition_both": True}),
    (HALVING, {"resample_filter": [1.0, 3.0, 3.0, 1.0]}),
    (NARROW, {"conv_shortcut": True}),
    ({**BLOCK, "project_shortcut": True}, {"conv_shortcut": True}),
    (ATTENTION, {"type": "linear", "heads": 2, "head_dim": 2, "norm": False, "residual": False, "groups": 4,
                 "eps": 1e-5, "qkv_bias": False, "zero_init": True, "residual_scale": 0.5, "norm_type": "layer"}),
    ({"op": "attention", "type": "linear"}, {"norm": True, "residual": True, "qkv_bias": True}),
    (TRANSFORMER, {"depth": 2, "heads": 2, "head_dim": 2, "self_attention": False, "cross_attention": False,
                   "feed_forward": False, "ff_mult": 2, "ff_act": "gelu", "groups": 4, "eps": 1e-5, "dropout": 0.1,
                   "residual": False, "zero_init": True, "norm_type": "rms"}),
    (ALONE, {"depth": 2, "dropout": 0.1, "ff_mult": 2}),
    ({**ALONE, "heads": 1}, {"head_dim": 4}),
    ({**EMPTY, "heads": 1}, {"head_dim": 4, "zero_init": True, "residual": False}),
    (WINDOW, {"window": 2, "shift": 1, "heads": 2, "head_dim": 2, "groups": 4, "eps": 1e-5, "norm_type": "pixel",
              "relative_position": True}),
    (TABLE, {"classes": 4, "out": 6, "type": "linear"}),
    (MAP, {"bias": True, "scaled": True}),
    ({"op": "downsample"}, {"method": "space_to_depth", "padding": "symmetric"}),
    ({"op": "upsample"}, {"conv": False, "mode": "bilinear"}),
    ({"op": "upsample", "conv": False}, {"mode": "bilinear"}),
    ({"op": "concat"}, {"skip_scale": 0.5, "learn_skip_scale": True}),
    ({"op": "add", "project": True},
     {"project": False, "x_scale": 0.5, "skip_scale": 0.5, "learn_x_scale": True, "learn_skip_scale": True}),
    ({"op": "mp_conv", "out": 8}, {"out": 4, "kernel": 1, "gain": True}),
    ({"op": "mp_linear", "out": 4}, {"out": 5}),
    ({"op": "mp_fourier", "dim": 8}, {"dim": 7, "bandwidth": 2.0}),
    ({"op": "mp_sum"}, {"t": 0.3}),
    ({"op": "mp_sum", "t": 0.3}, {"t": 0.7}),
    ({"op": "mp_concat"}, {"t": 0.3}),
    ({"op": "pixel_norm"}, {"eps": 1e-3}),
    ({"op": "clip"}, {"limit": 1.0}),
    ({"op": "one_hot", "classes": 3}, {"classes": 4, "scaled": False}),
    (MP_BLOCK, {"out": 4, "flavor": "decoder", "resample": "down", "dropout": 0.1, "t": 0.5}),
    ({**MP_BLOCK, "resample": "up"}, {"filter": [1.0, 3.0, 3.0, 1.0]}),
    ({"op": "mp_attention", "head_dim": 4}, {"head_dim": 2, "t": 0.5}),
    ({"op": "fir_resample", "resample": "up"}, {"resample": "down", "filter": [1.0, 2.0, 2.0, 1.0]}),
    ({"op": "fourier_features", "dim": 8}, {"dim": 10, "scale": 1.0}),
    ({"op": "linear", "out": 4}, {"out": 5, "bias": False}),
    ({"op": "blurred_conv", "out": 4}, {"out": 5, "kernel": 1, "filter": [1.0, 1.0]}),
    ({"op": "gated_concat"}, {"hidden": 2}),
    ({"op": "freeu_concat"}, {"backbone": 1.4, "skip_scale": 0.2, "threshold": 2.0}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "change"), [(base, {key: value}) for base, changes in CHANGES for key, value in changes.items()]
)
def test_a_parameter_that_has_an_effect_is_seen(base: Data, change: Data) -> None:
    assert seen({**base, **change}) != seen(base)


@pytest.mark.parametrize(("base", "changes"), CHANGES)
def test_no_two_changes_look_alike(base: Data, changes: Data) -> None:
    found = [seen({**base, key: value}) for key, value in changes.items()]
    assert [one for index, one in enumerate(found) if one in found[:index]] == []


#: how weights are kept is no part of a computation
LAYOUT = {"attention.fused_qkv", "transformer.projection"}


def test_every_parameter_of_every_operation_is_changed_above() -> None:
    known = {f"{name}.{key}" for name, cls in OPS.items() for key in cls.model_fields if key != "op"}
    changed = {f"{base['op']}.{key}" for base, changes in CHANGES for key in changes}
    assert known - changed == LAYOUT


@pytest.mark.parametrize("name", [name for name, cls in OPS.items() if cls.LATER])
def test_a_parameter_that_came_later_is_not_seen_at_its_default(name: str) -> None:
    op = OPS[name].model_validate({"op": name, **NEEDED.get(name, {})})
    assert type(op).model_fields.keys() >= op.LATER
    assert op.LATER & op.written().keys() == set()
    assert set(op.model_dump()) - set(op.written()) == op.LATER


#: an operation -> other ways to write it, and parameters beside which it stays what it is
ALIKE: list[tuple[Data, list[Data]]] = [
    (SINES, [{"type": "sinusoidal"}, {"scale": 1.0}, {"order": "sin_cos", "freq_shift": 1.0, "max_period": 10_000.0}]),
    ({**SINES, "dim": 3, "freq_shift": 0.5}, [{"freq_shift": 0.0}, {"max_period": 100.0}]),
    ({**SINES, "type": "fourier"}, [{"scale": 16.0}, {"op": "fourier_features", "type": None}]),
    ({**SINES, "type": "learned"}, [{"steps": 1000}]),
    ({"op": "norm"}, [{"groups": 32}, {"type": "group"}]),
    ({"op": "norm", "groups": 2}, [{"groups": "auto"}]),
    ({"op": "norm", "type": "rms"}, [{"groups": 7}, {"groups": "auto"}]),
    ({"op": "norm", "type": "none"}, [{"groups": 7, "eps": 0.5}]),
    (BLOCK, [{"conv_shortcut": True}, {"hidden": 8}, {"groups": "auto"}, {"resample_filter": [1.0, 3.0, 3.0, 1.0]},
             {"norm_type": "group", "norm_order": "pre", "act": "silu", "residual": True, "residual_scale": 1.0}]),
    ({**BLOCK, "norm_type": "none"}, [{"groups": 3, "eps": 0.5}]),
    ({**BLOCK, "norm_type": "rms"}, [{"groups": 3}]),
    ({**NARROW, "residual": False}, [{"conv_shortcut": True}, {"project_shortcut": True}]),
    (NARROW, [{"project_shortcut": True}]),
    (HALVING, [{"resample_filter": [1.0, 1.0]}, {"resample_filter": [0.25, 0.25]}]),
    ({**HALVING, "resample_filter": [1.0, 3.0, 3.0, 1.0]}, [{"resample_filter": [0.5, 1.5, 1.5, 0.5]}]),
    (ATTENTION, [{"heads": 1}, {"head_dim": 8}, {"norm": True}, {"residual": True}, {"qkv_bias": True},
                 {"fused_qkv": True}, {"groups": "auto"}]),
    ({**ATTENTION, "heads": 2}, [{"head_dim": 4}, {"heads": None, "head_dim": 4}]),
    ({**ATTENTION, "norm": False}, [
        {"groups": 3, "eps": 0.5}, {"norm_type": "rms"}, {"norm": True, "norm_type": "none"}]),
    ({"op": "attention", "type": "linear"}, [{"norm": False}, {"residual": False}, {"qkv_bias": False}]),
    (TRANSFORMER, [{"heads": 1}, {"head_dim": 8}, {"projection": "linear"}, {"groups": "auto"}]),
    ({**TRANSFORMER, "feed_forward": False}, [{"ff_mult": 2}, {"ff_act": "gelu"}]),
    (ALONE, [{"heads": 2}, {"head_dim": 8}]),
    (EMPTY, [{"depth": 5}, {"dropout": 0.5}, {"ff_mult": 2}, {"heads": 4}]),
    (WINDOW, [{"heads": 1}, {"head_dim": 8}, {"groups": "auto"}, {"shift": 0}, {"norm_type": "group"}]),
    ({"op": "downsample", "method": "avg_pool"}, [{"padding": "symmetric"}]),
    ({"op": "downsample", "method": "space_to_depth"}, [{"padding": "symmetric"}]),
    ({"op": "fir_resample", "resample": "down", "filter": [2.0, 2.0]}, [
        {"filter": [1.0, 1.0]}, {"op": "downsample", "method": "avg_pool", "resample": None, "filter": None}]),
    ({"op": "fir_resample", "resample": "up", "filter": [2.0, 2.0]}, [
        {"filter": [1.0, 1.0]}, {"op": "upsample", "conv": False, "resample": None, "filter": None}]),
    (MP_BLOCK, [{"filter": [1.0, 3.0, 3.0, 1.0]}]),
    ({**MP_BLOCK, "resample": "up"}, [{"filter": [0.5, 0.5]}]),
    ({"op": "blurred_conv", "out": 4}, [{"filter": [2.0, 6.0, 6.0, 2.0]}, {"filter": [0.1, 0.3, 0.3, 0.1]}]),
    ({"op": "gated_concat"}, [{"hidden": 3}]),
    ({"op": "concat"}, [{"skip_scale": 1.0, "learn_skip_scale": False}]),
    ({"op": "clip"}, [{"limit": 256}]),
]  # fmt: skip


@pytest.mark.parametrize(("base", "other"), [(base, other) for base, others in ALIKE for other in others])
def test_what_has_no_effect_is_not_seen(base: Data, other: Data) -> None:
    assert seen({key: value for key, value in {**base, **other}.items() if value is not None}) == seen(base)


@pytest.mark.parametrize("unprojected", [{"op": "add"}, {"op": "add", "project": True}])
def test_a_projection_is_seen_only_where_there_is_one(unprojected: Data) -> None:
    op, same = OPS["add"].model_validate(unprojected), {"x": FeatureMap(8, 8), "skip": FeatureMap(8, 8)}
    assert op.canonical(same)["project"] is False
    assert op.labels(same) == {"x": "", "skip": ""}


def test_the_inputs_of_a_sum_bear_their_factors() -> None:
    same = {"x": FeatureMap(8, 8), "skip": FeatureMap(8, 8)}
    op = OPS["add"].model_validate({"op": "add", "x_scale": 0.5, "learn_skip_scale": True})
    assert op.labels(same) == {"x": "0.5", "skip": "1.0 learned"}
    both = OPS["add"].model_validate({"op": "add", "project": True, "x_scale": 0.5})
    assert both.labels({**same, "skip": FeatureMap(6, 8)}) == {"x": "x 0.5", "skip": "skip"}


def test_inputs_that_may_change_places_bear_no_name() -> None:
    maps, widths = {"x": FeatureMap(8, 8), "skip": FeatureMap(8, 8)}, {"x": Embedding(5), "other": Embedding(5)}
    assert OPS["mp_sum"].model_validate({"op": "mp_sum"}).labels(maps) == {"x": "", "skip": ""}
    assert OPS["mp_sum"].model_validate({"op": "mp_sum", "t": 0.4}).labels(maps) == {"x": "x", "skip": "skip"}
    assert OPS["add_embeddings"].model_validate({"op": "add_embeddings"}).labels(widths) == {"x": "", "other": ""}
    assert OPS["concat"].model_validate({"op": "concat"}).labels(maps) == {"x": "x", "skip": "skip"}


def test_a_width_for_an_embedding_that_arrives_is_not_seen() -> None:
    inputs = {"x": FeatureMap(8, 8), "emb": Embedding(5)}
    kept, plain = (OPS["resnet_block"].model_validate({**BLOCK, **more}) for more in ({"emb_dim": 5}, {}))
    assert kept.canonical(inputs) == plain.canonical(inputs)
    assert kept.canonical({"x": FeatureMap(8, 8)})["emb_dim"] == 5  # weights that nothing uses are weights


def test_groups_are_counted_for_each_norm_of_a_block() -> None:
    op = OPS["resnet_block"].model_validate({"op": "resnet_block", "out": 64, "groups": "auto", "conditioning": "none"})
    assert op.canonical({"x": FeatureMap(8, 8)})["groups"] == [2, 16]
    assert op.canonical({"x": FeatureMap(64, 8)})["groups"] == 16
    assert op.canonical({"x": FeatureMap(400, 8)})["groups"] == [32, 16]
