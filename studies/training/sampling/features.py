"""The space in which samples are compared with training images."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from archspec.text.errors import UserError, user_error
from studies.sections.evaluation import FeatureNetwork
from studies.sections.protocol import Digits, Source
from studies.training.data.dataset import Dataset, load, split
from studies.training.data.digits import digits_table
from studies.training.sampling.classifier import Task, classifier, rotations
from studies.training.sampling.draw import as_bytes

#: ImageNet's means and standard deviations of red, green and blue in 0…1, as torchvision's models take them.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 256


@dataclass(frozen=True, eq=False)
class Space:
    """A space of features.

    Attributes:
        name: what reports call it.
        hash: SHA-256 of what makes it, as hex: the weights of a classifier, or a file.
        of: images uint8 ``[n, c, h, w]`` on the CPU to features ``[n, d]``, float64.
        detail: what else is known of it.
    """

    name: str
    hash: str
    of: Callable[[Tensor], NDArray[np.float64]]
    detail: dict[str, Any]


@lru_cache(maxsize=1)
def space(source: Source, network: FeatureNetwork | None, device: torch.device) -> Space:
    """The space of a study: the user's network where there is one, else a classifier of its training images.

    Raises:
        UserError: the network's file cannot be used.
    """
    return _own(load(source), source) if network is None else _given(network, device)


def _own(data: Dataset, source: Source) -> Space:
    images, tests = as_bytes(data.train), as_bytes(data.held_out)
    read = _LABELS.get(type(source))
    task = rotations(images, tests) if read is None else _labelled(source, read(source), images, tests)
    trained = classifier(task)

    @torch.inference_mode()
    def of(shown: Tensor) -> NDArray[np.float64]:
        return np.concatenate([trained.network.features(part).double().numpy() for part in torch.split(shown, BATCH)])

    detail = {"accuracy": trained.accuracy, "trained_on": len(images)}
    return Space(f"classifier of {task.name}", trained.hash, of, detail)


def _labelled(source: Source, labels: NDArray[np.int64], images: Tensor, tests: Tensor) -> Task:
    train, held_out = split(source, len(labels))
    targets = torch.from_numpy(labels)
    classes = int(labels.max()) + 1
    return Task(f"the {classes} labels of {source.name}", classes, images, targets[train], tests, targets[held_out])


def _digit_labels(source: Digits) -> NDArray[np.int64]:
    del source
    return digits_table()[:, 64]


# One row per source that has labels, in the order of its images.
_LABELS: dict[type[Source], Callable[[Any], NDArray[np.int64]]] = {Digits: _digit_labels}


def _given(network: FeatureNetwork, device: torch.device) -> Space:
    file = network.torchscript
    module = _opened(file, device)

    @torch.inference_mode()
    def of(shown: Tensor) -> NDArray[np.float64]:
        parts = [_called(module, prepared(part.to(device), network), network) for part in torch.split(shown, BATCH)]
        return np.concatenate([part.double().cpu().numpy() for part in parts])

    return Space(network.name, hashlib.sha256(file.read_bytes()).hexdigest(), of, {"file": file.name})


def _opened(file: Path, device: torch.device) -> Any:
    if not file.is_file():
        raise user_error(f"the feature network {file} does not exist.", "Paths are relative to the study file.")
    try:
        with warnings.catch_warnings():
            # torch would rather have another format, but this is the one in which such networks are handed on.
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(str(file), map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise _unfit(file, "cannot be opened as TorchScript", error) from error


def _unfit(file: Path, what: str, error: Exception) -> UserError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return user_error(f"the feature network {file.name} {what}: {reason}.", "Write it with torch.jit.save.")


def prepared(images: Tensor, network: FeatureNetwork) -> Tensor:
    """Images uint8 ``[n, c, h, w]`` as a feature network takes them: ``[n, 3, size, size]``."""
    shown = images[:, :3] if images.shape[1] >= 3 else images[:, :1].repeat(1, 3, 1, 1)
    if network.size is not None and network.size != shown.shape[-1]:
        size = (network.size, network.size)
        resized = functional.interpolate(shown.float(), size=size, mode="bicubic", align_corners=False, antialias=True)
        shown = resized.round().clamp(0, 255).to(torch.uint8)
    return _VALUES[network.values](shown)


def _normalised(shown: Tensor) -> Tensor:
    mean, deviation = (torch.tensor(x, device=shown.device).view(1, 3, 1, 1) for x in IMAGENET)
    return (shown.float() / 255 - mean) / deviation


_VALUES: dict[str, Callable[[Tensor], Tensor]] = {
    "uint8": lambda shown: shown,
    "unit": lambda shown: shown.float() / 255,
    "imagenet": _normalised,
}


def _called(module: Any, images: Tensor, network: FeatureNetwork) -> Tensor:
    try:
        features = module(images, **network.arguments)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError) as error:
        raise _unfit(network.torchscript, "cannot be called with these images", error) from error
    if not isinstance(features, Tensor) or features.ndim < 2 or features[0].numel() != features.shape[1]:
        shape = list(features.shape) if isinstance(features, Tensor) else type(features).__name__
        message = f"the feature network {network.torchscript.name} gives {shape}, but features are [n, d]."
        raise user_error(message, "Set `arguments`, or wrap the network, so that its output is one vector per image.")
    return features.flatten(1)
