"""A compiled model as a folder that diffusers loads: ``config.json`` and safetensors."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from archspec import user_error
from archspec.text.atomic import replacing
from builder.export.verify import Exported, rehearsed, verified
from builder.layers import sinusoidal
from builder.network import Network
from builder.weights.diffusers import config, model_class, to_diffusers
from builder.weights.files import write

LIMIT = 1e-5
WEIGHTS = "diffusion_pytorch_model.safetensors"


def write_diffusers(network: Network, path: Path) -> Exported:
    """Write a folder for ``UNet2DModel.from_pretrained`` or ``UNet2DConditionModel.from_pretrained``, and try it.

    Raises:
        UserError: diffusers cannot say the architecture (with every reason), is not installed, the folder is there
            already, or what it makes of it differs from the compiled model by more than `LIMIT`.
    """
    graph = network.architecture
    config(graph)
    if find_spec("diffusers") is None:
        raise user_error("the folder is tried with diffusers, which is missing.", "Run `pip install diffusers`.")
    if path.exists():
        raise user_error("there is something of this name already.", "Name a new folder.", file=str(path))
    return rehearsed(_folder, network, path)


def _folder(network: Network, path: Path) -> Exported:
    graph = network.architecture
    said, name = config(graph), model_class(graph)
    with replacing(path) as beside:
        beside.mkdir()
        (beside / "config.json").write_text(
            json.dumps({"_class_name": name, **said}, indent=2) + "\n", encoding="utf-8"
        )
        write(to_diffusers(graph, network.state_dict()), beside / WEIGHTS)
        return verified(network, _call(name, beside), path, LIMIT, f"the {name}")


def _call(name: str, folder: Path) -> Any:
    import diffusers

    theirs = getattr(diffusers, name).from_pretrained(folder, low_cpu_mem_usage=False).eval()

    def call(given: dict[str, Tensor]) -> Tensor:
        more: dict[str, Any] = {}
        if "label" in given:
            more["class_labels"] = given["label"]
        if "tokens" in given:
            more["encoder_hidden_states"] = given["tokens"]
        if "vector" in given:
            more["added_cond_kwargs"] = _as_text_and_sizes(given, theirs.config.addition_time_embed_dim)
        result: Tensor = theirs(given["x"], given["t"], return_dict=False, **more)[0]
        return result

    return call


def _as_text_and_sizes(given: dict[str, Tensor], width: int) -> dict[str, Tensor]:
    """A vector that diffusers can be given: it makes the features of sizes itself, so ours ends in those of one."""
    sizes = given["t"].float()[:, None]
    text = given["vector"][:, : given["vector"].shape[1] - width]
    given["vector"][:, text.shape[1] :] = sinusoidal(sizes.flatten(), width, cos_first=True, freq_shift=0.0)
    return {"text_embeds": text, "time_ids": sizes}
