"""Zero-cost scores that the graph tells, and the rule of the pre-filter."""

from __future__ import annotations

import pytest

from archspec import Spec, build, loads, total_price
from search.scores import OF_THE_GRAPH, SCORES, graph_scores, threshold

SPEC: Spec = loads(
    "version: 1\nname: small\nunet: {ch: 32, out_ch: 1, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [],"
    " in_channels: 1, resolution: 8}\n"
)


def test_what_the_graph_tells() -> None:
    graph = build(SPEC)
    found = graph_scores(graph, SCORES)
    assert set(found) == OF_THE_GRAPH
    assert found["parameters"] == total_price(graph).parameters
    assert found["flops"] == 2 * total_price(graph).macs
    # every output of the one level counts at least once: conv_in, two blocks of the middle, the way up
    assert found["activation_bytes"] > 4 * 5 * 32 * 64
    assert graph_scores(graph, ["snip", "flops"]) == {"flops": found["flops"]}


@pytest.mark.parametrize(("better", "value"), [("high", 6.0), ("low", 5.0)])
def test_a_threshold_keeps_the_better_share(better: str, value: float) -> None:
    scores = [float(number) for number in range(1, 11)]
    found = threshold("snip", better, 0.5, scores)  # type: ignore[arg-type]
    assert found is not None
    assert found.value == value
    assert sum(found.refusal({"snip": score}) is None for score in scores) == 5
    assert found.refusal({}) is None


def test_a_refusal_says_what_it_was_held_against() -> None:
    found = threshold("synflow", "high", 0.25, [3.0, 4.0, 1.0, 2.0])
    assert found is not None
    assert found.refusal({"synflow": 3.5}) == (
        "pre-filter: synflow is 3.5, under 4, where the better 25% of 4 random points begin"
    )
    low = threshold("flops", "low", 0.25, [3.0, 4.0, 1.0, 2.0])
    assert low is not None
    assert low.refusal({"flops": 1.5}) == (
        "pre-filter: flops is 1.5, over 1, where the better 25% of 4 random points begin"
    )
    assert threshold("snip", "high", 0.5, []) is None
