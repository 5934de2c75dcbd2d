"""What the site says works: every block of its pages is run, and its generated pages say what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from documented import ROOT, Page, blocks, prepare, readable

DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

from generator import commands, dependencies, files, operations, rules  # noqa: E402

from archspec import OPS  # noqa: E402
from archspec.text.rules import RULES  # noqa: E402
from builder.lowering import LOWERINGS  # noqa: E402

WRITTEN = sorted(page for page in DOCS.rglob("*.md") if not {"generated", "_build"} & set(page.parts))
#: run by tests of their own
ELSEWHERE = {"statistics.md", "scale.md"}
PAGES = [page for page in WRITTEN if page.name not in ELSEWHERE and blocks(page)]


def named(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(DOCS)) for page in pages]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    operations_before, lowerings_before = dict(OPS), dict(LOWERINGS)
    yield tmp_path
    for table, before in ((OPS, operations_before), (LOWERINGS, lowerings_before)):
        table.clear()
        table.update(before)


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_the_blocks_of_a_page_work(page, place):
    prepare(page, place)
    Page(page).run()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_the_trainings_of_a_page_work(page, place):
    prepare(page, place)
    digits = place / "digits.yaml"
    digits.write_text(re.sub(r"(steps|images|seeds|trials): \d+", r"\1: 2", digits.read_text()))
    Page(page, slow=True).run()


def test_a_block_that_is_wrong_is_found(place):
    page = place / "page.md"
    for text, told in (
        ("```sh\nushape chek a.yaml\n```", "line 1"),
        ("```sh slow\nushape run a.yaml --worker 2\n```", "worker"),
        ("```yaml file=a.yaml\nversion: 1\nname: a\nunet: {ch: 33}\n```", "U011"),
        ("Text.\n\n```python\nassert 1 == 2\n```", "line 3"),
        ("```sh\nushape explain U204\n```\n\n```text\nU205 (error)\n```", "not printed: U205"),
        ("```sh\nrm -r /\n```", "unknown command"),
    ):
        page.write_text(text + "\n")
        with pytest.raises(AssertionError, match=told):
            Page(page).run()


def test_every_page_is_reached():
    index = (DOCS / "index.md").read_text()
    hidden = set(
        re.findall(r"^[a-z-]+(?:/[a-z-]+)?$", "\n".join(re.findall(r"```{toctree}(.*?)```", index, re.S)), re.M)
    )
    generated = {f"generated/{name.removesuffix('.md')}" for name in __import__("generator").PAGES}
    assert hidden == generated | {
        str(page.relative_to(DOCS).with_suffix("")) for page in WRITTEN if page.name != "index.md"
    }


def test_the_page_of_commands_has_every_command_and_option():
    page = commands.page()
    assert {"ushape run", "ushape weights convert"} <= set(re.findall(r"^## (.+)$", page, re.M))
    assert re.search(r"^\| `--retry-failed` \|  \| Run the ablation's failed trials again\. \|$", page, re.M)
    assert "| `--seeds` | whole number | Fresh seeds for each; below 5 there is no verdict. Default: `8`. |" in page
    for usage in re.findall(r"^ushape .*$", page, re.M):
        name = re.match(r"ushape [a-z]+(?: [a-z]+)?(?= |$)", usage)
        assert name is not None


def test_the_pages_of_files_have_every_key():
    study, architecture = files.study_page(), files.architecture_page()
    assert "| `trials` | integer ≥ 1 | `20` | trainings; refused and replayed points are not counted |" in study
    assert "| `ch_mult` |" in architecture
    assert "| `search` | [Search](#search) |" in study
    assert "| `name` | string | required |" in study


def test_kinds_are_said_in_short():
    assert (
        files.kind({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]})
        == "integer or list of these"
    )
    assert files.kind({"enum": ["a", None, True]}) == "a or null or true"
    assert files.kind({"type": "number", "exclusiveMinimum": 0, "maximum": 2}) == "number > 0, ≤ 2"


def test_each_rule_and_each_operation_has_its_section():
    assert re.findall(r"^### (U\d+)$", rules.page(), re.M) == list(RULES)
    page = operations.page()
    assert set(re.findall(r"^### (\w+)$", page, re.M)) == set(OPS)
    assert page.count('<svg class="op"') == len(OPS)
    assert "| `dropout` | `number ≥ 0, < 1` | `0.0` | probability of dropping an activation |" in page


def test_a_picture_says_what_comes_in_and_what_leaves():
    _, graph, node = operations.example_of("window_attention")
    svg = operations.picture(graph, node)
    assert "x: 64×4×4" in svg
    assert 'class="out">64×4×4<' in svg
    assert "16,768 parameters" in svg


def test_each_dependency_has_a_reason_and_its_licence():
    asked = [
        name
        for lines in dependencies.requirements().values()
        for line in lines
        for name in [dependencies.name_of(line)]
    ]
    assert sorted(asked) == sorted(dependencies.REASONS)
    families = ("BSD", "MIT", "Apache", "LGPL", "MPL")
    for name, (licence, why) in dependencies.REASONS.items():
        assert why
        try:
            found = metadata(name)
        except PackageNotFoundError:
            continue
        said = " ".join(
            [found.get("License-Expression") or "", found.get("License") or "", *found.get_all("Classifier", [])]
        )
        stated = [family for family in families if family in said]  # one package has its licence in a file alone
        assert not stated or any(licence.startswith(family) for family in stated), name


def test_each_extra_has_its_duty():
    assert set(dependencies.requirements()) - {""} == set(dependencies.DUTIES)


def test_readme_commands_can_be_read():
    text = (ROOT / "README.md").read_text()
    for line in re.findall(r"^ushape (.+)$", text, re.M):
        readable(line.split())


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    arguments = ["--quiet", "--fail-on-warning", "-b", "html", str(DOCS), str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "sphinx", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    page = (tmp_path / "index.html").read_text()
    assert re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', page) == []
