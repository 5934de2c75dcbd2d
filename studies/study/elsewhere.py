"""What a search space cannot vary, since all its points share it: the keys of the protocol, and where they belong."""

from __future__ import annotations

from studies.sections.evaluation import Evaluate
from studies.sections.objective import Objective
from studies.sections.protocol import TRAIN_NAMES, Protocol, Section, Train


def of_the_protocol() -> dict[str, str]:
    """Name -> where it belongs, in a sentence."""
    sections: dict[str, type[Section]] = {"evaluate": Evaluate, "objective": Objective, "train": Train}
    places = {key: f"protocol.{name}" for name, model in sections.items() for key in model.model_fields}
    places |= dict.fromkeys(Protocol.model_fields, "protocol")
    said = {key: _sentence(key, place) for key, place in places.items()}
    return said | {other: said[key] for other, key in TRAIN_NAMES.items()}


def _sentence(key: str, place: str) -> str:
    tuned = "; in an ablation, `protocol: {tune: [lr]}` tunes it for each variant" if key == "lr" else ""
    return f"A search varies architectures, and trains all alike: write `{key}` under `{place}`{tuned}."
