"""How a study is run: how many trials at once, where, under which limits, and where their records go.

Nothing here changes what is measured of a trial, so all of it may change between two runs, but for where records lie.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from archspec.text.suggest import did_you_mean
from archspec.text.wording import shown
from studies.records.database import Storage, storage_of
from studies.sections.protocol import Count, Natural, Section
from studies.sections.section import only_key

_TIME = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_MEMORY = {
    "": 1.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30,
}  # fmt: skip
_QUANTITY = re.compile(r"^\s*(?P<number>[0-9.eE+-]+?)\s*(?P<unit>[A-Za-z]*)\s*$")


def _with_unit(value: Any, units: dict[str, float], example: str) -> Any:
    if value is None:
        return None
    match = _QUANTITY.match(str(value))
    try:
        number = float(match["number"]) * units[match["unit"]] if match else math.nan
    except (KeyError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"`{value}` is none; write a number above 0 with a unit, such as {example}")
    return number


Duration = Annotated[
    Annotated[float, Field(gt=0)] | None,
    BeforeValidator(lambda value: _with_unit(value, _TIME, "30 min"), json_schema_input_type=float | str | None),
]
Bytes = Annotated[
    Annotated[float, Field(gt=0)] | None,
    BeforeValidator(lambda value: _with_unit(value, _MEMORY, "8 GiB"), json_schema_input_type=float | str | None),
]


class Local(Section):
    """Processes on this machine."""

    local: Literal[True] = Field(default=True, description="marks it; `launch: local` is the short form")


class RayTasks(Section):
    """Tasks on a Ray cluster; needs the extra `ray`."""

    address: str | None = Field(None, description="of a running cluster, or auto; null: start one on this machine")
    cpus: Annotated[float, Field(gt=0)] = Field(1.0, description="CPU cores that a trial takes")
    gpus: Annotated[float, Field(ge=0)] = Field(0.0, description="GPUs that a trial takes")
    accelerator: str | None = Field(None, description="kind of GPU, such as A100, as Ray names it")
    retries: Natural = Field(3, description="times that a trial is begun again when its node or process is lost")
    runtime_env: dict[str, Any] = Field(default_factory=dict, description="Ray's runtime environment of the tasks")


class SlurmJobs(Section):
    """Jobs of Slurm, through submitit; needs the extra `slurm`, and the study's folder on a shared file system."""

    cluster: Literal["slurm", "local"] = Field("slurm", description="local runs the jobs on this machine")
    partition: str | None = Field(None, description="Slurm's partition")
    minutes: Count = Field(240, description="time limit of a job")
    cpus: Count = Field(1, description="CPU cores of a job")
    gpus: Natural = Field(0, description="GPUs of a job")
    memory: Annotated[str, Field(pattern=r"^\d+(\.\d+)?(MB|GB|TB)$")] | None = Field(
        None, description="main memory of a job, such as 16GB"
    )
    options: dict[str, str | int] = Field(
        default_factory=dict, description="further options of sbatch, such as account"
    )


class OnRay(Section):
    """Trials as tasks on Ray."""

    ray: RayTasks = Field(default_factory=RayTasks, description="which cluster, and what a trial takes of it")


class OnSlurm(Section):
    """Trials as jobs of Slurm."""

    slurm: SlurmJobs = Field(default_factory=SlurmJobs, description="what a job asks for")


_SHORT: dict[str, dict[str, Any]] = {"local": {"local": True}, "ray": {"ray": {}}, "slurm": {"slurm": {}}}


def _launch(value: Any) -> Any:
    if isinstance(value, str):
        if value not in _SHORT:
            hint = did_you_mean(value, _SHORT) or f"Choices: {', '.join(_SHORT)}."
            raise PydanticCustomError("launcher", "cannot be {given}", {"given": shown(value), "hint": hint})
        return _SHORT[value]
    return value


_AnyLauncher = Annotated[
    Annotated[Local, Tag("local")] | Annotated[OnRay, Tag("ray")] | Annotated[OnSlurm, Tag("slurm")],
    Discriminator(
        lambda value: only_key(value, _SHORT),
        custom_error_type="launcher",
        custom_error_message="Must be local, ray or slurm, or a mapping with one of these keys, such as "
        "`{ray: {gpus: 1}}`",
    ),
]
Launch = Annotated[
    _AnyLauncher, BeforeValidator(_launch, json_schema_input_type=Literal["local", "ray", "slurm"] | _AnyLauncher)
]

Where = Annotated[Storage | None, BeforeValidator(storage_of, json_schema_input_type=str | Storage | None)]


class Run(Section):
    """How many trials at once, where, under which limits, and where records go."""

    workers: Count | None = Field(
        None, description="trials at once; null: one for each device (the CPU counts as one), with Ray as many as fit"
    )
    isolation: Literal["worker", "trial"] | None = Field(
        None,
        description="worker: a process stays warm for many trials, as by default on this machine; trial: each has a "
        "new one, as by default on Ray and always on Slurm",
    )
    timeout: Duration = Field(None, description="longest time of a trial, such as 30 min; it fails when it is over")
    memory: Bytes = Field(
        None, description="main memory of a trial's process, such as 8 GiB; asking for more is out of memory"
    )
    launch: Launch = Field(default_factory=Local, description="local, ray or slurm, or one of them with options")
    keep_weights: Natural = Field(
        0,
        description="of so many trainings of each part, the best by loss or the search's first objective within the "
        "budgets, the weights stay in the study's folder; 0: of none",
    )
    storage: Where = Field(None, description="PostgreSQL server for the records; null: SQLite in the study's folder")
