"""Zero-cost scores of real networks, in trials, and as a pre-filter of a search."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from archspec import build, loads, to_document
from archspec.graphs.graph import ArchGraph
from builder import assemble
from search.scores import SCORES
from studies.driver.ledger import Ledger
from studies.driver.loop import drive
from studies.driver.prefilter import ScorerApart
from studies.driver.searching import SearchQuestion
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.sections.protocol import Measure, Protocol
from studies.study.load import check_study, load_study
from studies.training import scores as compute
from studies.training.scores import Setting, scores_of
from studies.trial.job import Job, Outcome
from studies.trial.run import run_trial
from tests.studies.pretended_search import Heard, search, trained
from tests.studies.test_studies_loop import Pretended, nothing

Write = Callable[..., Path]

UNET = (
    "version: 1\nname: small\nunet: {{ch: {ch}, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [],"
    " in_channels: 1, resolution: 8, {more}}}\n"
)
PROTOCOL = Protocol.model_validate(
    {"data": "digits", "train": {"steps": 2, "batch": 4}, "evaluate": {"strata": 2, "images": 4}, "seeds": 1}
)
SETTING = Setting(PROTOCOL, torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)), 0, torch.device("cpu"))


def unet(ch: int = 32, more: str = "mid_attn: true") -> ArchGraph:
    return build(loads(UNET.format(ch=ch, more=more)))


def test_every_score_is_known_the_same_again_and_leaves_the_generators() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    found, missing = scores_of(unet(), SCORES, SETTING)
    assert list(missing) == []
    assert set(found) == set(SCORES)
    assert all(math.isfinite(value) and value > 0 for value in found.values())
    assert torch.equal(torch.get_rng_state(), before)
    assert scores_of(unet(), SCORES, SETTING)[0] == found


def test_gradient_scores_agree_with_a_gradient_by_hand() -> None:
    """SNIP and the gradient's norm from finite differences along the gradient and along the weights."""
    pairs = compute._gradients(unet(), SETTING)
    norm = math.sqrt(sum(float((g.double() ** 2).sum()) for _, g in pairs))
    assert compute.grad_norm(unet(), SETTING) == pytest.approx(norm, rel=1e-5)
    along = sum(float((p.double() * g.double()).abs().sum()) for p, g in pairs)
    assert compute.snip(unet(), SETTING) == pytest.approx(along, rel=1e-5)
    assert norm > 0


def test_synflow_of_a_chain_is_the_output_times_its_depth() -> None:
    """Without biases θ·∂R/∂θ of each layer is R (Tanaka et al. 2020, theorem 1): three layers, three times R."""

    class Setup(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(
                torch.nn.Conv2d(1, 4, 3, padding=1, bias=False),
                torch.nn.GroupNorm(2, 4, affine=False),
                torch.nn.Conv2d(4, 4, 1, bias=False),
                torch.nn.ReLU(),
                torch.nn.Conv2d(4, 1, 1, bias=False),
            )

        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return self.layers(x)

    network = Setup()
    plain = [abs(layer.weight.detach().double()) for layer in network.layers if isinstance(layer, torch.nn.Conv2d)]
    x = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    for weight in plain:
        x = torch.nn.functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compute, "_network", lambda graph, setting: network)
        found = compute.synflow(unet(), SETTING)
    assert found == pytest.approx(math.log10(3 * float(x.sum())))


def test_synflow_sees_no_norm_and_grows_with_the_network() -> None:
    few, other, wide = (
        scores_of(unet(ch, more), ["synflow"], SETTING)[0]["synflow"]
        for ch, more in ((32, "norm_eps: 1.0e-6"), (32, "norm_eps: 1.0e-2"), (64, "norm_eps: 1.0e-6"))
    )
    assert few == other
    assert wide > few


def test_weights_that_start_from_zero_hide_nothing() -> None:
    zeroed = unet(more="zero_init: true")
    pairs = compute._gradients(zeroed, SETTING)
    assert sum(bool(g.any()) for _, g in pairs) / len(pairs) > 0.9
    assert set(scores_of(zeroed, ["synflow"], SETTING)[0]) == {"synflow"}


def test_what_cannot_be_scored_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: ArchGraph, setting: Setting) -> float:
        raise RuntimeError("no kernel\nand a long story")

    monkeypatch.setattr(compute, "_OF_THE_NETWORK", {"snip": broken, "synflow": lambda *_: math.inf})
    found, missing = scores_of(unet(), ["snip", "flops", "synflow"], SETTING)
    assert list(found) == ["flops"]
    assert missing == {"snip": "RuntimeError: no kernel", "synflow": "it is inf"}


def test_networks_of_more_than_an_image_and_a_time_have_only_the_scores_of_the_graph() -> None:
    found, missing = scores_of(unet(more="label: {classes: 3}"), ["snip", "parameters"], SETTING)
    assert list(found) == ["parameters"]
    assert missing == {"snip": "ValueError: scores know networks of an image and a time alone"}


def job(**changes: object) -> Job:
    measure = Measure.model_validate({"device": "cpu", "threads": 1, "latency": False, "memory": False})
    return Job(document=to_document(unet()), protocol=PROTOCOL, measure=measure, seed=0).model_copy(update=changes)


def test_a_trial_records_its_scores_and_trains_the_same() -> None:
    plain = run_trial(job(), lambda _: None)
    scored = run_trial(job(scores=SCORES), lambda _: None)
    assert (plain.status, scored.status) == ("finished", "finished")
    assert plain.metrics == scored.metrics
    assert "scores" not in plain.detail
    assert set(scored.detail["scores"]) == set(SCORES)


def test_a_process_apart_scores_without_training(tmp_path: Path) -> None:
    apart = ScorerApart(tmp_path / "scores.log", 60.0, None)
    try:
        done = apart(job(scores=("synflow",), trains=False))
    finally:
        apart.close()
    assert done.status == "finished"
    assert "loss" not in done.metrics
    assert done.detail["scores"] == scores_of(unet(), ["synflow"], SETTING)[0]


class Told:
    """A scorer: so many parameters, so good; of one size it knows nothing."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.closed = False

    def __call__(self, job: Job) -> Outcome:
        self.jobs.append(job)
        detail = {"scores": {"synflow": float(trained(job).metrics["latency"])}}
        return trained(job).model_copy(update={"detail": detail})

    def close(self) -> None:
        self.closed = True


class Knows(Told):
    """A scorer that never finds a score."""

    def __call__(self, job: Job) -> Outcome:
        self.jobs.append(job)
        return trained(job).model_copy(update={"status": "failed", "reason": "killed", "detail": {}})


def run(path: Path, scorer: Told) -> tuple[list[TrialRecord], Pretended, Heard, Ledger]:
    study, heard = load_study(path), Heard()
    ledger = Ledger(study, Store(study.folder, study.name, create=True), heard)
    launcher = Pretended(1, trained)
    assert study.file.search is not None
    question = SearchQuestion(study, study.file.search, ledger, scorer=scorer)
    drive(question, launcher, nothing)
    question.close()
    return ledger.store.records("search"), launcher, heard, ledger


PREFILTER = "  scores: [flops]\n  prefilter: {by: synflow, keep: 0.5, sample: 16}\n"


def short(study_file: Write, more: str) -> Path:
    return study_file(
        search(more + "  sampler: RandomSampler\n  near_base: 0\n", "[loss, latency]").replace(": 8\n", ": 3\n")
    )


@pytest.mark.parametrize("sampler", ["RandomSampler", "KnownCostSampler"])
def test_the_poorer_half_is_refused_with_reason_and_outside_the_budget(study_file: Write, sampler: str) -> None:
    scorer = Told()
    path = study_file(search(PREFILTER + f"  start: [{{skip: add}}]\n  sampler: {sampler}\n", "[loss, latency]"))
    records, launcher, heard, ledger = run(path, scorer)
    refused = [record for record in records if "prefiltered" in record.detail]
    assert {record.status for record in refused} == {"refused"}
    assert len(launcher.jobs) == 8 == sum(record.status == "finished" for record in records)
    assert refused
    assert all(str(record.reason).startswith("pre-filter: synflow is ") for record in refused)
    # the base and the picked point pass unasked
    assert [record.status for record in records[:2]] == ["finished", "finished"]
    assert "scores" not in records[0].detail
    assert next(line for line in heard.lines if line.startswith("Pre-filter")).startswith(
        "Pre-filter: synflow has to be at least "
    )
    assert {one.trains for one in scorer.jobs} == {False}
    assert {one.scores for one in launcher.jobs} == {("flops", "synflow")}
    assert scorer.closed
    last = max(record.detail["scores"]["synflow"] for record in refused)
    passed = [record.detail["scores"]["synflow"] for record in records[2:] if record.status == "finished"]
    assert last < min(passed)
    # A refused point never counts as a result for the sampler.
    trials = Store(load_study(path).folder).trials("search")
    for record in refused:
        assert trials[record.trial].constraints["trained"] == 1.0
        assert ledger.store.records("search")[record.trial].detail["prefiltered"] == "synflow"


def test_the_threshold_is_the_same_when_the_search_goes_on(study_file: Write) -> None:
    path = study_file(search(PREFILTER, "[loss, latency]").replace("trials: 8", "trials: 3"))
    first = run(path, Told())[2].lines
    path.write_text(path.read_text().replace("trials: 3", "trials: 4"))
    records, launcher, heard, _ = run(path, Told())
    told = [line for line in (*first, *heard.lines) if line.startswith("Pre-filter")]
    assert len(told) == 2
    assert told[0] == told[1]
    assert len(launcher.jobs) == 1
    assert sum(record.status == "finished" for record in records) == 4


def test_nothing_is_refused_where_nothing_has_a_score(study_file: Write) -> None:
    records, launcher, heard, _ = run(short(study_file, PREFILTER), Knows())
    assert len(launcher.jobs) == 3
    assert not any("prefiltered" in record.detail for record in records)
    assert "Pre-filter: none of 16 random points has the score synflow, so nothing is refused." in heard.lines


def test_a_score_of_the_graph_needs_no_process(study_file: Write) -> None:
    scorer = Told()
    more = "  prefilter: {by: parameters, keep: 0.5, better: low, sample: 16}\n"
    records, _, heard, _ = run(short(study_file, more), scorer)
    assert scorer.jobs == []
    assert any("Pre-filter: parameters has to be at most" in line for line in heard.lines)
    assert all(record.detail["scores"]["parameters"] for record in records[1:] if record.status == "finished")


def test_it_is_off_unless_it_is_asked_for(study_file: Write) -> None:
    scorer = Told()
    records, launcher, _, _ = run(short(study_file, ""), scorer)
    assert scorer.jobs == []
    assert {one.scores for one in launcher.jobs} == {()}
    assert not any("prefiltered" in record.detail for record in records)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("  scores: [synflw]\n", "Did you mean `synflow`?"),
        ("  scores: [snip, snip]\n", "the score snip stands twice"),
        ("  prefilter: {by: snp}\n", "Did you mean `snip`?"),
        ("  prefilter: {keep: 0.5}\n", "`search.prefilter.by` is missing"),
        ("  prefilter: {by: snip, keep: 1.5}\n", "less than 1"),
        ("  prefilter: {by: snip, kep: 0.5}\n", "Did you mean `keep`?"),
        ("  prefilter: {by: snip, sample: 3}\n", "at least 8"),
    ],
)
def test_what_is_wrong_with_scores_is_said_at_its_line(study_file: Write, more: str, message: str) -> None:
    found = [str(problem) for problem in check_study(study_file(search(more)))[1]]
    assert len(found) == 1, found
    assert message in found[0]


def test_the_network_that_trains_is_not_the_one_that_is_scored() -> None:
    """Norms are bypassed in a copy alone."""
    network = assemble(unet())
    scores_of(unet(), ["synflow"], SETTING)
    assert any(isinstance(part, torch.nn.GroupNorm) for part in network.modules())
