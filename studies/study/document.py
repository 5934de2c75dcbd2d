"""The study file as a model: a base, a protocol, and what is asked of them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from search.objectives import Budgets, Objectives
from search.prune import Tie
from search.scores import Score
from search.space import Space
from studies.sections.protocol import Count, Measure, Natural, Protocol, Section
from studies.sections.scores import Prefilter, Scores
from studies.study.designs.add_one_in import AddOneIn
from studies.study.designs.factorial import Factorial
from studies.study.designs.forms import Edits, Label, VariantName
from studies.study.designs.levels import AnyFactor
from studies.study.designs.margin import AnyMargin, Margin, Until
from studies.study.designs.matched import AnyMatched
from studies.study.designs.parts import PartChoices
from studies.study.designs.path import Path
from studies.study.execution import Run


class Ablation(Section):
    """Variants of the base, each trained with every seed and compared to the base pairwise by seed."""

    variants: dict[VariantName, Edits] = Field(
        default_factory=dict, min_length=1, description="name -> edits of the base"
    )
    leave_one_out: PartChoices | None = Field(
        None, description="each of these parts taken out by itself: parts by word or selector"
    )
    add_one_in: AddOneIn | None = Field(None, description="a stripped base, and each part put back by itself")
    one_factor: dict[Label, AnyFactor] | None = Field(
        None, min_length=1, description="factor -> its other levels, each in turn: edits, or values of a parameter"
    )
    factorial: Factorial | None = Field(None, description="factors varied together, in full or as a fraction")
    path: Path | None = Field(
        None, description="from the base to another architecture by single edits, the best one first"
    )
    matched: AnyMatched | None = Field(
        None, description="partners of the base's size for variants of another size: parameters, macs, or options"
    )
    same_parameters: Annotated[float, Field(ge=0, le=10)] | None = Field(
        None, description="share by which the parameters of a variant may differ from the base's without a warning"
    )
    margin: AnyMargin | None = Field(
        None, description="difference of the loss that is as good as none (0.002, or 2% of the base's), for equivalence"
    )
    until: Until | None = Field(
        None, description="seeds one by one until each variant is decided; takes the place of protocol.seeds"
    )

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        designs = ("variants", "leave_one_out", "add_one_in", "one_factor", "factorial", "path")
        if not any(getattr(self, design) is not None for design in self.model_fields_set.intersection(designs)):
            raise ValueError(f"an ablation has one of {', '.join(designs)}")
        if self.until is not None and self.path is not None:
            raise ValueError("a path chooses by all seeds, so it cannot stand beside until")
        if self.until is not None and self.factorial is not None:
            raise ValueError("the effects of a factorial need every run, so it cannot stand beside until")
        return self

    @property
    def stated_margin(self) -> Margin | None:
        """The margin of equivalence: as said, or the effect of `until`."""
        return self.margin or (self.until.effect if self.until else None)


class Sampler(Section):
    """How points are proposed, with options."""

    name: str = Field("auto", description="auto, KnownCostSampler, or a class name in optuna.samplers")
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of the class")
    seed: Natural = Field(0, description="seed of the proposals")


def _sampler(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Pruning(Section):
    """Trainings go on from rung to rung of steps, the better part of those that reach one, from where they stopped."""

    rungs: tuple[Count, ...] = Field(min_length=1, max_length=20, description="training steps at which to compare")
    eta: Annotated[int, Field(strict=True, ge=2, le=100)] = Field(3, description="one of so many goes on from a rung")
    tie: Tie = Field("hypervolume", description="how trainings of one non-dominated rank are told apart")
    pruner: str | None = Field(
        None, description="one of Optuna's pruners, asked at each rung instead; for a single objective"
    )
    options: dict[str, Any] = Field(default_factory=dict, description="arguments of that pruner")

    @model_validator(mode="after")
    def _rungs_rise(self) -> Self:
        if list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError("rungs rise, such as [100, 300]")
        if self.options and self.pruner is None:
            raise ValueError("options belong to a pruner, and none is named")
        return self


class Search(Section):
    """A space to search, what to minimise in it, and how many architectures to train."""

    space: Space = Field(min_length=1, description="what varies: parameter or any name -> its values")
    objectives: Objectives = Field(
        {"loss": "minimize"},
        min_length=1,
        max_length=4,
        description="minimised together: a list; or metric -> minimize or maximize",
    )
    budgets: Budgets = Field(
        default_factory=dict,
        description="hard limits, metric -> value or `0.9 * base`, or sentences such as `latency <= 0.9 * base`; what "
        "is known beforehand (parameters, macs) is held before anything is trained",
    )
    screen_latency: bool = Field(
        default=False,
        description="refuse points whose latency, predicted from the trials so far, is over its budget by more than "
        "the prediction's error on held-out architectures; takes part from nine measured architectures on",
    )
    sampler: Annotated[Sampler, BeforeValidator(_sampler, json_schema_input_type=str | Sampler)] = Field(
        default_factory=Sampler, description="how points are proposed: a name, or a name with options"
    )
    trials: Count = Field(20, description="trainings; refused and replayed points are not counted")
    seed: Natural | None = Field(None, description="training seed of all points; default the first of the protocol")
    include_base: bool = Field(default=True, description="propose the base first, where it is a point of the space")
    start: tuple[dict[str, Any], ...] = Field(
        (), max_length=1_000, description="points to begin with, dimension -> value; what is not said is as in the base"
    )
    near_base: Natural = Field(0, description="so many neighbours of the base are proposed after these points")
    pruning: Pruning | None = Field(None, description="stop trainings early; null trains each to its end")
    scores: Scores = Field(
        (),
        description="zero-cost scores that are recorded of each training: parameters, flops, activation_bytes, "
        "grad_norm, snip, synflow; the report says how well each ranks the trained points",
    )
    prefilter: Prefilter | None = Field(
        None, description="refuse proposed points whose zero-cost score is poor; null refuses none"
    )
    reuse: tuple[str, ...] = Field(
        (), description="studies (files or folders) whose results are taken over where protocol and device agree"
    )

    @property
    def all_scores(self) -> tuple[Score, ...]:
        """The scores of each training: those asked for, and the one that the pre-filter goes by."""
        by = () if self.prefilter is None else (self.prefilter.by,)
        return tuple(dict.fromkeys((*self.scores, *by)))


class StudyFile(Section):
    """A study: one base, one protocol, an ablation or a search or both."""

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        "edits": "Edits of the base stand in its own file (`ushape zoo NAME` prints one of the zoo to change), those "
        "of a variant under `ablation: {variants: {NAME: [...]}}`.",
        "model": "Here it is `base`.",
        "architecture": "Here it is `base`.",
    }

    version: Literal[1] = Field(description="version of the file format")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)] = Field(
        description="names the study's folder: letters, digits, . _ -"
    )
    question: str | None = Field(None, max_length=2_000, description="what the study is to answer, in a sentence")
    base: Annotated[str, Field(min_length=1)] | dict[str, Any] = Field(
        description="the architecture that is varied: a file, zoo/NAME, or unet: or graph: in place"
    )
    protocol: Protocol = Field(default_factory=Protocol, description="data, objective, training, evaluation, seeds")
    measure: Measure = Field(default_factory=Measure, description="device, and what is measured how")
    ablation: Ablation | None = Field(None, description="take parts away: does this part matter?")
    search: Search | None = Field(None, description="vary parameters: which architecture?")
    run: Run = Field(default_factory=Run, description="how many trials at once, where, limits, where records go")

    @model_validator(mode="after")
    def _tuning_suits_the_design(self) -> Self:
        if self.protocol.tune is not None and self.ablation is not None and self.ablation.path is not None:
            raise ValueError("a path finds its variants as it goes, so it cannot stand beside protocol.tune")
        return self
