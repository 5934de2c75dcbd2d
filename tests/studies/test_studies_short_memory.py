"""A training that really runs out of memory: the process may have so much address space and no more."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import archspec
from studies.sections.protocol import Measure, Protocol
from studies.trial.job import Job

SPEC = """
version: 1
name: tiny
unet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1, resolution: 8,
  attn_type: none}
"""
# Address space is taken when torch and the data are there, so that the limit is on what the trial adds.
LIMITED = """
import json, resource, sys
import torch
from studies.training.data.dataset import load
from studies.trial.job import Job
from studies.trial.run import run_trial
job = Job.model_validate_json(sys.stdin.read())
load(job.protocol.data)
torch.nn.functional.conv2d(torch.ones(1, 1, 8, 8, requires_grad=True), torch.ones(1, 1, 3, 3)).sum().backward()
size = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize:")) * 1024
most = size + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
print(run_trial(job, lambda progress: None).model_dump_json())
"""


def outcome(mebibytes: int, **train: Any) -> dict[str, Any]:
    document = archspec.to_document(archspec.build(archspec.loads(SPEC)))
    protocol = Protocol.model_validate({"train": {"steps": 1, **train}, "evaluate": {"strata": 2, "images": 4}})
    job = Job(document=document, protocol=protocol, measure=Measure(latency=False, memory=False), seed=0)
    command = [sys.executable, "-c", LIMITED, str(mebibytes)]
    done = subprocess.run(command, input=job.model_dump_json(), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
@pytest.mark.slow
def test_a_batch_that_does_not_fit_is_recorded_and_with_auto_it_is_split() -> None:
    short = outcome(700, batch=4096)
    assert short["status"] == "oom"
    assert short["reason"].startswith("out of memory while training")
    split = outcome(700, batch=4096, micro_batch="auto")
    assert split["status"] == "finished", split["reason"]
    kept = split["detail"]["micro_batch"]
    assert kept["batch"] == 4096
    assert kept["ran_out"][0] == 4096
    assert kept["micro_batch"] * 2 ** len(kept["ran_out"]) == 4096
    roomy = outcome(20_000, batch=4096)
    assert roomy["curve"][0][1] == pytest.approx(split["curve"][0][1], rel=1e-5)
