"""What every operation says about inputs that do not fit: the whole message, what would be right, what is to blame."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from archspec.ops import (
    OPS,
    Add,
    AddEmbeddings,
    Attention,
    BlurredConv,
    Concat,
    Conv,
    Downsample,
    FirResample,
    FourierFeatures,
    FreeUConcat,
    GatedConcat,
    Misfit,
    MpAttention,
    MpBlock,
    MpConcat,
    MpSum,
    Norm,
    Op,
    ResnetBlock,
    TimeEmbedding,
    Transformer,
    WindowAttention,
)
from archspec.ops.shapes import Embedding, FeatureMap, Shape, Timestep, Tokens

X = FeatureMap(12, 6)
ODD = FeatureMap(12, 9)
EMB = Embedding(5)
SMALLER = {"x": X, "skip": FeatureMap(12, 3)}
NARROWER = {"x": X, "skip": FeatureMap(10, 6)}
ONE = {"x": X}
HALF = {"x": ODD, "emb": EMB}
WORDS = {"x": X, "tokens": Tokens(4, 3)}
T = {"t": Timestep()}


def groups(channels: int, number: int, widths: str, fitting: str, field: str = "groups") -> Misfit:
    return Misfit(
        "U204",
        f"{channels} channels do not split into {number} groups.",
        f"Use a width divisible by {number}, such as {widths}; or groups out of {fitting}.",
        field,
        about=None if field in ("out", "hidden") else "channels",
        doubts="channels" if field == "out" else None,
    )


HEADS = Misfit(
    "U205",
    "12 channels do not split into 5 heads.",
    "Heads that divide 12: 1, 2, 3, 4, 6, 12.",
    "heads",
    about="channels",
)
HEAD_DIM = Misfit(
    "U205",
    "12 channels do not split into heads of 5.",
    "Widths that divide 12: 1, 2, 3, 4, 6, 12; or give heads as well.",
    "head_dim",
    about="channels",
)
UNEVEN = Misfit(
    "U206",
    "a map of 9x9 pixels cannot be halved.",
    "Use a resolution that can be halved as often as this network does, or halve less often.",
    about="size",
    doubts="size",
)
APART = Misfit(
    "U203", "maps of 6x6 and 3x3 pixels cannot be joined.", "Join maps of one level.", about="size", doubts="size"
)
UNEQUAL = Misfit(
    "U202",
    "12 and 10 channels cannot be added.",
    "Set project: true to bring the skip to the channels of x, or use concat.",
    "project",
    about="channels",
)
FIVE = groups(12, 5, "10 or 15", "1, 2, 3, 4, 6, 12")

CASES: list[tuple[Op, Mapping[str, Shape], list[Misfit]]] = [
    (
        Conv(out=8, groups=3),
        ONE,
        [
            Misfit(
                "U202",
                "12 and 8 channels do not both split into 3 groups.",
                "Groups that divide both: 1, 2, 4.",
                "groups",
                about="channels",
            )
        ],
    ),
    (Norm(groups=5), ONE, [FIVE]),
    (Norm(groups=32), ONE, [groups(12, 32, "32", "1, 2, 3, 4, 6, 12")]),
    (Norm(groups="auto"), {"x": FeatureMap(22, 6)}, [groups(22, 5, "20 or 25", "1, 2, 11, 22")]),
    (Attention(groups=5), ONE, [FIVE]),
    (Attention(groups=4, heads=5), ONE, [HEADS]),
    (Attention(groups=4, head_dim=5), ONE, [HEAD_DIM]),
    (Attention(groups=5, heads=5), ONE, [HEADS, FIVE]),
    (Attention(type="linear", groups=5, heads=5), ONE, [HEADS]),
    (Attention(groups=4, heads=5, head_dim=5), ONE, []),
    (Transformer(groups=4, heads=5), WORDS, [HEADS]),
    (Transformer(groups=5, head_dim=5), WORDS, [HEAD_DIM, FIVE]),
    (WindowAttention(window=3, groups=4, heads=5), ONE, [HEADS]),
    (WindowAttention(window=3, groups=5), ONE, [FIVE]),
    (
        WindowAttention(window=4, groups=4),
        ONE,
        [
            Misfit(
                "U210",
                "a map of 6x6 pixels does not split into windows of 4.",
                "Windows that divide 6: 1, 2, 3, 6.",
                "window",
                about="size",
            )
        ],
    ),
    (
        MpAttention(head_dim=5),
        ONE,
        [
            Misfit(
                "U205",
                "12 channels do not split into heads of 5.",
                "Widths that divide 12: 1, 2, 3, 4, 6, 12.",
                "head_dim",
                about="channels",
            )
        ],
    ),
    (ResnetBlock(out=12, groups=5, conditioning="none"), ONE, [groups(12, 5, "10 or 15", "1, 2, 3, 4, 6, 12", "out")]),
    (ResnetBlock(out=10, groups=5, conditioning="none"), ONE, [groups(12, 5, "10 or 15", "1, 2, 3, 4, 6, 12", "x")]),
    (ResnetBlock(out=7, groups=4, conditioning="none"), ONE, [groups(7, 4, "4 or 8", "1, 7", "out")]),
    (ResnetBlock(out=8, groups=4, hidden=7, conditioning="none"), ONE, [groups(7, 4, "4 or 8", "1, 7", "hidden")]),
    (
        ResnetBlock(out=9, groups=5, hidden=7, norm_order="post", conditioning="none"),
        ONE,
        [groups(7, 5, "5 or 10", "1, 7", "hidden"), groups(9, 5, "5 or 10", "1, 3, 9", "out")],
    ),
    (
        ResnetBlock(out=12, groups=4, emb_dim=6),
        {"x": X, "emb": EMB},
        [Misfit("U202", "emb_dim is 6, but an embedding of 5 arrives.", "Leave emb_dim out.", "emb_dim")],
    ),
    (ResnetBlock(out=12, groups=4, resample="down"), HALF, [UNEVEN]),
    (ResnetBlock(out=12, groups=4, resample="up"), HALF, []),
    (Downsample(), {"x": ODD}, [UNEVEN]),
    (FirResample(resample="down"), {"x": ODD}, [UNEVEN]),
    (FirResample(resample="up"), {"x": ODD}, []),
    (BlurredConv(out=4), {"x": ODD}, [UNEVEN]),
    (MpBlock(out=12, flavor="encoder", resample="down"), HALF, [UNEVEN]),
    (MpBlock(out=12, flavor="decoder", resample="up"), HALF, []),
    (Concat(), SMALLER, [APART]),
    (MpConcat(), SMALLER, [APART]),
    (GatedConcat(), SMALLER, [APART]),
    (FreeUConcat(), SMALLER, [APART]),
    (Add(), SMALLER, [APART]),
    (MpSum(), SMALLER, [APART]),
    (Add(), NARROWER, [UNEQUAL]),
    (Add(), {"x": X, "skip": FeatureMap(10, 3)}, [APART, UNEQUAL]),
    (
        MpSum(),
        NARROWER,
        [
            Misfit(
                "U202",
                "12 and 10 channels cannot be summed.",
                "Bring one to the channels of the other by mp_conv.",
                about="channels",
            )
        ],
    ),
    (
        MpSum(),
        {"x": EMB, "skip": X},
        [
            Misfit(
                "U202",
                "embedding of 5 and 12x6x6 cannot be summed.",
                "Bring both to one shape by mp_linear.",
            )
        ],
    ),
    (
        MpSum(),
        {"x": EMB, "skip": Embedding(6)},
        [
            Misfit(
                "U202",
                "embedding of 5 and embedding of 6 cannot be summed.",
                "Bring both to one shape by mp_linear.",
            )
        ],
    ),
    (
        AddEmbeddings(),
        {"x": EMB, "other": Embedding(6)},
        [Misfit("U202", "embeddings of 5 and 6 cannot be added.", "Give both one width.", "other")],
    ),
    (
        FourierFeatures(dim=7),
        T,
        [Misfit("U202", "7 features do not split into sines and cosines.", "Use an even number, such as 8.", "dim")],
    ),
    (
        TimeEmbedding(dim=7, type="fourier"),
        T,
        [Misfit("U202", "7 features do not split into sines and cosines.", "Use an even number, such as 8.", "dim")],
    ),
    (
        TimeEmbedding(dim=3),
        T,
        [
            Misfit(
                "U202",
                "3 features are too few for sines and cosines with freq_shift 1.",
                "Use at least 4.",
                "dim",
            )
        ],
    ),
    (
        TimeEmbedding(dim=1, freq_shift=0.5),
        T,
        [
            Misfit(
                "U202",
                "1 features are too few for sines and cosines with freq_shift 0.5.",
                "Use at least 2.",
                "dim",
            )
        ],
    ),
]


@pytest.mark.parametrize(("op", "inputs", "expected"), CASES)
def test_what_is_said_of_inputs_that_do_not_fit(op: Op, inputs: Mapping[str, Shape], expected: list[Misfit]) -> None:
    assert list(op.misfits(inputs)) == expected


@pytest.mark.parametrize(
    "op",
    [
        Downsample(),
        FirResample(resample="down"),
        BlurredConv(out=12),
        MpBlock(out=12, flavor="encoder", resample="down"),
        ResnetBlock(out=12, groups=4, resample="down"),
    ],
)
def test_one_pixel_that_is_halved_is_refused_and_stays_one(op: Op) -> None:
    inputs = {"x": FeatureMap(12, 1), "emb": EMB}
    assert [misfit.message for misfit in op.misfits(inputs)] == ["a map of 1x1 pixels cannot be halved."]
    assert op.shape(inputs) == FeatureMap(12, 1)


def test_every_operation_that_has_rules_is_here() -> None:
    ruled = {cls for cls in OPS.values() if cls.misfits is not Op.misfits}
    assert ruled == {type(op) for op, *_ in CASES}
