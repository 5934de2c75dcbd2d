"""A small classifier of a study's own images, whose last hidden layer is the space of the distances.

Its task is the labels of the data where they have any, else which of four rotations an image was turned by
(self-supervised, Gidaris et al. 2018). It is trained once, on the CPU, from a fixed seed, and kept in the user's cache,
so that all trials of a study on one machine share the very same weights; its hash stands in every record.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from archspec.text.atomic import write_bytes
from studies.training.data.dataset import tensor_hash

WIDTH = 32
STEPS, BATCH, RATE = 400, 128, 5e-3
#: Larger images are averaged down to this many pixels per side before they are looked at.
LARGEST = 64
#: Changes whenever the network or its training does, so that an old one is never taken for a new one.
VERSION = 1


class Classifier(nn.Module):
    """Convolutions that halve the map down to 4 pixels or less, a mean over it, a hidden layer, and class scores.

    Args:
        channels: of the images.
        size: pixels per side of the images.
        classes: how many.
    """

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, 32, 3, padding=1), nn.SiLU()]
        width, side = 32, min(size, LARGEST)
        while side > 4 or len(layers) == 2:
            layers += [nn.Conv2d(width, 64, 3, stride=2, padding=1), nn.SiLU()]
            width, side = 64, -(-side // 2)
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Linear(width, WIDTH)
        self.scores = nn.Linear(WIDTH, classes)

    def features(self, images: Tensor) -> Tensor:
        """uint8 ``[b, c, h, w]`` to the hidden layer's output ``[b, 32]``."""
        x = images.float() / 127.5 - 1
        if x.shape[-1] > LARGEST:
            x = functional.interpolate(x, size=(LARGEST, LARGEST), mode="area")
        out: Tensor = functional.silu(self.hidden(self.body(x).mean(dim=(2, 3))))
        return out

    def forward(self, images: Tensor) -> Tensor:
        """Class scores ``[b, classes]``."""
        out: Tensor = self.scores(self.features(images))
        return out


@dataclass(frozen=True, eq=False)
class Task:
    """What a classifier learns: images uint8 ``[n, c, h, w]`` with classes ``[n]``, and held-out ones to test it.

    Attributes:
        name: for people.
        classes: how many there are.
    """

    name: str
    classes: int
    images: Tensor
    targets: Tensor
    test_images: Tensor
    test_targets: Tensor

    def key(self) -> str:
        """16 hexadecimal digits over all that a classifier depends on."""
        settings = json.dumps([VERSION, WIDTH, STEPS, BATCH, RATE, LARGEST, self.name, self.classes])
        return hashlib.sha256((settings + tensor_hash([self.images, self.targets])).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Trained:
    """A classifier with the hash of its weights and its share of right answers on held-out images."""

    network: Classifier
    hash: str
    accuracy: float


def rotations(images: Tensor, test_images: Tensor) -> Task:
    """The task of telling by how many quarter turns an image was rotated."""

    def turned(x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([x.rot90(k, (2, 3)) for k in range(4)]), torch.arange(4).repeat_interleave(len(x))

    return Task("four rotations of the images, self-supervised", 4, *turned(images), *turned(test_images))


def cache_folder() -> Path:
    """Where classifiers are kept: $USHAPE_CACHE, else ushape in the user's cache folder."""
    own = os.environ.get("USHAPE_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ushape"


def classifier(task: Task) -> Trained:
    """The classifier of a task: from the cache, else trained and kept there; one process trains, others wait for it."""
    network = Classifier(task.images.shape[1], task.images.shape[2], task.classes)
    path = cache_folder() / f"features-{task.key()}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        accuracy = _restored(network, path)
        if accuracy is None:
            train(network, task)
            accuracy = right_answers(network, task)
            write_bytes(path, save(network.state_dict(), metadata={"accuracy": str(accuracy)}))
    weights = network.state_dict()
    return Trained(network.eval(), tensor_hash([weights[name] for name in sorted(weights)]), accuracy)


def _restored(network: Classifier, path: Path) -> float | None:
    """Fill a network from a file and return its accuracy; None if there is no such file, or it is broken."""
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as kept:
            network.load_state_dict({name: kept.get_tensor(name) for name in kept.keys()})  # noqa: SIM118 - no mapping
            return float(kept.metadata()["accuracy"])
    except (SafetensorError, RuntimeError, KeyError, ValueError):
        return None


def train(network: Classifier, task: Task) -> None:
    """Train from a fixed seed; the state of torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.reset_parameters()
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
        network.train()
        for _ in range(STEPS):
            chosen = torch.randint(len(task.images), (BATCH,))
            loss = functional.cross_entropy(network(task.images[chosen]), task.targets[chosen])
            optimizer.zero_grad()
            torch.autograd.backward([loss])
            optimizer.step()
    network.eval().requires_grad_(False)  # noqa: FBT003 - torch's own signature


@torch.inference_mode()
def right_answers(network: Classifier, task: Task) -> float:
    """The share of held-out images that it tells right."""
    guesses = torch.cat([network(part).argmax(dim=1) for part in torch.split(task.test_images, 512)])
    return float((guesses == task.test_targets).double().mean())
