"""The bounds of every number that an operation takes: the last that are right, and the first that are wrong."""

from __future__ import annotations

from typing import Any

#: what an operation needs beside the parameter that is looked at
NEEDED: dict[str, dict[str, Any]] = {
    "conv": {"out": 8}, "resnet_block": {"out": 8}, "mlp": {"hidden": 8, "out": 8}, "time_embedding": {"dim": 8},
    "label_embedding": {"classes": 8, "out": 8}, "mp_conv": {"out": 8}, "mp_linear": {"out": 8},
    "mp_fourier": {"dim": 8}, "one_hot": {"classes": 8}, "mp_block": {"out": 8, "flavor": "encoder"},
    "fir_resample": {"resample": "up"}, "fourier_features": {"dim": 8}, "linear": {"out": 8},
    "blurred_conv": {"out": 8}, "input": {"channels": 8, "resolution": 8},
}  # fmt: skip

WIDTH = (1, 65_536, 0, "must be at least 1, not 0", 65_537, "must be at most 65536, not 65537")
COUNT = (1, 4_096, 0, "must be at least 1, not 0", 4_097, "must be at most 4096, not 4097")
RATE = (0.0, 0.999, -0.1, "must be at least 0, not -0.1", 1.0, "must be less than 1, not 1.0")
EPSILON = (1e-12, 1.0, 0.0, "must be more than 0, not 0.0", 1.1, "must be at most 1, not 1.1")
BALANCE = (0.0, 1.0, -0.1, "must be at least 0, not -0.1", 1.1, "must be at most 1, not 1.1")
POSITIVE = (1e-9, 1e9, 1e-10, "must be at least 1e-09, not 1e-10", 2e9, "must be at most 1e+09, not 2000000000.0")
SCALE = (-100.0, 100.0, -101.0, "must be at least -100, not -101.0", 101.0, "must be at most 100, not 101.0")
FACTOR = (0.0, 100.0, -0.5, "must be at least 0, not -0.5", 100.5, "must be at most 100, not 100.5")
RESIDUAL = (1e-3, 100.0, 0.0, "must be more than 0, not 0.0", 101.0, "must be at most 100, not 101.0")
DEPTH = (1, 256, 0, "must be at least 1, not 0", 257, "must be at most 256, not 257")
MULTIPLE = (1, 64, 0, "must be at least 1, not 0", 65, "must be at most 64, not 65")
SHIFT = (0.0, 1.0, -0.5, "must be at least 0, not -0.5", 1.5, "must be at most 1, not 1.5")
PERIOD = (1.1, 1e9, 1.0, "must be more than 1, not 1.0", 2e9, "must be at most 1e+09, not 2000000000.0")
THRESHOLD = (0.1, 1e4, 0.0, "must be more than 0, not 0.0", 10_001.0, "must be at most 10000, not 10001.0")

BOUNDS: dict[tuple[Any, ...], list[str]] = {
    WIDTH: [
        "input.channels", "input.resolution", "time_embedding.dim", "mlp.hidden", "mlp.out", "conv.out",
        "resnet_block.out", "resnet_block.emb_dim", "resnet_block.hidden", "attention.head_dim", "transformer.head_dim",
        "label_embedding.classes", "label_embedding.out", "mp_conv.out", "mp_linear.out", "mp_fourier.dim",
        "one_hot.classes", "mp_block.out", "mp_attention.head_dim", "fourier_features.dim", "linear.out",
        "blurred_conv.out", "gated_concat.hidden", "window_attention.window", "window_attention.head_dim",
    ],
    COUNT: [
        "conv.groups", "norm.groups", "resnet_block.groups", "attention.groups", "attention.heads",
        "transformer.groups", "transformer.heads", "window_attention.groups", "window_attention.heads",
    ],
    RATE: ["resnet_block.dropout", "transformer.dropout", "mp_block.dropout"],
    EPSILON: ["norm.eps", "resnet_block.eps", "attention.eps", "transformer.eps", "window_attention.eps"],
    BALANCE: ["mp_sum.t", "mp_concat.t", "mp_block.t", "mp_attention.t"],
    POSITIVE: [
        "mp_fourier.bandwidth", "pixel_norm.eps", "clip.limit", "time_embedding.scale", "fourier_features.scale",
    ],
    SCALE: ["concat.skip_scale", "add.x_scale", "add.skip_scale"],
    FACTOR: ["freeu_concat.backbone", "freeu_concat.skip_scale"],
    RESIDUAL: ["resnet_block.residual_scale", "attention.residual_scale"],
    DEPTH: ["transformer.depth"],
    MULTIPLE: ["transformer.ff_mult"],
    SHIFT: ["time_embedding.freq_shift"],
    PERIOD: ["time_embedding.max_period"],
    THRESHOLD: ["freeu_concat.threshold"],
}  # fmt: skip
