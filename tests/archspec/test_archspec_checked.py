"""What checking gives back: a spec, a graph, problems, and the exception for who wants only a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import archspec
from archspec import Edit
from archspec.build import Checked, check_document
from archspec.text.parse import parse
from archspec.text.positions import Place, Positions

SOUND = """\
version: 1
name: small
unet: {ch: 32, out_ch: 3, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [8], in_channels: 3, resolution: 16}
"""
DOUBTFUL = SOUND.replace("[8]", "[8, 4]")
UNSOUND = SOUND.replace("ch: 32", "ch: 40")
UNREADABLE = SOUND.replace("name: small", "name: [")
MISSPELT = SOUND.replace("num_res_blocks", "num_res_block")


def test_what_is_sound_has_a_spec_and_a_graph_and_no_problem() -> None:
    checked = archspec.check_text(SOUND, "s.yaml")
    assert checked.spec is not None
    assert (checked.spec.name, checked.spec.positions.file, checked.spec.text) == ("small", "s.yaml", SOUND)
    assert checked.problems == checked.errors == ()
    assert checked.sound() is checked.graph
    assert nx.is_frozen(checked.sound())


def test_a_doubt_is_a_problem_but_no_error_and_goes_with_the_graph() -> None:
    checked = archspec.check_text(DOUBTFUL, "s.yaml")
    assert [problem.code for problem in checked.problems] == ["U501"]
    assert checked.errors == ()
    assert checked.sound().graph["warnings"] == checked.problems


@pytest.mark.parametrize(
    ("text", "has_spec", "first"),
    [
        (
            UNSOUND,
            True,
            "s.yaml:3:8: error U204 down.0.block.0 (and 2 more): 40 channels do not split into 32 groups.",
        ),
        (UNREADABLE, False, "s.yaml:4:1: error U002 not YAML: expected"),
        (MISSPELT, False, "s.yaml:3:44: error U010 `unet.num_res_block` is not a known key."),
        ("", False, "s.yaml: error U011 the file is empty."),
        ("7", False, "s.yaml:1:1: error U012 an architecture is a mapping of keys to values."),
    ],
)
def test_what_is_unsound_has_no_graph_and_its_sound_graph_raises_everything(
    text: str, has_spec: bool, first: str
) -> None:
    checked = archspec.check_text(text, "s.yaml")
    assert checked.graph is None
    assert (checked.spec is not None) == has_spec
    with pytest.raises(archspec.UserError) as caught:
        checked.sound()
    assert caught.value.problems == checked.problems
    assert str(caught.value).startswith(first)


def test_doubts_are_told_with_the_errors() -> None:
    checked = archspec.check_text(DOUBTFUL.replace("ch: 32", "ch: 40"), "s.yaml")
    assert {problem.severity for problem in checked.problems} == {"error", "warning"}
    assert {problem.severity for problem in checked.errors} == {"error"}


def test_an_empty_outcome_is_not_sound() -> None:
    with pytest.raises(archspec.UserError) as caught:
        Checked(None, None, ()).sound()
    assert caught.value.problems == ()


def test_a_document_may_be_read_before_it_is_checked() -> None:
    checked = check_document(parse(SOUND, "s.yaml"))
    assert checked.spec is not None
    assert checked.spec.text == SOUND
    assert archspec.fingerprint(checked.sound()) == archspec.fingerprint(archspec.build(archspec.loads(SOUND)))


def test_plain_data_is_checked_where_it_stands_in_its_document() -> None:
    text = "base:\n  name: small\n  version: 1\n  unet: {ch: 40, out_ch: 3}\n"
    document = parse(text, "study.yaml")
    checked = archspec.check_data(document.data["base"], document.positions, path=("base",))
    assert [str(problem).split(" That is")[0] for problem in checked.problems] == [
        f"study.yaml:4:3: error U011 `base.unet.{key}` is missing."
        for key in ("num_res_blocks", "attn_resolutions", "in_channels", "resolution")
    ]


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_data_that_is_no_mapping(data: Any) -> None:
    assert [str(problem) for problem in archspec.check_data(data, Positions("f")).problems] == [
        "f: error U012 an architecture is a mapping of keys to values. "
        "It starts with version:, name: and unet: or graph:."
    ]


def test_a_file_is_named_in_messages_as_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small.yaml").write_text(UNSOUND, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert archspec.check_file("small.yaml").problems[0].file == "small.yaml"
    assert archspec.check_file(tmp_path / "small.yaml").problems[0].file == str(tmp_path / "small.yaml")


# edits that come later


def test_later_edits_come_after_those_that_are_there() -> None:
    base = archspec.loads(SOUND + "edits:\n  - set: {nodes: mid.attn_1, to: {heads: 2}}\n", "s.yaml")
    more = (Edit.model_validate({"set": {"nodes": "mid.attn_1", "to": {"heads": 4}}}), Edit(remove="up.1.attn.0"))
    spec = base.with_edits(more)
    assert spec.architecture.edits == (*base.architecture.edits, *more)
    graph = archspec.build(spec)
    assert graph.nodes["mid.attn_1"]["op"].heads == 4
    assert "up.1.attn.0" not in graph
    assert archspec.build(base).nodes["mid.attn_1"]["op"].heads == 2  # the base is as it was


def test_each_edit_has_its_place() -> None:
    base = archspec.loads(SOUND + "edits:\n  - remove: mid.attn_1\n", "s.yaml")
    study = Positions("study.yaml", {("variants", "a"): (9, 1), ("variants", "a", 0): (10, 5)})
    spec = base.with_edits((Edit(remove="up.1.attn.0"), Edit(remove="up.1.attn.1")), study, ("variants", "a"))
    assert [place.problem("U090", "no.").where for _, place in spec.placed_edits()] == [
        "s.yaml:5:5",
        "study.yaml:10:5",
        "study.yaml:9:1",  # one that does not stand there is at the list
    ]
    again = spec.with_edits((Edit(remove="down.1.attn.0"),))
    assert [place for _, place in again.placed_edits()][:3] == [place for _, place in spec.placed_edits()]
    assert again.placed_edits()[3][1] == Place(base.positions, ("edits", 3))


def test_a_spec_without_places_has_its_edits_in_its_own_document() -> None:
    checked = archspec.check_text(SOUND + "edits:\n  - remove: mid.attn_1\n", "s.yaml")
    assert checked.spec is not None
    bare = archspec.Spec(checked.spec.name, checked.spec.architecture, checked.spec.positions)
    assert [place.problem("U090", "no.").where for _, place in bare.placed_edits()] == ["s.yaml:5:5"]
    assert archspec.fingerprint(archspec.build(bare)) == archspec.fingerprint(checked.sound())


# the full form


def test_the_full_form_spells_everything_out_in_a_line_for_each_node() -> None:
    text = archspec.to_yaml(archspec.build(archspec.loads(SOUND)))
    lines = text.splitlines()
    assert lines[:3] == ["version: 1", "name: small", "graph:"]
    [block] = [line for line in lines if line.startswith("    mid.attn_1: ")]
    assert block == (
        "    mid.attn_1: {op: attention, type: vanilla, groups: 32, eps: 1e-06, fused_qkv: false, zero_init: false, "
        "residual_scale: 1.0, norm_type: group}"
    )
    assert "    - [down.1.attn.0, up.1.skip.0, skip]" in lines
    assert len(lines) == 3 + 2 + len(archspec.build(archspec.loads(SOUND))) + text.count("    - [")


def test_the_full_form_is_a_file_again() -> None:
    graph = archspec.build(archspec.loads(SOUND))
    again = archspec.loads(archspec.to_yaml(graph), "again.yaml")
    assert again.name == "small"
    assert archspec.to_document(archspec.build(again)) == archspec.to_document(graph)


@pytest.mark.parametrize("name", ['a "quoted" name', "yes", "1e3", "ö: ü #", "null"])
def test_names_survive_the_full_form(name: str) -> None:
    document = {**archspec.to_document(archspec.build(archspec.loads(SOUND))), "name": name}
    graph = archspec.from_document(document)
    assert archspec.loads(archspec.to_yaml(graph)).name == name


def test_what_is_wrong_with_a_document_is_told_under_its_name() -> None:
    document = archspec.to_document(archspec.build(archspec.loads(SOUND)))
    del document["graph"]["nodes"]["mid.attn_1"]
    with pytest.raises(archspec.UserError) as caught:
        archspec.from_document(document)
    assert str(caught.value) == "small: error U101 there is no node `mid.attn_1`."
    with pytest.raises(archspec.UserError, match=r"^<document>: error U012 an architecture is a mapping"):
        archspec.from_document([])  # type: ignore[arg-type]
