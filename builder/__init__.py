"""Architectures become torch modules: `assemble` compiles, `initialise` and `inherit` give starting values."""

from builder.assemble import assemble
from builder.inherit import inherit
from builder.initialise import initialise

__all__ = ["assemble", "inherit", "initialise"]
