"""Whose fault a problem is: of the base, or of the edit that brings it about."""

from __future__ import annotations

import archspec
from archspec import Edit
from archspec.text.parse import Positions, parse

SMALL = """\
version: 1
name: small
unet:
  ch: 32
  out_ch: 3
  ch_mult: [1, 2]
  num_res_blocks: 2
  attn_resolutions: [8]
  in_channels: 3
  resolution: 16
"""


def edited(edits: str, text: str = SMALL) -> archspec.ArchGraph:
    return archspec.build(archspec.loads(f"{text}edits:\n{edits}", "small.yaml"))


def refused(edits: str, text: str = SMALL) -> list[str]:
    checked = archspec.check_text(f"{text}edits:\n{edits}", "small.yaml")
    assert checked.graph is None
    return [str(problem) for problem in checked.problems]


# whose fault it is


def test_edits_of_another_document_are_reported_there() -> None:
    base = archspec.loads(SMALL + "edits:\n  - remove: mid.attn_1\n", "base.yaml")
    study = parse(
        "variants:\n  wide:\n    - set: {nodes: conv_in, to: {out: 40}}\n    - remove: mid.atn_1\n", "study.yaml"
    )
    edits = tuple(Edit.model_validate(data) for data in study.data["variants"]["wide"])
    spec = base.with_edits(edits, study.positions, ("variants", "wide"))
    assert [str(problem) for problem in archspec.check_spec(spec).errors] == [
        "study.yaml:4:7: error U301 `mid.atn_1` matches no node. Did you mean `mid.block_1`?",
    ]
    spec = base.with_edits(edits[:1], study.positions, ("variants", "wide"))
    assert [str(problem) for problem in archspec.check_spec(spec).errors] == [
        "study.yaml:3:7: error U204 down.0.block.0: 40 channels do not split into 32 groups. "
        "Use a width divisible by 32, such as 32 or 64; or groups out of 1, 2, 4, 5, 8, 10, 20, 40. "
        "Inputs: conv_in = 40x16x16, temb = embedding of 128. "
        "The edit `set conv_in: out=40` brings this about.",
    ]


def test_edits_without_a_path_are_counted_on() -> None:
    base = archspec.loads(SMALL + "edits:\n  - remove: mid.attn_1\n", "base.yaml")
    positions = Positions("study.yaml", {(): (1, 1), ("edits", 1): (7, 3)})
    spec = base.with_edits((Edit(remove="mid.attn_1"),), positions)
    assert [str(problem) for problem in archspec.check_spec(spec).errors] == [
        "study.yaml:7:3: error U301 `mid.attn_1` matches no node. Did you mean `down.1.attn.1`?"
    ]


def test_unet_edits_of_a_variant_come_before_the_node_edits_of_its_base() -> None:
    base = archspec.loads(SMALL + "edits:\n  - remove: mid.attn_1\n", "base.yaml")
    graph = archspec.build(base.with_edits((Edit(unet={"ch": 64}),)).with_edits((Edit(remove="down.1.attn.0"),)))
    assert "mid.attn_1" not in graph
    assert str(graph.nodes["conv_in"]["shape"]) == "64x16x16"


def test_a_width_that_an_edit_sets_is_blamed_on_the_edit() -> None:
    assert refused("  - unet: {ch_mult: [1, 1.25]}\n")[0].startswith(
        "small.yaml:12:25: error U204 down.1.block.0 (and 6 more): 40 channels do not split into 32 groups."
    )
    assert refused("  - unet: {num_groups: 12}\n")[0].startswith(
        "small.yaml:12:12: error U204 down.0.block.0 (and 4 more): 32 channels do not split into 12 groups."
    )


def test_a_resolution_that_no_longer_fits_the_levels() -> None:
    edit = "  - unet: {ch_mult: [1, 1, 1, 1, 1, 1]}\n"
    assert [line for line in refused(edit) if " error " in line] == [
        "small.yaml:12:12: error U206 down.4.downsample: a map of 1x1 pixels cannot be halved. "
        "6 levels need a resolution divisible by 32, such as 32."
    ]


def test_problems_of_the_base_stay_where_they_are() -> None:
    found = refused("  - remove: mid.attn_1\n", SMALL.replace("ch: 32", "ch: 40"))
    assert [line.split(": error")[0] for line in found] == ["small.yaml:4:3", "small.yaml:6:16"]


def test_after_a_faulty_edit_only_what_is_certain_is_said() -> None:
    found = refused(
        "  - remove: up.0.skp.1\n"  # so the next edit finds the port filled
        "  - connect: {from: conv_in, to: up.0.block.1}\n"
        "  - set: {nodes: attention, to: {hed: 2}}\n"
    )
    assert found == [
        "small.yaml:12:5: error U301 `up.0.skp.1` matches no node. Did you mean `up.0.skip.1`?",
        "small.yaml:14:34: error U305 down.1.attn.0 (and 5 more): an attention has no parameter `hed`. "
        "Did you mean `heads`?",
    ]


def test_after_a_faulty_edit_of_the_short_form_nodes_may_be_others() -> None:
    found = refused("  - unet: {attn_resolution: [16]}\n  - remove: down.0.attn.0\n  - remove: '@'\n")
    assert [line.split(" error ")[1] for line in found] == [
        "U305 `unet` has no parameter `attn_resolution`. Did you mean `attn_resolutions`?",
        "U304 `edits.2.remove` is no selector: `@` cannot be read as a selector. "
        "Write an id, a pattern such as down.*.attn.*, an operation, op[key=value], or op @ 16; "
        "or level=1 or side=up; joined by and, or, not.",
    ]


def test_set_compares_what_is_computed_not_what_is_written() -> None:
    assert refused("  - set: {nodes: mid.attn_1, to: {head_dim: 64, residual: true}}\n") == [
        "small.yaml:12:5: error U302 this changes nothing: `mid.attn_1` has head_dim: 64, residual: true already."
    ]
    assert refused("  - replace: {nodes: mid.attn_1, with: {op: attention, heads: 1}}\n") == [
        "small.yaml:12:5: error U302 this changes nothing: `mid.attn_1` is exactly this attention already."
    ]


def test_removing_what_has_no_input() -> None:
    found = refused("  - disconnect: {from: mid.block_1, to: mid.attn_1}\n  - remove: mid.attn_1\n")
    assert found == ["small.yaml:13:5: error U303 mid.attn_1: it has no input that could go on in its place."]
