"""Images from a trained network: the same noise for every network, whatever it predicts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from studies.sections.evaluation import Samples
from studies.sections.objective import Edm, Objective
from studies.training.batch import derived_seed
from studies.training.diffusion import Process, process
from studies.training.sampling.samplers import SAMPLERS


class NetworkDenoiser:
    """A network as D(x; σ); a noise level between two timesteps is taken for the nearer one (in ln σ).

    Args:
        module: takes ``(x_t, t)``; on `device`, in eval mode.
        known: its process.
        clip: whether images are limited to [-1, 1].
        between: called before each call of the network, such as to give way to a measurement.
    """

    def __init__(
        self, module: nn.Module, known: Process, *, clip: bool, between: Callable[[], None] = lambda: None
    ) -> None:
        self.module, self.known, self.clip, self.between = module, known, clip, between
        self.calls = 0

    def __call__(self, noisy: Tensor, sigma: float) -> Tensor:
        """The image that the network sees in ``[b, c, h, w]`` with noise of σ, float64."""
        self.calls += 1
        self.between()
        t = self.known.level(sigma).to(noisy.device).expand(len(noisy))
        shown = self.known.scaled(noisy, t)
        image = self.known.x0_of(self.module(shown.float(), self.known.time(t)).double(), shown, t)
        return image.clamp(-1, 1) if self.clip else image


def starting_noise(samples: Samples, shape: tuple[int, ...]) -> Tensor:
    """The noise that all networks of a study start from: float32 ``[number, c, h, w]`` on the CPU."""
    generator = torch.Generator().manual_seed(derived_seed(samples.seed, "samples"))
    return torch.randn((samples.number, *shape), generator=generator)


@torch.inference_mode()
def drawn(
    module: nn.Module,
    objective: Objective | Edm,
    samples: Samples,
    shape: tuple[int, ...],
    device: torch.device,
    between: Callable[[], None] = lambda: None,
) -> tuple[Tensor, int]:
    """Images from a network, in eval mode; it is left in the mode it was in.

    Args:
        module: takes ``(x_t, t)``; lies on `device`.
        objective: what it predicts.
        samples: how many, and how.
        shape: ``(c, h, w)`` of an image.
        device: where it runs.
        between: called before each call of the network.

    Returns:
        Images uint8 ``[number, c, h, w]`` on the CPU, and how often the network was called for each.
    """
    training = module.training
    module.eval()
    known = process(objective, device)
    sampler, spacing = SAMPLERS[samples.sampler]
    sigmas = known.nearest(spacing(known.range(), samples.steps))
    found, calls = [], 0
    for noise in torch.split(starting_noise(samples, shape), samples.batch):
        denoiser = NetworkDenoiser(module, known, clip=samples.clip, between=between)
        found.append(as_bytes(sampler(denoiser, noise.to(device).double() * sigmas[0], sigmas)).cpu())
        calls = denoiser.calls
    module.train(training)
    return torch.cat(found), calls


def as_bytes(images: Tensor) -> Tensor:
    """Images in [-1, 1] as whole numbers 0 to 255, as files hold them; what is beyond is cut, what is NaN is black."""
    return images.nan_to_num(nan=-1.0).add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
