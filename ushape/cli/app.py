"""The command `ushape`: its commands, and what becomes of errors."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from ushape.cli import (
    check,
    confirm,
    dashboard,
    diff,
    explain,
    export,
    figures,
    init,
    measure,
    plan,
    profile,
    report,
    run,
    schema,
    show,
    status,
    tables,
    weights,
    zoo,
)

#: Exit codes: 0 fine; 1 done, but not all trials have a result; 2 the user has to change something; 130 interrupted.
USER_ERROR = 2

app = typer.Typer(
    name="ushape",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Which diffusion U-Net, and does this part matter? Architecture search and ablation.",
    epilog="Start with [bold]ushape init[/bold], then [bold]ushape run study.yaml[/bold]. "
    "Exit codes: 0 fine, 1 some trials have no result, 2 something for you to change, 130 interrupted.",
)
for command in (
    init.init,
    check.check,
    explain.explain,
    show.show,
    diff.diff,
    zoo.zoo,
    plan.plan,
    run.run,
    confirm.confirm,
    status.status,
    report.report,
    tables.tables,
    figures.figures,
    dashboard.dashboard,
    measure.measure,
    profile.profile,
    export.export,
    schema.schema,
):
    app.command()(command)
app.add_typer(weights.weights)


def main() -> None:
    """Run the command line; a user's mistake is a message and exit code 2, never a traceback."""
    from archspec.errors import UserError
    from ushape.cli.console import err, show_problems

    if not _archspec_is_ours():
        err.print(
            "error: another package named `archspec` (CPU detection, used by conda and spack) stands before ours. "
            "Install ushape into a virtual environment of its own."
        )
        sys.exit(USER_ERROR)
    try:
        app()
    except UserError as error:
        show_problems(error.problems)
        sys.exit(USER_ERROR)


def _archspec_is_ours() -> bool:
    import archspec

    here = Path(__file__).resolve().parent.parent.parent
    return archspec.__file__ is not None and Path(archspec.__file__).resolve().parent.parent == here
