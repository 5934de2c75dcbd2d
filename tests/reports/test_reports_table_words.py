"""Tables by what stands in their cells: units, intervals, captions, and every sign that a user may write."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from archspec import UserError
from reports.analysis.ablation import compare
from reports.metrics import MINUS, MISSING
from reports.tables import write, write_results_csv, write_tables
from reports.tables.content import Table, tables
from tests.reports.bare_study import NAN, bare_study, plain, searched
from tests.reports.test_reports_ablation import BASE, WORSE, frame

ODD = r"\a^b~c|d<e>f & 50% $x_1$ #{y} `z` *w*"
IN_LATEX = (
    r"\textbackslash{}a\textasciicircum{}b\textasciitilde{}c$|$d$<$e$>$f \& 50\% \$x\_1\$ \#\{y\} `z` *w*"
)  # fmt: skip
IN_MARKDOWN = "&#92;a^b~c\\|d&#60;e&#62;f &#38; 50% $x_1$ #{y} &#96;z&#96; &#42;w&#42;"


def ablation(**changes: Any) -> Table:
    trials = frame(base=BASE, slow=WORSE, lost=["oom"] * 6).assign(memory=2.0**20, **changes)
    (table,) = tables(bare_study(trials))
    return table


def front(trials: pd.DataFrame, **changes: Any) -> Table:
    (table,) = tables(bare_study(trials, **{"objectives": ("loss", "macs"), **changes}))
    return table


def test_the_ablations_table_is_written_in_units_with_intervals_and_a_verdict_for_the_loss() -> None:
    table = ablation()
    assert list(table.words) == ["variant", "Δ held-out loss", "in per cent", "p (Holm)", "seeds", "verdict",
                                 "Δ peak memory (MiB)", "Δ parameters (M)"]  # fmt: skip
    slow, lost = ([plain(cell) for cell in row] for row in table.words.to_numpy().tolist())
    low, high = stats.ttest_rel(WORSE, BASE).confidence_interval(0.95)
    difference = f"+0.0202 [+{low:.4f}, +{high:.4f}]"
    assert slow == ["slow", difference, "+20 %", "<0.001", "6", "worse", "0", "−0.000100"]
    lacking = "no paired seeds; out of memory in 6 of 6"
    assert lost == ["lost", MISSING, MISSING, MISSING, "0", lacking, MISSING, MISSING]
    assert table.caption == (
        "small: difference of each variant to the base, mean over training seeds paired by seed, with the 95 % t "
        "interval; p values and verdicts are of held-out loss, adjusted by Holm's method over all variants. Times are "
        "compared by their ratio to a reference network."
    )


def test_the_ablations_numbers_are_in_recorded_units_one_row_for_each_variant_and_metric() -> None:
    table = ablation()
    numbers = table.numbers.set_index(["variant", "metric"])
    assert list(numbers.index) == [(v, m) for m in ("loss", "memory", "parameters") for v in ("slow", "lost")]
    (effect, _) = compare(frame(base=BASE, slow=WORSE, lost=["oom"] * 6), "loss")
    row = numbers.loc[("slow", "loss")]
    assert row["unit"] == "recorded"
    assert [row[name] for name in ("seeds", "base_mean", "difference", "low", "high", "low_holm", "high_holm")] == [
        6, effect.base_mean, effect.mean, effect.low, effect.high, effect.low_adjusted, effect.high_adjusted
    ]  # fmt: skip
    assert [row[name] for name in ("percent", "p", "p_holm")] == [effect.percent, effect.p, effect.p_holm]
    assert numbers.loc[("slow", "parameters"), "difference"] == -100.0
    assert numbers.loc[("slow", "parameters"), "verdict"] == "counted"
    assert math.isnan(numbers.loc[("lost", "loss"), "difference"])


def test_times_by_their_ratio_are_in_per_cent() -> None:
    trials = frame(base=BASE, slow=[2 * b for b in BASE])
    trials = trials.assign(latency=trials["loss"] * 7, latency_ratio=trials["loss"])
    (table,) = tables(bare_study(trials))
    assert table.words["Δ latency (%)"].tolist() == ["+100"]
    assert set(table.numbers.loc[table.numbers["metric"] == "latency", "unit"]) == {"percent"}
    (absolute,) = tables(bare_study(trials.assign(latency_ratio=NAN)))
    assert absolute.words["Δ latency (ms)"].tolist()[0].startswith("+712 [+")


def test_the_front_has_its_parameters_and_objectives_in_the_order_of_the_first() -> None:
    trials = searched([0.3, 0.1, 0.2], macs=[1e6, 3e6, 2e6], latency=[1.0, 1.0, 1.0])
    trials = trials.assign(**{"param:ch": [32.0, 64.0, NAN], "param:kind": ["a", None, "c"]})
    table = front(trials)
    assert table.numbers.astype(object).where(table.numbers.notna(), None).to_dict("list") == {
        "trial": [1, 2, 0], "ch": [64, None, 32], "kind": [None, "c", "a"], "loss": [0.1, 0.2, 0.3],
        "macs": [3e6, 2e6, 1e6],
    }  # fmt: skip
    assert table.words.to_dict("list") == {
        "trial": [1, 2, 0], "ch": ["64", MISSING, "32"], "kind": [MISSING, "c", "a"],
        "held-out loss": ["0.1000", "0.2000", "0.3000"], "MACs (M)": ["3.00", "2.00", "1.00"],
    }  # fmt: skip


def test_what_is_dominated_over_a_budget_or_without_a_result_is_not_on_the_front() -> None:
    trials = searched([0.3, 0.1, NAN, 0.4], macs=[1.0, 3.0, 2.0, 2.0], feasible=[True, False, True, True])
    assert front(trials).numbers["trial"].tolist() == [0]
    assert tables(bare_study(trials.assign(feasible=False), objectives=("loss", "macs"))) == []


def test_a_dimension_that_is_named_as_a_column_of_the_front_keeps_both() -> None:
    names = ("param:trial", "param:macs", "param:held-out loss", "param:depth")
    table = front(searched([0.3], macs=[1e6]).assign(**dict.fromkeys(names, 5)))
    assert table.numbers.to_dict("list") == {
        "trial": [0], "param:trial": [5], "param:macs": [5], "param:held-out loss": [5], "depth": [5], "loss": [0.3],
        "macs": [1e6],
    }  # fmt: skip
    assert list(table.words) == ["trial", "param:trial", "param:macs", "param:held-out loss", "depth", "held-out loss",
                                 "MACs (M)"]  # fmt: skip


def test_a_study_whose_search_was_taken_out_has_the_front_of_the_loss() -> None:
    table = front(searched([0.3, 0.1], macs=[1.0, 2.0]), objectives=())
    assert table.numbers[["trial", "loss"]].to_dict("list") == {"trial": [1], "loss": [0.1]}
    assert table.caption == (
        "small: the search's non-dominated architectures within the budgets. One training seed each, so neighbours may "
        "differ by chance."
    )


def test_the_fronts_caption_names_every_ratio_that_it_was_made_by() -> None:
    trials = searched([0.3], latency=[1.0], latency_ratio=[2.0], train_latency=[1.0], train_latency_ratio=[2.0])
    caption = front(trials, objectives=("loss", "latency", "train_latency")).caption
    assert caption.endswith(
        " Compared by the ratio of latency and training step to a reference network, which the table does not show."
    )


def test_scores_are_told_with_tau_and_in_words_what_they_are_worth() -> None:
    loss = [i / 10 for i in range(1, 11)]
    trials = searched(loss).assign(**{"score:snip": [-one for one in loss], "score:rare": [1.0, 2.0, *[NAN] * 8]})
    scores = tables(bare_study(trials, objectives=("loss",)))[1]
    assert scores.name == "scores"
    snip, rare = scores.words.to_dict("records")
    assert (snip["score"], snip["objective"], snip["trials"]) == ("snip", "held-out loss", 10)
    assert snip["in this study"] == "higher scores are better"
    assert re.fullmatch(r"\+1\.00 \[\+0\.\d\d, \+1\.00\]", snip["Kendall's tau"])
    assert (rare["Kendall's tau"], rare["trials"]) == (f"{MINUS}1.00", 2)
    assert scores.numbers["tau"].tolist() == pytest.approx([1.0, -1.0])
    assert scores.numbers["low"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        (ODD, IN_LATEX),
        ("−1 [+0,5]", "$-$1 [+0,5]"),
        ("[1, 2]", "{[}1, 2]"),
        ("*", "{*}"),
        ("a\nb", "a b"),
        ("", ""),
        (7, "7"),
        ("Größe", "Größe"),
        ("—\N{NARROW NO-BREAK SPACE}ms\N{NO-BREAK SPACE}× Δ", "---\\,ms~$\\times$ $\\Delta$"),
    ],
)
def test_latex_prints_every_sign_as_it_was_written(text: object, latex: str) -> None:
    assert write._for_latex(text) == latex


def test_names_captions_and_cells_of_users_are_escaped_alike(tmp_path: Path) -> None:
    trials = searched([0.3, 0.4], macs=[2e6, 1e6]).assign(**{f"param:{ODD}": [ODD, "[1, 2]"]})
    write_tables(bare_study(trials, name="a^b", objectives=("loss", "macs")), tmp_path, ("latex", "markdown"))
    tex = (tmp_path / "front.tex").read_text(encoding="utf-8").splitlines()
    assert tex[0] == r"% needs \usepackage{booktabs}"
    assert rf"trial & {IN_LATEX} & held-out loss & MACs (M) \\" in tex
    assert rf"0 & {IN_LATEX} & 0.3000 & 2.00 \\" in tex
    assert r"1 & {[}1, 2] & 0.4000 & 1.00 \\" in tex
    assert any(line.startswith(r"\caption{a\textasciicircum{}b: the search's non-dominated") for line in tex)
    assert r"\label{tab:front}" in tex
    lines = (tmp_path / "front.md").read_text(encoding="utf-8").splitlines()
    assert [cell.strip() for cell in re.split(r"(?<!\\)\|", lines[2])[1:-1]] == [
        "trial", IN_MARKDOWN, "held-out loss", "MACs (M)"
    ]  # fmt: skip
    assert [cell.strip() for cell in re.split(r"(?<!\\)\|", lines[4])[1:-1]] == ["0", IN_MARKDOWN, "0.3000", "2.00"]


def test_a_name_over_two_lines_is_one_row_in_markdown(tmp_path: Path) -> None:
    trials = frame(base=BASE, slow=WORSE)
    trials["variant"] = trials["variant"].replace("slow", "sl\now\\|")
    write_tables(bare_study(trials), tmp_path, ("markdown",))
    lines = (tmp_path / "ablation.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    assert lines[4].startswith("| sl ow&#92;\\| ")


def test_files_are_named_by_their_format_and_only_programs_get_all_trials(tmp_path: Path) -> None:
    study = bare_study(searched([0.3]), objectives=("loss",))
    names = [path.name for path in write_tables(study, tmp_path / "new" / "folder", ("latex", "csv", "markdown"))]
    assert names == ["trials.csv", "front.tex", "front.csv", "front.md"]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(names)


def test_without_pyarrow_parquet_is_left_out_and_refused_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    study = bare_study(searched([0.3]), objectives=("loss",))
    assert {path.suffix for path in write_tables(study, tmp_path / "all")} == {".csv", ".md", ".tex"}
    with pytest.raises(UserError) as caught:
        write_tables(study, tmp_path / "one", ("csv", "parquet"))
    (problem,) = caught.value.problems
    assert (problem.message, str(problem.hint)) == (
        "Parquet needs the package pyarrow.", "Run `pip install ushape[parquet]`."
    )  # fmt: skip
    assert not (tmp_path / "one").exists()


def test_a_parameter_of_several_kinds_is_text_in_parquet_and_others_keep_their_type(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    trials = searched([0.3, 0.2, 0.1]).assign(**{"param:mixed": [1, "two", None], "param:flag": [True, False, True]})
    write_tables(bare_study(trials, objectives=("loss",)), tmp_path, ("parquet",))
    written = pd.read_parquet(tmp_path / "trials.parquet")
    assert written["param:mixed"].fillna("absent").tolist() == ["1", "two", "absent"]
    assert written["param:flag"].tolist() == [True, False, True]
    assert written["trial"].tolist() == [0, 1, 2]


def test_the_frame_as_csv_has_every_digit_and_quotes_what_needs_it(tmp_path: Path) -> None:
    trials = searched([0.1 + 0.2, 1e-17]).assign(reason=['said "no", twice', "two\nlines"])
    path = write_results_csv(bare_study(trials), tmp_path / "deep" / "results.csv")
    text = path.read_text(encoding="utf-8")
    assert "0.30000000000000004" in text
    assert '"said ""no"", twice"' in text
    assert "\r" not in text
    back = pd.read_csv(path)
    assert back["reason"].tolist() == trials["reason"].tolist()
    write_results_csv(bare_study(trials.head(1)), path)
    assert len(pd.read_csv(path)) == 1


def test_a_study_without_anything_has_no_tables() -> None:
    assert tables(bare_study(searched([0.1]).iloc[:0])) == []
    assert tables(bare_study(frame(base=BASE))) == []
