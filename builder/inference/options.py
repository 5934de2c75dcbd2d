"""What `for_inference` may change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class InferenceOptions:
    """The ideas, each of which can be left out.

    Attributes:
        channels_last: keep feature maps and the weights of convolutions with channels innermost; None for where it was
            measured to be faster, on CPUs from images of 32×32 pixels on.
        in_place: activations and sums overwrite values that nothing else reads.
        shared_embedding: activate the embedding once, and project it for all blocks in one product.
        fused_upsampling: nearest neighbour and 3×3 convolution as one transposed convolution with 4×4 weights, which
            is 4 instead of 9 multiply-accumulates for each output; with channels_last only.
    """

    channels_last: bool | None = None
    in_place: bool = True
    shared_embedding: bool = True
    fused_upsampling: bool = True
