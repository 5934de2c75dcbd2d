"""The architectures that ship with the package, held to the published numbers, and the reference's variants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec import Price
from archspec.text.parse import Positions

SEED: dict[str, Any] = {
    "ch": 128,
    "out_ch": 3,
    "num_res_blocks": 2,
    "attn_resolutions": [16],
    "in_channels": 3,
    "resolution": 256,
    "ch_mult": [1, 1, 2, 2, 4],
}

DATA = Path(__file__).parents[1] / "data" / "known_unets.json"
KNOWN = {row: (n["parameters"], n["flops"]) for row, n in json.loads(DATA.read_text(encoding="utf-8")).items()}
#: The published count lacks one product of matrices, which torch does as a plain product: see the builder's zoo test.
KNOWN["ldm-imagenet"] = (400_920_579, 208_448_176_128 + 6_144_000)
#: name -> (parameters, FLOPs as torch's FlopCounterMode counts them, two a MAC)
ZOO = {name: KNOWN[name] for name in archspec.zoo_names() if name in KNOWN}

FAMILIES = (
    *("seed-256", "seed-256-linear", "seed-256-none", "seed-256-notime", "seed-256-pool"),
    *("ddpm-cifar10", "ddpm-celebahq-256", "iddpm-cifar10", "iddpm-imagenet64"),
    *("adm-64", "adm-128", "adm-256", "adm-512", "edm-adm-64", "ldm-celebahq", "ldm-imagenet"),
    *("edm-ddpmpp-cifar10", "edm-ddpmpp-cifar10-cond", "edm-ncsnpp-cifar10"),
    *("edm2-xs", "edm2-s", "edm2-m", "edm2-l", "edm2-xl", "edm2-xxl"),
    *("sd15", "sd21-base", "sdxl-base", "sdxl-refiner", "bk-sdm-base", "bk-sdm-small", "bk-sdm-tiny"),
)

#: change of the seed's example -> (parameters, GMACs to two digits), from the table of the reference
REFERENCE: list[tuple[dict[str, Any], int, float]] = [
    ({"attn_type": "vanilla"}, 75_376_643, 247.77),
    ({"attn_type": "linear"}, 75_361_283, 248.17),
    ({"use_linear_attn": True}, 75_361_283, 248.17),
    ({"attn_type": "none"}, 69_066_755, 245.76),
    ({"resamp_with_conv": False}, 70_213_763, 219.84),
    ({"use_timestep": False}, 75_047_939, 247.77),
    ({"attn_resolutions": [32, 16, 8]}, 76_695_043, 251.80),
]


def unet(**changes: Any) -> archspec.ArchGraph:
    document = {"version": 1, "name": "reference", "unet": {**SEED, **changes}}
    return archspec.check_data(document, Positions("reference")).sound()


def test_the_zoo_is_of_the_table() -> None:
    assert set(FAMILIES) == set(archspec.zoo_names()) == set(KNOWN)


@pytest.mark.parametrize("name", ZOO)
def test_parameters_and_flops_to_the_unit(name: str) -> None:
    price = archspec.total_price(archspec.build(archspec.load(f"zoo/{name}")))
    assert (price.parameters, 2 * price.macs) == ZOO[name]


@pytest.mark.parametrize("name", ZOO)
def test_a_zoo_file_bears_its_name_and_is_without_doubt(name: str) -> None:
    checked = archspec.check_file(f"zoo/{name}")
    assert checked.spec is not None
    assert checked.spec.name == name
    assert [problem.code for problem in checked.problems] == (["U503"] if name == "seed-256-linear" else [])


@pytest.mark.parametrize(("changes", "parameters", "gmacs"), REFERENCE)
def test_the_table_of_the_reference(changes: dict[str, Any], parameters: int, gmacs: float) -> None:
    price = archspec.total_price(unet(**changes))
    assert price.parameters == parameters
    assert round(price.macs / 1e9, 2) == gmacs


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [({"skip": "add"}, 63_358_339), ({"skip": "none"}, 63_029_123), ({"num_res_blocks": 1}, 51_919_619)],
)
def test_other_known_variants(changes: dict[str, Any], parameters: int) -> None:
    assert archspec.total_price(unet(**changes)).parameters == parameters


def test_an_attention_resolution_that_is_not_reached_is_a_doubt() -> None:
    assert [str(problem) for problem in unet(attn_resolutions=[32, 16, 8]).graph["warnings"]] == [
        "reference: warning U501 no level reaches the attention resolution 8, so it has no effect. "
        "The levels have 256, 128, 64, 32, 16 (pixels, not downsampling factors)."
    ]


def test_options_of_attention_change_the_price_as_they_should() -> None:
    base, channels = archspec.total_price(unet(attn_type="linear")), 512
    normed = archspec.total_price(unet(attn_type="linear", attn={"norm": True, "residual": True}))
    assert normed.parameters - base.parameters == 6 * 2 * channels
    assert archspec.total_price(unet(attn={"heads": 8})) == archspec.total_price(unet())
    wide = archspec.total_price(unet(attn={"heads": 8, "head_dim": 128}))
    extra = 6 * (4 * channels * (1024 - 512) + 3 * (1024 - 512))
    assert wide.parameters == archspec.total_price(unet()).parameters + extra
    halved = archspec.total_price(unet(mid_attn=False))
    assert archspec.total_price(unet()).parameters - halved.parameters == 4 * channels**2 + 4 * channels + 2 * channels


def test_prices_add_up() -> None:
    assert Price(1, 2) + Price(3, 4) == Price(4, 6)
    assert archspec.total_price(archspec.build(archspec.load("zoo/seed-256"))) == Price(75_376_643, 247_770_054_656)


def test_a_file_of_that_name_comes_before_the_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "seed-256").write_text("version: 1\nname: mine\n")
    assert str(archspec.check_file("zoo/seed-256").problems[0]).startswith("zoo/seed-256:1:1: error U011 ")


def test_a_typo_in_a_zoo_name() -> None:
    with pytest.raises(archspec.UserError) as caught:
        archspec.load("zoo/sed-256")
    assert str(caught.value) == "zoo/sed-256: error U001 there is no such file. Did you mean `seed-256.yaml`?"


#: BK-SDM by edits of sd15 -> the same by parameters
BK_SDM: dict[str, dict[str, Any]] = {
    "bk-sdm-base": {"num_res_blocks": 1},
    "bk-sdm-small": {"num_res_blocks": 1, "mid_block": False},
    "bk-sdm-tiny": {"num_res_blocks": 1, "mid_block": False, "ch_mult": [1, 2, 4]},
}


@pytest.mark.parametrize("name", BK_SDM)
def test_edits_of_sd15_are_what_its_parameters_say(name: str) -> None:
    sd15 = archspec.load("zoo/sd15")
    edited = sd15.with_edits(archspec.load(f"zoo/{name}").architecture.edits)
    said = sd15.with_edits((archspec.Edit.model_validate({"unet": BK_SDM[name]}),))
    assert archspec.fingerprint(archspec.build(edited)) == archspec.fingerprint(archspec.build(said))
    assert archspec.total_price(archspec.build(edited)).parameters == KNOWN[name][0]
