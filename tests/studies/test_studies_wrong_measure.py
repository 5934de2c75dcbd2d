"""Every wrong value of how a study judges, measures and runs, each with the whole of what is said about it."""

from __future__ import annotations

import pytest

from tests.studies.test_studies_wrong_protocol import said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{evaluate: {strata: 0}}", "U012 `protocol.evaluate.strata` must be at least 1, not 0."),
        (
            "{evaluate: {strata: 2000}}",
            "U012 `protocol`: evaluate.strata is 2000, more than the 1000 timesteps of the objective: every stratum "
            "needs at least one.",
        ),
        ("{evaluate: {images: many}}", "U012 `protocol.evaluate.images` must be a whole number, not 'many'."),
        ("{evaluate: {seed: -1}}", "U012 `protocol.evaluate.seed` must be at least 0, not -1."),
        (
            "{evaluate: {samples: 512}}",
            "U012 `protocol.evaluate.samples` must be a mapping of keys to values, not 512. Its keys: number, "
            "sampler, steps, clip, batch, seed, reference, grid, features.",
        ),
        ("{evaluate: {samples: {number: 19}}}", "U012 `protocol.evaluate.samples.number` must be at least 20, not 19."),
        (
            "{evaluate: {samples: {sampler: ddpm}}}",
            "U012 `protocol.evaluate.samples.sampler` cannot be 'ddpm'. Did you mean `ddim`?",
        ),
        (
            "{evaluate: {samples: {sampler: euler}}}",
            "U012 `protocol.evaluate.samples.sampler` cannot be 'euler'. Choices: ddim, heun.",
        ),
        ("{evaluate: {samples: {steps: 0}}}", "U012 `protocol.evaluate.samples.steps` must be at least 1, not 0."),
        (
            "{evaluate: {samples: {reference: 3}}}",
            "U012 `protocol.evaluate.samples.reference` must be at least 20, not 3.",
        ),
        (
            "{evaluate: {samples: {features: inception}}}",
            "U012 `protocol.evaluate.samples.features` must be a mapping of keys to values, not 'inception'. Its "
            "keys: torchscript, name, size, values, arguments.",
        ),
        (
            "{evaluate: {samples: {features: {name: x}}}}",
            "U011 `protocol.evaluate.samples.features.torchscript` is missing. That is: TorchScript file that maps "
            "images [n, 3, size, size] to features [n, d]; relative to the study.",
        ),
        (
            '{evaluate: {samples: {features: {torchscript: a.pt, name: ""}}}}',
            "U012 `protocol.evaluate.samples.features.name` must not be empty.",
        ),
        (
            "{evaluate: {samples: {features: {torchscript: a.pt, name: x, size: 0}}}}",
            "U012 `protocol.evaluate.samples.features.size` must be at least 1, not 0.",
        ),
        (
            "{evaluate: {samples: {features: {torchscript: a.pt, name: x, values: float}}}}",
            "U012 `protocol.evaluate.samples.features.values` cannot be 'float'. Choices: uint8, unit, imagenet.",
        ),
        (
            "{evaluate: {samples: {features: {torchscript: a.pt, name: x, arguments: {a: [1]}}}}}",
            "U012 `protocol.evaluate.samples.features.arguments.a` must be a number, text, true or false, not a list.",
        ),
    ],
)
def test_how_it_is_judged(text: str, message: str) -> None:
    assert said(f"protocol: {text}") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{device: gpu}",
            "U012 `measure.device` cannot be 'gpu'. That is: auto (CUDA where there is one), cpu, cuda or cuda:N; "
            "training runs there too.",
        ),
        ("{threads: 0}", "U012 `measure.threads` must be at least 1, not 0."),
        ("{batch: auto}", "U012 `measure.batch` must be a whole number, not 'auto'."),
        ("{batches: 4}", "U012 `measure.batches` must be a list, not 4. Write [4]."),
        ("{batches: [0]}", "U012 `measure.batches.0` must be at least 1, not 0."),
        ("{energy: joules}", "U012 `measure.energy` must be true or false, not 'joules'."),
        ("{precision: 1%}", "U012 `measure.precision` must be a number, not '1%'."),
        ("{precision: 1}", "U012 `measure.precision` must be less than 1, not 1."),
        ("{min_seconds: -1}", "U012 `measure.min_seconds` must be at least 0, not -1."),
        ("{max_seconds: 0}", "U012 `measure.max_seconds` must be more than 0, not 0."),
        ("{min_seconds: 3}", "U012 `measure`: min_seconds 3.0 is more than max_seconds 2.0."),
        ("{repeats: -1}", "U012 `measure.repeats` must be at least 0, not -1."),
        ("{exclusive: maybe}", "U012 `measure.exclusive` must be true or false, not 'maybe'."),
        (
            "cpu",
            "U012 `measure` must be a mapping of keys to values, not 'cpu'. Its keys: device, threads, batch, "
            "batches, latency, memory, energy, rounds, precision, min_seconds, max_seconds, repeats, exclusive, "
            "processes, compile, cuda_graph.",
        ),
    ],
)
def test_how_it_is_measured(text: str, message: str) -> None:
    assert said(f"measure: {text}") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{workers: 0}", "U012 `run.workers` must be at least 1, not 0."),
        ("{workers: two}", "U012 `run.workers` must be a whole number, not 'two'."),
        ("{isolation: process}", "U012 `run.isolation` cannot be 'process'. Choices: worker, trial."),
        (
            "{timeout: 30 minutes}",
            "U012 `run.timeout`: `30 minutes` is none; write a number above 0 with a unit, such as 30 min.",
        ),
        ("{memory: 8 GiBs}", "U012 `run.memory`: `8 GiBs` is none; write a number above 0 with a unit, such as 8 GiB."),
        ("{memory: 0 GiB}", "U012 `run.memory`: `0 GiB` is none; write a number above 0 with a unit, such as 8 GiB."),
        ("{memory: [8]}", "U012 `run.memory`: `[8]` is none; write a number above 0 with a unit, such as 8 GiB."),
        ("{launch: slrm}", "U012 `run.launch` cannot be 'slrm'. Did you mean `slurm`?"),
        (
            "{launch: {}}",
            "U012 `run.launch` must be local, ray or slurm, or a mapping with one of these keys, such as `{ray: "
            "{gpus: 1}}`.",
        ),
        ("{launch: {ray: {cpus: 0}}}", "U012 `run.launch.ray.cpus` must be more than 0, not 0."),
        ("{launch: {ray: {cpu: 2}}}", "U010 `run.launch.ray.cpu` is not a known key. Did you mean `cpus`?"),
        ("{launch: {slurm: {minutes: 0}}}", "U012 `run.launch.slurm.minutes` must be at least 1, not 0."),
        (
            "{launch: {slurm: {memory: 16}}}",
            'U012 `run.launch.slurm.memory` must be text, not 16. Put it in quotes: "16".',
        ),
        (
            "{launch: {slurm: {memory: 16 GB}}}",
            "U012 `run.launch.slurm.memory` cannot be '16 GB'. That is: main memory of a job, such as 16GB.",
        ),
        (
            "{launch: {slurm: {cluster: pbs}}}",
            "U012 `run.launch.slurm.cluster` cannot be 'pbs'. Choices: slurm, local.",
        ),
        (
            "{launch: {slurm: {}, ray: {}}}",
            "U012 `run.launch` must be local, ray or slurm, or a mapping with one of these keys, such as `{ray: "
            "{gpus: 1}}`.",
        ),
        ("{keep_weights: -1}", "U012 `run.keep_weights` must be at least 0, not -1."),
        ("{keep_weights: all}", "U012 `run.keep_weights` must be a whole number, not 'all'."),
        ("{storage: 5}", "U012 `run.storage` must be a mapping of keys to values, not 5. Its keys: url, env, file."),
        (
            "{storage: host/db}",
            "U012 `run.storage`: this is no database URL; write postgresql+psycopg://HOST/DATABASE.",
        ),
        (
            '{storage: "sqlite:///a.db"}',
            "U012 `run.storage`: records lie in SQLite or PostgreSQL; write postgresql+psycopg://HOST/DATABASE.",
        ),
        ("{storage: {env: A, url: b}}", "U012 `run.storage`: say where the database is by one of url, env, file."),
        (
            '{storage: {url: "postgresql+psycopg://h/d?password=x"}}',
            "U012 `run.storage`: a study file holds no password, since it is copied into records and reports; write "
            "`{env: NAME}` or `{file: PATH}`, or leave the password to PGPASSWORD or ~/.pgpass.",
        ),
        (
            "{parallel: 3}",
            "U010 `run.parallel` is not a known key. Known keys: workers, isolation, timeout, memory, launch, "
            "keep_weights, storage.",
        ),
    ],
)
def test_how_it_is_run(text: str, message: str) -> None:
    assert said(f"run: {text}") == [message]
