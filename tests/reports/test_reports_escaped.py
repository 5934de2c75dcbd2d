"""What a user wrote is text on the page, and the page runs its own scripts alone."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from pathlib import Path

from reports.analysis.curves import Curve
from reports.dashboard import render
from reports.figures.curves import variant_figure
from reports.pages.charts import safe_json
from studies.frame import StudyResults
from tests.reports.reading import read, stored, words
from tests.reports.synthetic_study import full_page, full_study, make_study

EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7*7 }}"


def evil(study: StudyResults) -> StudyResults:
    """The study with markup in everything a user controls."""
    trials = study.trials.copy()
    trials["variant"] = trials["variant"].where(trials["variant"].isna() | (trials["variant"] == "base"), EVIL)
    trials["reason"] = trials["reason"].where(trials["reason"].isna(), EVIL)
    trials["edits"] = EVIL
    trials["device"] = EVIL
    trials["started"] = EVIL
    trials.loc[trials.index[-1], "fingerprint"] = EVIL
    trials["param:attn_type"] = trials["param:attn_type"].where(trials["param:attn_type"].isna(), EVIL + "a")
    trials = trials.rename(columns={"param:ch_mult": f"param:{EVIL}"})
    return replace(
        study,
        name=EVIL,
        question=EVIL,
        source=EVIL,
        folder=Path("runs") / "<b>x",
        trials=trials,
        warnings=(EVIL,),
        environment=[{EVIL: EVIL}],
        data={"name": EVIL},
        document={
            "protocol": {"train": {EVIL: EVIL}},
            "measure": {"device": EVIL},
            "search": {"space": {EVIL: [EVIL]}},
        },
        protocol_hash=EVIL,
        screening=EVIL,
    )


def test_texts_from_users_are_escaped_everywhere() -> None:
    page = render(evil(full_study()))
    found = read(page)
    assert [attributes.get("type") for attributes, _ in found.scripts] == ["application/json"] * 5 + [None]
    assert not [tag for tag, attributes in found.tags if tag == "img" or any(a.startswith("on") for a in attributes)]
    assert "alert('x')</script>" not in page
    assert "49" not in re.findall(r"&amp;(\d+)", page)
    assert words(page).count("<script>alert('x')</script>") > 20


def test_texts_for_plotly_are_escaped_where_they_are_written() -> None:
    page = render(evil(full_study()))
    figures = json.loads(next(text for a, text in read(page).scripts if a.get("id") == "chart-data"))["figures"]
    assert not any("<script" in str(trace) or "<img" in str(trace) for f in figures.values() for trace in f["data"])
    # The numbers of the search come as they are; the page's script escapes them (see the browser tests).
    assert any("<script>" in one["name"] for one in json.loads(stored(page, "search-data"))["parameters"])


def test_only_the_pages_own_scripts_may_run_and_nothing_may_be_fetched() -> None:
    found = read(full_page())
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    running = [text for attributes, text in found.scripts if attributes.get("type") is None]
    running.append(stored(full_page(), "plotly-packed"))
    assert len(running) == 2
    for text in running:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert not [tag for tag, a in found.tags if a.get("src") or (tag == "link")]
    assert not [a for tag, a in found.tags if str(a.get("href", "")).startswith(("http", "//"))]


def test_json_cannot_end_its_script() -> None:
    text = safe_json({"a": "</script><!-- & \u2028"})
    assert "<" not in text
    assert "&" not in text
    assert json.loads(text) == {"a": "</script><!-- & \u2028"}


def test_escaped_text_is_still_readable() -> None:
    page = render(replace(make_study(seeds=1, trials=0), question="Is a < b & c?"))
    assert html.escape("Is a < b & c?") in page


def test_what_plotly_would_not_show_as_written_is_told_by_number() -> None:
    curve = Curve('a "b" <i>%{y}</i> & c', (1, 2), (0.5, 0.4), emphasis=False)
    (trace,) = variant_figure([curve]).data
    # Plotly knows no &quot; and would fill in %{y}; numbers it knows all.
    assert trace.name == "a &#34;b&#34; &#60;i&#62;%&#123;y&#125;&#60;/i&#62; &#38; c"
    assert trace.hovertemplate.startswith(trace.name)
