"""An export counts only if it computes what the compiled model computes."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from archspec import UserError, user_error
from builder.export.example import example_inputs
from builder.network import Network

#: Numbers of images that an export is tried on.
BATCHES = (1, 3)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file or folder.
        difference: largest difference to the compiled model's output, as a share of its largest value if that is
            more than 1.
        limit: what was allowed.
    """

    path: Path
    difference: float
    limit: float


def verified(
    network: Network, call: Callable[[dict[str, Tensor]], Tensor], path: Path, limit: float, what: str
) -> Exported:
    """Try `call` beside the network on random inputs of one and of several images.

    Args:
        network: in evaluation mode.
        call: inputs by argument -> output; may first change the inputs to what it can be given.
        path: what will be said to have been written.
        limit: the largest difference that is allowed.
        what: what `call` is, for the message.

    Raises:
        UserError: the difference is larger, or not a number.
    """
    worst = 0.0
    for batch in BATCHES:
        given = example_inputs(network, batch, seed=batch)
        with torch.no_grad():
            found = call(given)
            expected = network(**given)
        scale = max(1.0, float(expected.abs().max()))
        difference = float((found - expected).abs().max()) / scale
        worst = max(worst, difference) if difference == difference else float("nan")  # noqa: PLR0124 - NaN
    if not worst <= limit:
        message = f"{what} differs from the compiled model by {worst:.2g}, more than {limit:.0e}; nothing was written."
        raise user_error(message, "Please report this architecture.", file=str(path))
    return Exported(path, worst, limit)


def stirred(network: Network) -> Network:
    """A copy in which weights that are all zero have random values.

    Many networks start with a last layer at zero, and give zero whatever comes before it.
    """
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in other.parameters():
            if not value.any():
                value.copy_(0.1 * torch.randn(value.shape, generator=generator))
    return other


def rehearsed(write: Callable[[Network, Path], Exported], network: Network, path: Path) -> Exported:
    """What `write` gives; where the network gives zeros alone, it is tried on a stirred copy before.

    Raises:
        UserError: what `write` raises, for the copy too.
    """
    with torch.no_grad():
        silent = not network(**example_inputs(network, 1)).any()
    worst = _rehearsal(write, stirred(network), path) if silent else 0.0
    exported = write(network, path)
    return replace(exported, difference=max(worst, exported.difference))


def _rehearsal(write: Callable[[Network, Path], Exported], network: Network, path: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return write(network, Path(folder) / path.name).difference
        except UserError as error:
            raise UserError([replace(problem, file=str(path)) for problem in error.problems]) from None
