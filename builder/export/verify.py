"""An export counts only if it computes what the compiled model computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from archspec import user_error
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
