"""From a file to a network's weights and back: whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archspec import ArchGraph, user_error
from archspec.text.wording import first_few
from builder.network import Network
from builder.weights import files
from builder.weights.layouts import LDM_PREFIX, Layout, detect, from_layout, layout

#: Names under which checkpoints keep the weights themselves, and averaged ones.
_PLAIN = ("state_dict", "model_state_dict", "model", "module")
_AVERAGED = ("ema", "ema_state_dict", "model_ema", "ema_model")
#: The name of averages in a list.
_LIST = "shadow_params"
#: What wrappers put before every name.
_WRAPPERS = ("module.", "_orig_mod.")
_LDM_EMA = "model_ema."


@dataclass(frozen=True)
class Checkpoint:
    """Weights for an architecture, under our names.

    Attributes:
        state: our keys -> tensors, in the order and shapes of the compiled model.
        layout: which one they came in.
        ignored: first words of names that belong to other parts of the file -> how many of them.
    """

    state: dict[str, Tensor]
    layout: Layout
    ignored: Mapping[str, int] = field(default_factory=dict)


def read_checkpoint(
    path: str | Path, architecture: ArchGraph, *, layout_name: str | None = None, ema: bool = False
) -> Checkpoint:
    """The weights of an architecture from a file, or from a folder of diffusers'.

    Args:
        path: safetensors or torch's; nothing in it is run.
        architecture: what they must fit.
        layout_name: one of `LAYOUTS`; None to find out.
        ema: take the averaged copies that the file has beside the weights.

    Raises:
        UserError: the file is damaged or holds more than data; weights are NaN or infinite, or do not fit; with
            everything that is missing, has no place, or has another shape.
    """
    state, wrapped, ignored = _network_of(files.read(path), str(path), ema=ema)
    _check_numbers(state, str(path))
    chosen = layout(layout_name) if layout_name else detect(architecture, state, wrapped=wrapped, file=str(path))
    return Checkpoint(from_layout(architecture, state, chosen, file=str(path)), chosen, ignored)


def load_weights(
    network: Network, path: str | Path, *, layout_name: str | None = None, ema: bool = False
) -> Checkpoint:
    """Give a network the weights of a file; see `read_checkpoint`. If anything is wrong, it stays as it was."""
    found = read_checkpoint(path, network.architecture, layout_name=layout_name, ema=ema)
    network.load_state_dict(found.state, strict=True)
    return found


def write_checkpoint(
    path: str | Path, architecture: ArchGraph, state: Mapping[str, Tensor], layout_name: str = "compvis"
) -> None:
    """Write our weights in a layout, in one step.

    Raises:
        UserError: the layout has no place for them, they do not fit the architecture, or no format has this ending.
    """
    files.write(layout(layout_name).pack(architecture, state), path)


def _network_of(found: Mapping[str, Any], file: str, *, ema: bool) -> tuple[dict[str, Tensor], bool, dict[str, int]]:
    """The U-Net's tensors without what stands before their names; whether that was LDM's; and what was left out."""
    inner = _inner(found, averaged=ema)
    if ema and inner is not None:
        inner = _inner(inner, averaged=False) or inner
    taken_averages = ema and inner is not None
    tensors = _tensors(inner if inner is not None else _inner(found, averaged=False) or found)
    if not tensors:
        if taken_averages:
            raise _no_averages(found, file)
        _check_named(found, file)
        hint = f"Its first entries: {', '.join(map(str, list(found)[:5])) or 'none'}."
        raise user_error("there are no weights in this file.", hint, file=file)
    tensors = _unwrapped(tensors)
    if not any(key.startswith(LDM_PREFIX) for key in tensors):
        if ema and not taken_averages:
            raise _no_averages(found, file)
        return tensors, False, {}
    network = {key.removeprefix(LDM_PREFIX): value for key, value in tensors.items() if key.startswith(LDM_PREFIX)}
    others = [key.split(".")[0] for key in tensors if not key.startswith(LDM_PREFIX)]
    if ema and not taken_averages:
        averages = _ldm_averages(tensors, network)
        if averages is None:
            raise _no_averages(found, file)
        network = averages
    return network, True, {word: others.count(word) for word in dict.fromkeys(others)}


def _check_numbers(state: Mapping[str, Tensor], file: str) -> None:
    """Whole numbers (as of quantised files), complex ones and tensors without values are no weights."""
    wrong = [key for key, value in state.items() if not value.is_floating_point() or value.is_meta]
    if wrong:
        kinds = sorted({_kind(state[key]) for key in wrong})
        message = f"these are no real numbers, but {', '.join(kinds)}: {first_few(wrong)}."
        hint = "Convert the weights to float32, float16 or bfloat16 where they were made."
        raise user_error(message, hint, file=file)
    _check_finite(state, file)


def _check_finite(state: Mapping[str, Tensor], file: str) -> None:
    """NaN and infinite weights are what a training that diverged, or a conversion that overflowed, leaves behind."""
    wrong = [key for key, value in state.items() if not _is_finite(value)]
    if wrong:
        message = f"{len(wrong)} of {len(state)} weights are NaN or infinite in part or whole: {first_few(wrong)}."
        hint = "A training that diverged, or numbers too large for half precision, leave such files: take another one."
        raise user_error(message, hint, file=file)


def _is_finite(value: Tensor) -> bool:
    # Numbers of eight bits know no isfinite.
    return bool((value if value.dtype.itemsize > 1 else value.float()).isfinite().all())


def _kind(value: Tensor) -> str:
    return "without values" if value.is_meta else str(value.dtype).removeprefix("torch.")


def _inner(found: Mapping[str, Any], *, averaged: bool) -> Mapping[str, Any] | None:
    names = _AVERAGED if averaged else _PLAIN
    return next((found[name] for name in names if isinstance(found.get(name), Mapping)), None)


def _tensors(found: Mapping[str, Any]) -> dict[str, Tensor]:
    """The dense tensors; step counters and the like go."""
    return {
        str(key): value for key, value in found.items() if isinstance(value, Tensor) and value.layout is torch.strided
    }


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for word in _WRAPPERS * 2:
        if all(key.startswith(word) for key in tensors):
            tensors = {key.removeprefix(word): value for key, value in tensors.items()}
    return tensors


def _ldm_averages(tensors: Mapping[str, Tensor], network: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """LDM's averages: under the names of the weights with the dots left out; None unless all are there."""
    names = {key: f"{_LDM_EMA}diffusion_model{key.replace('.', '')}" for key in network}
    if any(name not in tensors for name in names.values()):
        return None
    return {key: tensors[name] for key, name in names.items()}


def _no_averages(found: Mapping[str, Any], file: str) -> Exception:
    _check_named(found, file)
    hint = "Many files hold the averages alone: leave that out."
    return user_error("there are no averaged weights beside the weights in this file.", hint, file=file)


def _check_named(found: Mapping[str, Any], file: str) -> None:
    """`UserError` for averages as torch_ema, score_sde and diffusers' `EMAModel` keep them: in a list."""
    for place, value in _averaged_lists(found):
        if isinstance(value, list | tuple) and value and all(isinstance(one, Tensor) for one in value):
            message = (
                f"the averaged weights in `{place}` are a list of {len(value)} tensors without names, "
                "in the order of the parameters of the code that wrote it."
            )
            hint = (
                "Load it there, copy the averages into the network (`ema.copy_to(network.parameters())`), "
                "and save network.state_dict()."
            )
            raise user_error(message, hint, file=file)


def _averaged_lists(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Where such a list can be, and what is there."""
    for name in (_LIST, *_AVERAGED):
        group = found.get(name)
        yield name, group
        if isinstance(group, Mapping):
            yield from ((f"{name}.{inner}", value) for inner, value in group.items())
