"""The page of the rules: each code with its reason, an example that breaks it, and the example mended."""

from __future__ import annotations

from archspec.text.explain import page as page_of
from archspec.text.rules import RULES
from generator.markdown import block, table

GROUPS = {"0": "Text", "1": "The graph", "2": "Shapes", "3": "Edits", "4": "Studies", "5": "Doubts"}


def page() -> str:
    """The page as Markdown."""
    rows = [(f"[{code}](#{code.lower()})", rule.severity, rule.title) for code, rule in RULES.items()]
    parts = [
        "# Rules by code",
        "Every message names its rule. `ushape explain CODE` prints what stands here. A warning is silenced, "
        "in the file, by `# ushape: ignore[CODE]` on its line.",
        table(["code", "severity", "what it asks"], rows),
    ]
    group = ""
    for code in RULES:
        if code[1] != group:
            group = code[1]
            parts.append(f"## {GROUPS[group]}")
        parts += _section(code)
    return "\n\n".join(parts) + "\n"


def _section(code: str) -> list[str]:
    found = page_of(code)
    wrong, right = block(found.language, found.wrong), block(found.language, found.right)
    return [
        f"### {code}",
        f"**{found.rule.title}** ({found.rule.severity})",
        found.why,
        "Wrong:",
        wrong,
        "Right:",
        right,
    ]
