"""An architecture in forms that need nothing of ours: readable source, a standalone file, ONNX, .pt2, diffusers."""

from builder.export.source import source

__all__ = ["source"]
