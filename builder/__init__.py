"""Architectures become torch modules: `assemble` compiles, `initialise` and `inherit` give starting values.

`for_inference` makes a faster copy that is not trained.
"""

from builder.assemble import assemble
from builder.inference import for_inference
from builder.inherit import inherit
from builder.initialise import initialise

__all__ = ["assemble", "for_inference", "inherit", "initialise"]
