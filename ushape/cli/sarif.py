"""Problems as SARIF 2.1.0 (OASIS), the form in which code hosts and editors take them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from archspec import Problem
from archspec.text.explain import page
from archspec.text.rules import RULES

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_log(problems: Sequence[Problem]) -> dict[str, Any]:
    """One run with the rules that are broken and a result for each problem."""
    codes = sorted({problem.code for problem in problems})
    driver = {"name": "ushape", "rules": [_rule(code) for code in codes]}
    results = [_result(problem, codes.index(problem.code)) for problem in problems]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": page(code).why},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(problem: Problem, index: int) -> dict[str, Any]:
    more = f" (and {problem.count - 1} more)" if problem.count > 1 else ""
    node = f"{problem.node}{more}: " if problem.node else ""
    text = f"{node}{problem.message}{f' {problem.hint}' if problem.hint else ''}"
    result: dict[str, Any] = {
        "ruleId": problem.code, "ruleIndex": index, "level": problem.severity, "message": {"text": text},
    }  # fmt: skip
    if problem.file is not None:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(PurePath(problem.file).as_posix())}}
        if problem.line is not None:
            column = {} if problem.column is None else {"startColumn": problem.column}
            place["region"] = {"startLine": problem.line, **column}
        result["locations"] = [{"physicalLocation": place}]
    return result
