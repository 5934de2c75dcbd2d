"""The rules that a study stated for its verdicts before it saw results: margin, stopping, tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studies.frame import StudyResults


@dataclass(frozen=True)
class Rules:
    """What a study file says of its verdicts.

    Attributes:
        margin: difference of the loss that is as good as none; None: equivalence is not asked for.
        relative: whether the margin is a share of the base's mean.
        stated: when the margin was first stated, as an ISO time; None if that is not recorded.
        beforehand: whether that was before the first result of the ablation.
        max_seeds: of a sequential study; None for a fixed number of seeds.
        tuned: the parameters that each variant could tune before it was judged.
    """

    margin: float | None = None
    relative: bool = False
    stated: str | None = None
    beforehand: bool = True
    max_seeds: int | None = None
    tuned: tuple[str, ...] = ()

    @property
    def sequential(self) -> bool:
        """Whether seeds were added in view of the results."""
        return self.max_seeds is not None

    def margin_for(self, metric: str, base_mean: float) -> float | None:
        """The margin in a metric's unit; None where there is none, or where it was stated after results."""
        if metric != "loss" or self.margin is None or not self.beforehand:
            return None
        return self.margin * abs(base_mean) if self.relative else self.margin


def rules_of(results: StudyResults) -> Rules:
    """The rules of a study, with the time at which its present margin was stated."""
    ablation = results.document.get("ablation") or {}
    until = ablation.get("until") or {}
    margin: dict[str, Any] | None = ablation.get("margin") or until.get("effect")
    tune = (results.document.get("protocol") or {}).get("tune") or {}
    if margin is None:
        return Rules(max_seeds=until.get("max_seeds"), tuned=tuple(tune.get("what", ())))
    known = [said for said in results.stated if said.get("margin") == margin]
    return Rules(
        margin=float(margin["value"]),
        relative=bool(margin.get("relative", False)),
        stated=known[-1]["stated"] if known else None,
        beforehand=not known or not known[-1].get("results", 0),
        max_seeds=until.get("max_seeds"),
        tuned=tuple(tune.get("what", ())),
    )
