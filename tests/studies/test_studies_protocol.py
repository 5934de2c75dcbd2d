import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from studies.sections.protocol import Digits, ImageFolder, Measure, NpzFile, Protocol


def problems(document: dict[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        Protocol.model_validate(document)
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


def test_an_empty_protocol_is_a_small_study_on_the_digits() -> None:
    protocol = Protocol.model_validate({})
    assert protocol.data == Digits(digits=True, holdout=0.1, split_seed=0)
    assert protocol.seed_list() == (0, 1, 2, 3, 4, 5, 6, 7)
    assert (protocol.objective.schedule, protocol.objective.prediction, protocol.objective.timesteps) == (
        "linear",
        "eps",
        1000,
    )


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("digits", Digits()),
        ({"digits": True, "holdout": 0.2}, Digits(holdout=0.2)),
        ({"images": "cats", "resolution": 32}, ImageFolder(images=Path("cats"), resolution=32)),
        ({"npz": "a.npz", "key": "x"}, NpzFile(npz=Path("a.npz"), key="x")),
    ],
)
def test_data_sources(text: Any, source: Any) -> None:
    protocol = Protocol.model_validate({"data": text})
    assert protocol.data == source
    assert Protocol.model_validate(protocol.model_dump(mode="json")) == protocol
    assert Protocol.model_validate(protocol) == protocol


def test_paths_are_taken_from_the_folder_of_the_study(tmp_path: Path) -> None:
    relative = Protocol.model_validate({"data": {"images": "../cats"}}).resolved(tmp_path / "study")
    assert isinstance(relative.data, ImageFolder)
    assert relative.data.images == tmp_path / "cats"
    assert relative.data.name == "cats"
    absolute = NpzFile(npz=tmp_path / "a.npz")
    assert absolute.resolved(Path("/elsewhere")) == absolute
    assert Digits().resolved(tmp_path) == Digits()


def test_seeds_are_a_number_or_a_list() -> None:
    assert Protocol(seeds=3).seed_list() == (0, 1, 2)
    assert Protocol(seeds=(7, 2)).seed_list() == (7, 2)


def test_mistakes_name_the_key_and_the_reason() -> None:
    which = (
        "Must be `digits`, or a mapping with exactly one of the keys digits, images, npz, such as "
        "`{images: FOLDER, resolution: 32}`"
    )
    assert problems({"data": "digit"}) == [(("data",), which)]
    assert problems({"data": {"images": "a", "npz": "b"}}) == [(("data",), which)]
    assert problems({"data": {"images": "a", "resolution": "32"}}) == [
        (("data", "images", "resolution"), "Input should be a valid integer")
    ]
    assert problems({"train": {"steps": True, "step": 3}}) == [
        (("train", "steps"), "Input should be a valid integer"),
        (("train", "step"), "Extra inputs are not permitted"),
    ]
    assert problems({"train": {"lr": 0.0}}) == [(("train", "lr"), "Input should be greater than 0")]
    assert problems({"train": {"lr": float("inf")}}) == [(("train", "lr"), "Input should be a finite number")]
    assert problems({"seeds": [1, 1]}) == [
        (("seeds",), "Value error, must be a number or a list of distinct seeds with at least one of them")
    ]
    assert problems({"evaluate": {"strata": 20}, "objective": {"timesteps": 10}}) == [
        (
            (),
            "Value error, evaluate.strata is 20, more than the 10 timesteps of the objective: "
            "every stratum needs at least one",
        )
    ]


def test_measure_refuses_unknown_devices_and_crossed_limits() -> None:
    assert Measure(device="cuda:1").device == "cuda:1"
    with pytest.raises(ValidationError, match=r"String should match pattern '\^\(auto\|cpu"):
        Measure(device="gpu")
    with pytest.raises(ValidationError, match=r"min_seconds 3\.0 is more than max_seconds 2\.0"):
        Measure(min_seconds=3.0)


def test_the_schema_knows_the_short_form_and_describes_every_field() -> None:
    schema = Protocol.model_json_schema()
    forms = schema["properties"]["data"]["anyOf"]
    assert {"const": "digits", "type": "string"} in forms
    sections = [schema, Measure.model_json_schema(), *schema["$defs"].values()]
    undescribed = [
        f"{section['title']}.{name}"
        for section in sections
        for name, field in section["properties"].items()
        if "description" not in field
    ]
    assert undescribed == []
    json.dumps(schema)


def test_protocol_sources_and_trial_import_no_torch() -> None:
    code = (
        "import sys, studies.sections.protocol, studies.trial.job, studies.training.data.sources,"
        "studies.records.provenance;"
        "print(sorted({'torch', 'optuna', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
