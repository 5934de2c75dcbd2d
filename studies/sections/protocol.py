"""What a study holds fixed: data, objective, training, evaluation, seeds, and how trials are measured.

Nothing here imports torch. The models are frozen and refuse unknown keys; their field descriptions are the text of
the study file's JSON Schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, Tag, field_validator, model_validator

from search.objectives import quantity
from studies.sections.data import Data, Digits, ImageFolder, NpzFile, Source
from studies.sections.evaluation import Evaluate, FeatureNetwork, Samples
from studies.sections.objective import AnyObjective, Edm, Objective
from studies.sections.section import OR_A_LIST, OR_A_WORD, Count, Natural, Section, Share
from studies.sections.start import Init

# What other modules know from here, wherever it is written.
__all__ = [
    "Count", "Data", "Digits", "Edm", "Evaluate", "FeatureNetwork", "ImageFolder", "Init", "Measure", "Natural",
    "NpzFile", "Objective", "Protocol", "Samples", "Section", "Share", "Source", "Train",
]  # fmt: skip


def _checkpoint(value: Any) -> Any:
    """A path alone as the mapping it stands for."""
    return {"from": value} if isinstance(value, str) else value


def _given(value: Any) -> Any:
    return value


def _bytes(value: object) -> object:
    """Bytes from a number or from text with a unit."""
    try:
        return None if value is None else quantity("train_memory", value)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("train_memory: ")) from None


#: What training is called elsewhere -> the key.
TRAIN_NAMES = {
    "learning_rate": "lr", "batch_size": "batch", "num_steps": "steps", "iterations": "steps", "max_steps": "steps",
    "ema_decay": "ema", "warmup_steps": "warmup", "clip": "grad_clip", "wd": "weight_decay",
}  # fmt: skip


class Train(Section):
    """How every trial is trained: AdamW on batches of images with random timesteps and noise."""

    OTHER_NAMES: ClassVar[dict[str, str]] = {
        **{other: f"Here it is `{key}`." for other, key in TRAIN_NAMES.items()},
        "epochs": "Training is counted in `steps`: one epoch is the number of images over `batch`.",
    }

    steps: Natural = Field(
        300, description="Number of optimizer steps; 0 evaluates a pretrained network as it is (needs init)."
    )
    batch: Annotated[Count, BeforeValidator(_given, json_schema_input_type=Count | Literal["auto"])] = Field(
        32, description="Images per step; `auto` is 32 with `micro_batch: auto`."
    )
    micro_batch: (
        Annotated[Annotated[Count, Tag("<number>")] | Annotated[Literal["auto"], Tag("<word>")], OR_A_WORD] | None
    ) = Field(
        None,
        description="Images per forward pass, gradients accumulated over a step; auto: halved when memory runs out; "
        "null: all at once.",
    )
    memory_budget: Annotated[float, BeforeValidator(_bytes, json_schema_input_type=float | str)] | None = Field(
        None,
        description="Memory for a training step, such as 2 GB; norms and activations, then whole blocks, are computed "
        "again in the backward pass until it is estimated to fit. Null: everything is kept.",
    )
    lr: Annotated[float, Field(strict=True, gt=0)] = Field(1e-3, description="Learning rate after the warm-up.")
    warmup: Natural = Field(20, description="Steps over which the learning rate rises linearly to `lr`.")
    weight_decay: Annotated[float, Field(strict=True, ge=0)] = Field(0.0, description="AdamW's decoupled decay.")
    betas: tuple[Share, Share] = Field((0.9, 0.999), description="AdamW's decays of the two moments.")
    ema: Share | None = Field(
        0.999,
        description="Decay of the averaged weights that are evaluated; after n steps at most (1+n)/(10+n). Null: off.",
    )
    grad_clip: Annotated[float, Field(strict=True, gt=0)] | None = Field(
        1.0, description="Largest global norm of the gradients; null: no clipping."
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="Arithmetic of the forward pass; bfloat16 is autocast with float32 weights."
    )

    @model_validator(mode="before")
    @classmethod
    def _auto_batch(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("batch") == "auto":
            rest = {key: value for key, value in data.items() if key != "batch"}
            return {"micro_batch": "auto", **rest}
        return data


class Tune(Section):
    """A small budget that each variant of an ablation may tune with before it is judged."""

    what: tuple[Literal["lr"], ...] = Field(("lr",), min_length=1, max_length=1, description="what is tuned")
    factors: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (0.5, 1.0, 2.0), min_length=2, max_length=9, description="the values tried, as multiples of train.lr"
    )
    seeds: Count = Field(2, description="trainings for each value, on seeds that no comparison uses")


def _tune(value: Any) -> Any:
    return {"what": value} if isinstance(value, list | tuple) else value


class Protocol(Section):
    """Everything about a trial but its architecture and its seed."""

    data: Data = Field(default_factory=Digits, description="Where the images come from.")
    objective: AnyObjective = Field(default_factory=Objective, description="What the network learns.")
    init: Annotated[Init | None, BeforeValidator(_checkpoint, json_schema_input_type=Init | str | None)] = Field(
        None, description="Start from a checkpoint; null: from values drawn by the seed."
    )
    train: Train = Field(default_factory=Train, description="How it is trained.")
    evaluate: Evaluate = Field(default_factory=Evaluate, description="How its loss is taken.")
    tune: Annotated[Tune | None, BeforeValidator(_tune, json_schema_input_type=Tune | list[Literal["lr"]] | None)] = (
        Field(None, description="[lr]: each variant of the ablation tunes its learning rate before it is judged.")
    )
    seeds: Annotated[Annotated[Count, Tag("<number>")] | Annotated[tuple[Natural, ...], Tag("<list>")], OR_A_LIST] = (
        Field(8, description="Number of training seeds per variant (N means 0 to N−1), or the list of them.")
    )

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: int | tuple[int, ...]) -> int | tuple[int, ...]:
        if isinstance(seeds, tuple) and (not seeds or len(set(seeds)) != len(seeds)):
            raise ValueError("must be a number or a list of distinct seeds with at least one of them")
        return seeds

    @model_validator(mode="after")
    def _strata_have_timesteps(self) -> Protocol:
        if self.evaluate.strata > self.objective.timesteps:
            raise ValueError(
                f"evaluate.strata is {self.evaluate.strata}, more than the {self.objective.timesteps} timesteps "
                "of the objective: every stratum needs at least one"
            )
        return self

    @model_validator(mode="after")
    def _untrained_only_if_pretrained(self) -> Protocol:
        if self.train.steps == 0 and self.init is None:
            raise ValueError("train.steps is 0, so nothing would be trained: say init: {from: CHECKPOINT}, or steps")
        return self

    @property
    def runs(self) -> str:
        """What its trials are: trainings, or evaluations where nothing is trained."""
        return "trainings" if self.train.steps else "evaluations"

    def seed_list(self) -> tuple[int, ...]:
        """The training seeds, in order."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    def resolved(self, folder: Path) -> Protocol:
        """This protocol with its paths taken relative to `folder`."""
        changed: dict[str, Any] = {"data": self.data.resolved(folder), "evaluate": self.evaluate.resolved(folder)}
        if self.init is not None:
            source = (folder / self.init.source.expanduser()).resolve()
            changed["init"] = self.init.model_copy(update={"source": source})
        return self.model_copy(update=changed)


class Measure(Section):
    """Where trials run and how their latency and memory are measured.

    A call is timed together with one of a fixed reference network, in random order, so that a drift of the machine
    cancels in their ratio.
    """

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = Field(
        "auto", description="auto (CUDA where there is one), cpu, cuda or cuda:N; training runs there too."
    )
    threads: Count | None = Field(
        1, description="CPU threads of torch, for training too; null: what torch takes by itself."
    )
    batch: Count = Field(8, description="Images per measured call, of inference and of a training step.")
    batches: tuple[Count, ...] = Field((), description="Further batch sizes to measure, kept in the record by batch.")
    latency: bool = Field(default=True, description="Measure the time of inference and of a training step.")
    memory: bool = Field(default=True, description="Measure the peak memory of inference and of a training step.")
    energy: bool = Field(default=False, description="Measure joules per call where NVML or RAPL has a counter.")
    rounds: Count = Field(10, description="Timed rounds at least, unless max_seconds is over.")
    precision: Share = Field(
        0.01, description="Half-width of the 95 % interval of the ratio, relative, at which timing stops early."
    )
    min_seconds: Annotated[float, Field(strict=True, ge=0)] = Field(
        0.2, description="Seconds that the timed rounds last at least."
    )
    max_seconds: Annotated[float, Field(strict=True, gt=0)] = Field(
        2.0, description="Seconds after which no round is added to the first three, for warm-up and rounds each."
    )
    repeats: Natural = Field(1, description="How often a disturbed measurement is taken again before it is flagged.")
    exclusive: bool = Field(default=True, description="While one worker of this machine times, the others pause.")
    processes: Natural = Field(0, description="Fresh processes that measure, one after another; 0: the trial's own.")
    compile: bool = Field(default=False, description="Time the network under torch.compile, warm-up kept apart.")
    cuda_graph: bool = Field(default=False, description="Time replays of a CUDA graph instead of launches.")

    @model_validator(mode="after")
    def _seconds_in_order(self) -> Measure:
        if self.min_seconds > self.max_seconds:
            raise ValueError(f"min_seconds {self.min_seconds} is more than max_seconds {self.max_seconds}")
        return self
