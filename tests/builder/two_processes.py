"""One of two processes that train one network together: its gradients, and with which weights it came to them.

As a command: ``python two_processes.py RANK STORE RESULT``.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import torch
from network_arguments import network_arguments
from reduced import reduced
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from builder import assemble, initialise
from builder.remat import recomputing

#: Two levels of one block, without what differs between processes or from call to call.
CHANGES = {"num_res_blocks": 1, "ch_mult": [1, 2], "attn_resolutions": [4], "resolution": 8, "dropout": 0.0}
NODES = ["mid.block_1", "down.0.block.0"]


def network(seed):
    """The network, started from a seed."""
    made = assemble(reduced("ddpm-cifar10", **CHANGES)).train()
    initialise(made, seed)
    return made


def images(made, rank):
    """What this process trains on: two images of its own."""
    torch.manual_seed(rank)
    return network_arguments(made.architecture, batch=2, device="cpu")


def loss_of(out):
    return out.square().mean()


def trained(rank, store, timeout):
    """Gradients of a plain backward pass and of one that computes parts again, and the weights they were taken at."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    limit = timedelta(seconds=timeout)
    distributed.init_process_group(
        "gloo", store=distributed.FileStore(store, 2), rank=rank, world_size=2, timeout=limit
    )
    try:
        made = network(seed=rank)  # not the same: those of the first process are sent to the other
        wrapped = DistributedDataParallel(made)
        found = {"weights": {key: value.clone() for key, value in made.state_dict().items()}}
        for name, nodes in (("plain", None), ("again", NODES)):
            made.zero_grad(set_to_none=True)
            given = images(made, rank)
            if nodes is None:
                out = wrapped(**given)
            else:
                with recomputing(made, nodes):
                    out = wrapped(**given)
            loss_of(out).backward()
            found[name] = {key: value.grad.clone() for key, value in made.named_parameters()}
        return found
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.save(trained(int(sys.argv[1]), sys.argv[2], timeout=60), sys.argv[3])
