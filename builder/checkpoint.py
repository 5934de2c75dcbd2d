"""Gradient checkpointing (Chen et al. 2016): what a block computed is computed again in the backward, not kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, noop_context_fn

from builder.network import Network

Contexts = Callable[[], tuple[AbstractContextManager[Any], AbstractContextManager[Any]]]


def checkpointed(network: Network, contexts: Contexts | None = None) -> Network:
    """Let every node of `network` that is made of several layers keep its inputs only; changes it in place.

    Residual blocks, attention and transformers then need in training little more than their inputs, and a second
    forward in the backward. Results and gradients are the same; nothing changes without gradients.

    Args:
        network: a compiled model.
        contexts: what the first and the second forward of a block run in, as in `torch.utils.checkpoint`.
    """
    modules = dict(network.named_modules())
    for node in network.architecture:
        module = modules.get(node)
        if module is not None and any(True for _ in module.children()):
            # A method, so that a copy of the module calls its own.
            module.forward = MethodType(partial(_again, contexts or noop_context_fn), module)
    return network


def _again(contexts: Contexts, module: nn.Module, *args: Any) -> Any:
    forward = type(module).forward
    if not torch.is_grad_enabled():
        return forward(module, *args)
    return checkpoint(forward, module, *args, use_reentrant=False, context_fn=contexts)
