"""Budgets held by predictions: refused only where the prediction is sure enough."""

from __future__ import annotations

from collections.abc import Mapping

from archspec import ArchGraph, Spec, loads
from search.feasible import assess
from search.objectives import Metric, violations
from search.screening import Predicted, screen

MIB = 2**20
SPEC: Spec = loads(
    "version: 1\nname: small\nunet: {ch: 32, out_ch: 1, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [],"
    " in_channels: 1, resolution: 8}\n"
)


class Told:
    """A predictor that says what it is told, and remembers what it was asked."""

    def __init__(self, value: float, margin: float, note: str | None = None) -> None:
        self.answer = Predicted(value, margin, note)
        self.asked: list[frozenset[Metric]] = []

    def __call__(self, graph: ArchGraph, metrics: frozenset[Metric]) -> Mapping[Metric, Predicted]:
        self.asked.append(metrics)
        return dict.fromkeys(metrics, self.answer)


def test_over_the_budget_by_more_than_the_margin_is_refused() -> None:
    found = assess(SPEC, (), {"train_memory": 100.0 * MIB}, Told(103 * MIB, 2 * MIB))
    assert found.graph is not None
    assert found.refusal == (
        "train_memory is predicted as 103 MiB, +3.0% over its budget of 100 MiB, more than the prediction's margin "
        "of 2 MiB"
    )
    assert found.metrics["predicted_train_memory"] == 103 * MIB
    assert "train_memory" not in found.metrics


def test_within_the_margin_is_trained() -> None:
    found = assess(SPEC, (), {"train_memory": 100.0 * MIB}, Told(102 * MIB, 2 * MIB))
    assert found.refusal is None
    assert found.metrics["predicted_train_memory"] == 102 * MIB


def test_the_note_goes_along() -> None:
    found = assess(SPEC, (), {"memory": 1.0 * MIB}, Told(3 * MIB, MIB, "not validated on CUDA"))
    assert str(found.refusal).endswith("margin of 1 MiB (not validated on CUDA)")


def test_nothing_is_predicted_that_no_budget_asks_for() -> None:
    predictor = Told(1.0, 0.0)
    assert screen(assess(SPEC, (), {}).graph, {"loss": 1.0}, predictor).metrics == {}  # type: ignore[arg-type]
    over = assess(SPEC, (), {"parameters": 1.0, "memory": 5.0}, predictor)
    assert over.refusal is not None
    assert over.refusal.startswith("parameters is")
    assert predictor.asked == []
    assess(SPEC, (), {"memory": 5.0, "loss": 1.0}, predictor)
    assert predictor.asked == [frozenset({"memory"})]


def test_without_a_predictor_only_what_is_known_counts() -> None:
    found = assess(SPEC, (), {"memory": 1.0})
    assert found.refusal is None
    assert set(found.metrics) == {"parameters", "macs"}


def test_a_prediction_counts_only_until_it_is_measured() -> None:
    budgets: dict[Metric, float] = {"memory": 100.0, "latency": 1.0}
    assert violations({"predicted_memory": 150.0}, budgets) == {"memory": 0.5}
    assert violations({"predicted_memory": 150.0, "memory": 80.0}, budgets) == {"memory": -0.19999999999999996}
