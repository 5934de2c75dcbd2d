"""Two processes that train one network: the gradients of both are the mean of what each would have alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import two_processes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What this process found, and what the other did."""
    folder = tmp_path_factory.mktemp("two")
    store, result = str(folder / "store"), folder / "result.pt"
    command = [sys.executable, two_processes.__file__, "1", store, str(result)]
    other = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        found = two_processes.trained(0, store, timeout=60)
        assert other.wait(timeout=60) == 0
    finally:
        other.kill()
        other.wait()
    return found, torch.load(result, weights_only=True)


def alone(rank):
    """Gradients of one process's images, from the weights of the first process."""
    made = two_processes.network(seed=0)
    two_processes.loss_of(made(**two_processes.images(made, rank))).backward()
    return {key: value.grad for key, value in made.named_parameters()}


def test_the_other_process_starts_from_the_weights_of_the_first(both):
    expected = two_processes.network(seed=0).state_dict()
    for found in both:
        assert found["weights"].keys() == expected.keys()
        assert all(torch.equal(found["weights"][key], value) for key, value in expected.items())


@pytest.mark.parametrize("way", ["plain", "again"])
def test_both_have_the_mean_of_the_gradients(both, way):
    first, second = alone(0), alone(1)
    here, there = both
    assert not torch.allclose(first["conv_in.weight"], second["conv_in.weight"])
    for key, value in first.items():
        expected = (value + second[key]) / 2
        torch.testing.assert_close(here[way][key], expected, rtol=1e-4, atol=1e-7, msg=key)
        assert torch.equal(here[way][key], there[way][key]), key
