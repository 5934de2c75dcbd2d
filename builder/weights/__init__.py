"""Weights in and out: checkpoint files in the layouts of other code."""

from builder.weights.checkpoint import Checkpoint, load_weights, read_checkpoint, write_checkpoint
from builder.weights.layouts import LAYOUTS, Layout

__all__ = ["LAYOUTS", "Checkpoint", "Layout", "load_weights", "read_checkpoint", "write_checkpoint"]
