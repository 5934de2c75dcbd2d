"""The page of the Python API: the public names of each room, by Sphinx's autodoc from their docstrings."""

from __future__ import annotations

#: module -> what it is for, in one line
MODULES = {
    "ushape": "run a study, load its results",
    "archspec": "text to a checked, shaped and priced graph, and back",
    "archspec.ops": "operations from outside the package",
    "builder": "a graph to torch",
    "builder.unet": "the reference U-Net's constructor",
    "builder.lowering": "the torch side of operations from outside",
    "builder.export": "generated code",
    "builder.weights": "checkpoints in their layouts",
    "builder.profile": "FLOPs and peak memory, predicted",
    "reports.dashboard": "one HTML file for a study, or for several",
}
#: modules without ``__all__``, or whose ``__all__`` is longer than what is for outsiders -> what is shown of them
SHOWN = {
    "archspec.ops": ("Op", "register"),
    "builder.unet": ("Model",),
    "builder.lowering": ("register",),
    "reports.dashboard": ("write_dashboard", "write_comparison"),
}


def page() -> str:
    """The page as MyST Markdown."""
    parts = ["# Python API", "What is not listed here may change without notice."]
    for module, purpose in MODULES.items():
        parts += [f"## {module}", f"{purpose[0].upper()}{purpose[1:]}.", _directive(module)]
    return "\n\n".join(parts) + "\n"


def _directive(module: str) -> str:
    shown = SHOWN.get(module)
    members = f":members: {', '.join(shown)}" if shown else ":members:"
    return f"```{{eval-rst}}\n.. automodule:: {module}\n   :no-index:\n   {members}\n   :imported-members:\n```"
