"""The system's own OOM killer, at the memory limit of a cgroup (container, job or service): a real kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.studies.whole import ablation, with_run

INSIDE = """
import os, sys
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "tests.studies.fake_run", sys.argv[2]])
"""


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup of 640 MiB; where none may be made and limited the test is skipped, in words."""
    root = Path("/sys/fs/cgroup")
    version_1 = (root / "memory").is_dir()
    place = root / ("memory" if version_1 else "") / f"ushape-test-{os.getpid()}"
    try:
        place.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        (place / ("memory.limit_in_bytes" if version_1 else "memory.max")).write_text(str(640 * 2**20))
        yield place
    except OSError as error:
        pytest.skip(f"no memory limit can be set here: {error}")
    finally:
        place.rmdir()


@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")
def test_the_kill_at_a_limit_of_a_cgroup_is_recorded_and_the_study_goes_on(
    study_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: Path
) -> None:
    deeds = tmp_path / "deeds.json"
    deeds.write_text(json.dumps({"1": ["eat", 0]}))
    monkeypatch.setenv("USHAPE_FAKE", str(deeds))
    path = with_run(study_file, run="{workers: 1}", seeds=3)
    subprocess.run([sys.executable, "-c", INSIDE, str(cgroup), str(path)], check=True)
    reason = (
        "the memory limit of 0.62 GiB of the cgroup (container, job or service) was reached, and the system killed "
        "the worker process; a smaller batch or network needs less, or raise the limit"
    )
    found = {(r.variant, r.seed): (r.status, r.reason) for r in ablation(path)}
    assert found == {
        (variant, seed): ("oom", reason) if seed == 1 else ("finished", None)
        for variant in ("base", "no attention")
        for seed in range(3)
    }
