"""Every wrong value of what a study asks, each with the whole of what is said about it."""

from __future__ import annotations

import pytest

from tests.studies.test_studies_wrong_protocol import said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("objectives: []", "U012 `search.objectives` must not be empty."),
        (
            "objectives: loss",
            "U012 `search.objectives` must be a mapping of keys to values, not 'loss'. That is: minimised together: "
            "a list; or metric -> minimize or maximize.",
        ),
        (
            "objectives: [loss, macs, parameters, memory, latency]",
            "U012 `search.objectives` must have at most 4 values, not 5.",
        ),
        ("objectives: [los]", "U012 `search.objectives` cannot be 'los'. Did you mean `loss`?"),
        ("objectives: {loss: down}", "U012 `search.objectives.loss` cannot be 'down'. Choices: minimize, maximize."),
        ("trials: 0", "U012 `search.trials` must be at least 1, not 0."),
        ("seed: -1", "U012 `search.seed` must be at least 0, not -1."),
        (
            "start: {ch: 32}",
            "U012 `search.start` must be a list, not a mapping. Write `- ` before it, for a list of one: `- ch: …`.",
        ),
        (
            "start: [32]",
            "U012 `search.start.0` must be a mapping of keys to values, not 32. That is: points to begin with, "
            "dimension -> value; what is not said is as in the base.",
        ),
        ("near_base: -1", "U012 `search.near_base` must be at least 0, not -1."),
        (
            "sampler: 5",
            "U012 `search.sampler` must be a mapping of keys to values, not 5. Its keys: name, options, seed.",
        ),
        (
            "sampler: {name: TPESampler, option: {}}",
            "U010 `search.sampler.option` is not a known key. Did you mean `options`?",
        ),
        ("sampler: {name: TPESampler, seed: -1}", "U012 `search.sampler.seed` must be at least 0, not -1."),
        (
            "pruning: [100]",
            "U012 `search.pruning` must be a mapping of keys to values, not a list. Its keys: rungs, eta, tie, "
            "pruner, options.",
        ),
        ("pruning: {}", "U011 `search.pruning.rungs` is missing. That is: training steps at which to compare."),
        ("pruning: {rungs: []}", "U012 `search.pruning.rungs` must not be empty."),
        ("pruning: {rungs: [0]}", "U012 `search.pruning.rungs.0` must be at least 1, not 0."),
        ("pruning: {rungs: [3, 2]}", "U012 `search.pruning`: rungs rise, such as [100, 300]."),
        ("pruning: {rungs: [1], eta: 1}", "U012 `search.pruning.eta` must be at least 2, not 1."),
        (
            "pruning: {rungs: [1], tie: crowd}",
            "U012 `search.pruning.tie` cannot be 'crowd'. Choices: hypervolume, epsilon_net.",
        ),
        (
            "pruning: {rungs: [1], options: {a: 1}}",
            "U012 `search.pruning`: options belong to a pruner, and none is named.",
        ),
        ("scores: [snip, snip]", "U012 `search.scores`: the score snip stands twice."),
        ("scores: [snap]", "U012 `search.scores.0` cannot be 'snap'. Did you mean `snip`?"),
        ("scores: naswot", "U012 `search.scores` must be a list, not 'naswot'. Write [naswot]."),
        (
            "prefilter: snip",
            "U012 `search.prefilter` must be a mapping of keys to values, not 'snip'. Its keys: by, keep, better, "
            "sample, timeout.",
        ),
        ("prefilter: {keep: 0.5}", "U011 `search.prefilter.by` is missing. That is: the score that decides."),
        ("prefilter: {by: snip, keep: 1}", "U012 `search.prefilter.keep` must be less than 1, not 1."),
        (
            "prefilter: {by: snip, better: higher}",
            "U012 `search.prefilter.better` cannot be 'higher'. Did you mean `high`?",
        ),
        ("prefilter: {by: snip, sample: 7}", "U012 `search.prefilter.sample` must be at least 8, not 7."),
        ("prefilter: {by: snip, timeout: 0}", "U012 `search.prefilter.timeout` must be more than 0, not 0."),
        ("reuse: other", "U012 `search.reuse` must be a list, not 'other'. Write [other]."),
        ("reuse: [5]", 'U012 `search.reuse.0` must be text, not 5. Put it in quotes: "5".'),
        (
            "budgets: 400k",
            "U012 `search.budgets` must be a mapping of keys to values, not '400k'. That is: hard limits, metric -> "
            "value or `0.9 * base`, or sentences such as `latency <= 0.9 * base`; what is known beforehand "
            "(parameters, macs) is held before anything is trained.",
        ),
        (
            "budgets: {params: 400k}",
            "U012 `search.budgets` has a key that is not right: `params` cannot be 'params'. Did you mean "
            "`parameters`?",
        ),
        (
            "budgets: {parameters: 400k, latency: fast}",
            "U012 `search.budgets`: latency: `fast` is no budget; write a number above 0, or one with a unit out of "
            "us, ms, s.",
        ),
        ("budgets: [parameters <= 400k, parameters <= 1M]", "U012 `search.budgets`: parameters has two budgets."),
        (
            "budgets: {memory: 50%}",
            "U012 `search.budgets`: memory: `50%` is no budget; a share of the base's is written `0.5 * base`.",
        ),
        (
            "budgets: {latency: 0 * base}",
            "U012 `search.budgets`: latency: `0 * base` is no budget; write a factor above 0, such as `0.9 * base`.",
        ),
        (
            "budgets: {latency: base * 0.9}",
            "U012 `search.budgets`: latency: `base * 0.9` is no budget; one relative to the base is written `0.9 * "
            "base`.",
        ),
    ],
)
def test_what_a_search_asks(text: str, message: str) -> None:
    assert said(f"search: {{space: {{ch: [32, 64]}}, {text}}}") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "U011 `search.space` is missing. That is: what varies: parameter or any name -> its values."),
        ("{space: {}}", "U012 `search.space` must not be empty."),
    ],
)
def test_a_search_without_a_space(text: str, message: str) -> None:
    assert said(f"search: {text}") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{}",
            "U012 `ablation`: an ablation has one of variants, leave_one_out, add_one_in, one_factor, factorial, path.",
        ),
        (
            "{same_parameters: 0.05}",
            "U012 `ablation`: an ablation has one of variants, leave_one_out, add_one_in, one_factor, factorial, path.",
        ),
        ("{variants: {}}", "U012 `ablation.variants` must not be empty."),
        (
            "{variants: {base: [{remove: attention}]}}",
            "U012 `ablation.variants.base`: the name `base` belongs to the base itself; it is always part of an "
            "ablation.",
        ),
        (
            '{variants: {"": [{remove: attention}]}}',
            "U012 `ablation.variants` has a key that is not right: `` must not be empty.",
        ),
        ("{variants: {a: []}}", "U012 `ablation.variants.a` must not be empty."),
        (
            "{variants: {a: {remove: attention}}}",
            "U012 `ablation.variants.a` must be a list, not a mapping. Write `- ` before it, for a list of one: `- "
            "remove: …`.",
        ),
        (
            "{variants: {a: [{remov: attention}]}}",
            "U010 `ablation.variants.a.0.remov` is not a known key. Did you mean `remove`?",
        ),
        ("{leave_one_out: []}", "U012 `ablation.leave_one_out` must not be empty."),
        ("{leave_one_out: [{part: skips, nodes: a}]}", "U012 `ablation.leave_one_out.0`: needs one of part and nodes."),
        ("{leave_one_out: [{by: node}]}", "U012 `ablation.leave_one_out.0`: needs one of part and nodes."),
        (
            "{leave_one_out: [{nodes: attention, by: level}]}",
            "U012 `ablation.leave_one_out.0.by` cannot be 'level'. Choices: node, resolution, all.",
        ),
        ("{one_factor: {}}", "U012 `ablation.one_factor` must not be empty."),
        ("{one_factor: {skip: []}}", "U012 `ablation.one_factor.skip` must not be empty."),
        (
            "{one_factor: {skip: {values: [add], edits: [{remove: a}]}}}",
            "U012 `ablation.one_factor.skip`: a factor has one of values, levels and edits.",
        ),
        (
            "{factorial: {factors: {skip: [add]}}}",
            "U012 `ablation.factorial.factors` must have at least 2 values, not 1.",
        ),
        (
            '{factorial: {factors: {"a:b": [{remove: x}], skip: [add]}}}',
            "U012 `ablation.factorial`: `a:b` has `:` or ` x ` in it, which stand between the factors of an "
            "interaction.",
        ),
        (
            "{factorial: {factors: {ch: [64], skip: [add]}, resolution: 2}}",
            "U012 `ablation.factorial.resolution` must be at least 3, not 2.",
        ),
        ("{path: {}}", "U012 `ablation.path`: needs one of to and edits."),
        (
            "{path: {to: a.yaml, edits: {a: [{remove: x}], b: [{remove: y}]}}}",
            "U012 `ablation.path`: needs one of to and edits.",
        ),
        ("{path: {edits: {a: [{remove: x}]}}}", "U012 `ablation.path.edits` must have at least 2 values, not 1."),
        ("{variant: {a: [{remove: x}]}}", "U010 `ablation.variant` is not a known key. Did you mean `variants`?"),
    ],
)
def test_what_is_compared_in_an_ablation(text: str, message: str) -> None:
    assert said(f"ablation: {text}") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("matched: depth", "U012 `ablation.matched` cannot be 'depth'. Choices: parameters, macs."),
        ("matched: {tolerance: 0}", "U012 `ablation.matched.tolerance` must be more than 0, not 0."),
        ("matched: {adjust: heads}", "U012 `ablation.matched.adjust` cannot be 'heads'. Choices: width, depth."),
        ("margin: 0", "U012 `ablation.margin` must be more than 0, not 0.0."),
        (
            "margin: -1%",
            "U012 `ablation.margin`: `-1%` is no margin; write a number in the metric's unit, or a share such as 2%.",
        ),
        (
            "margin: small",
            "U012 `ablation.margin`: `small` is no margin; write a number in the metric's unit, or a share such as 2%.",
        ),
        (
            "until: 1%",
            "U012 `ablation.until` must be a mapping of keys to values, not '1%'. Its keys: effect, max_seeds.",
        ),
        ("until: {effect: 1%, max_seeds: 4}", "U012 `ablation.until.max_seeds` must be at least 5, not 4."),
        ("same_parameters: -0.1", "U012 `ablation.same_parameters` must be at least 0, not -0.1."),
    ],
)
def test_how_an_ablation_is_decided(text: str, message: str) -> None:
    assert said(f"ablation: {{variants: {{a: [{{remove: x}}]}}, {text}}}") == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "edits: [{remove: x}]",
            "U010 `edits` is not a known key. Edits of the base stand in its own file (`ushape zoo NAME` prints one "
            "of the zoo to change), those of a variant under `ablation: {variants: {NAME: [...]}}`.",
        ),
        ("model: unet", "U010 `model` is not a known key. Here it is `base`."),
        ("question: [why]", "U012 `question` must be text, not a list."),
    ],
)
def test_what_stands_at_the_top_of_a_study(text: str, message: str) -> None:
    assert said(text) == [message]
