"""What a study file can say wrong of memory budgets and of the weights to start from: the whole messages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from studies.study.load import check_study
from tests.tiny_study import ABLATION

Write = Callable[..., Path]

TRAIN = "train: {steps: 2, batch: 4}"
BUDGET = "write a number above 0, or one with a unit out of B, kB, MB, GB, KiB, MiB, GiB."
FROM = "That is: Checkpoint (safetensors, torch's, a folder of diffusers'); relative to the study file."


def messages(path: Path) -> list[str]:
    found = (str(problem) for problem in check_study(path)[1])
    return [text.replace(str(path), "study.yaml").replace(f"{path.parent}/", "") for text in found]


@pytest.mark.parametrize("budget", ["much", "0", "-1 GB", "2 TB", "[1, 2]", "True"])
def test_what_is_no_budget(study_file: Write, budget: str) -> None:
    path = study_file(ABLATION, **{TRAIN: f"train: {{steps: 2, batch: 4, memory_budget: {budget}}}"})
    where = "study.yaml:18:31: error U012 `protocol.train.memory_budget`"
    assert messages(path) == [f"{where}: `{budget}` is no budget; {BUDGET}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory_budgets: 2 GB", "18:31: error U010 `protocol.train.memory_budgets` is not a known key. "
         "Did you mean `memory_budget`?"),
        ("memory_budget: .nan", "18:31: error U012 `.nan` is not a finite number."),
    ],
)  # fmt: skip
def test_budgets_that_cannot_be_read(study_file: Write, text: str, message: str) -> None:
    path = study_file(ABLATION, **{TRAIN: f"train: {{steps: 2, batch: 4, {text}}}"})
    assert messages(path) == [f"study.yaml:{message}"]


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("model.pt", "19:3: error U001 there is no checkpoint model.pt. Paths are relative to the study file."),
        ("[a.pt]", "19:3: error U012 `protocol.init` must be a mapping of keys to values, not a list. "
             "Its keys: from, architecture, layout, ema, policy."),
        ("{}", f"19:3: error U011 `protocol.init.from` is missing. {FROM}"),
        ("{form: model.pt}", "19:10: error U010 `protocol.init.form` is not a known key. Did you mean `from`?"),
        ("{from: 3}", "19:10: error U012 `protocol.init.from` must be a path, not 3."),
        ("{from: none.pt}", "19:10: error U001 there is no checkpoint none.pt. Paths are relative to the study file."),
        ("{from: none.pt, policy: lazy}", "19:25: error U012 `protocol.init.policy` cannot be 'lazy'. "
         "Choices: exact, crop, zero."),
    ],
)  # fmt: skip
def test_what_is_no_start(study_file: Write, init: str, message: str) -> None:
    path = study_file(ABLATION, **{TRAIN: f"{TRAIN}\n  init: {init}"})
    assert messages(path) == [f"study.yaml:{message}"]
