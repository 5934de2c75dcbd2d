"""JSON Schema of the study file, from the models that read it."""

from __future__ import annotations

from typing import Any

from archspec.document import Architecture
from archspec.schema import complete
from studies.study.document import StudyFile


def study_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of study files; an architecture in place has the schema of architectures."""
    schema = StudyFile.model_json_schema(by_alias=True)
    architecture = Architecture.model_json_schema(by_alias=True)
    definitions = {**architecture.pop("$defs"), **schema["$defs"], "Architecture": architecture}
    said = schema["properties"]["base"]["description"]
    schema["properties"]["base"] = {
        "description": said,
        "anyOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/Architecture"}],
    }
    return complete({**schema, "$defs": definitions}, title="ushape study")
