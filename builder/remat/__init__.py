"""Training in less memory: what is computed again in the backward pass instead of being kept.

Norms and activations are most of the bytes that a U-Net keeps for its backward pass and little of its time (the idea of
in-place activated batch norm, Rota Bulo et al. 2018, for any of them); blocks as in Chen et al. 2016, but for their
last convolutions, whose results the backward pass does not need.
"""

from builder.remat.program import Program, recomputing
from builder.remat.select import several

__all__ = ["Program", "recomputing", "several"]
