"""Architectures become torch modules: `assemble` compiles, `initialise` gives starting values."""

from builder.assemble import assemble
from builder.initialise import initialise

__all__ = ["assemble", "initialise"]
