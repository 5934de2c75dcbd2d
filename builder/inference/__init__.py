"""A compiled model made ready to be run many times without gradients: `for_inference`."""

from builder.inference.options import InferenceOptions
from builder.inference.prepared import InferenceNetwork, for_inference

__all__ = ["InferenceNetwork", "InferenceOptions", "for_inference"]
