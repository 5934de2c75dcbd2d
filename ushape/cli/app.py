"""The command `ushape`: its commands, and what becomes of errors."""

from __future__ import annotations

import errno
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from archspec.text.errors import UserError

#: Exit codes: 0 fine; 1 done, but not all trials have a result; 2 the user has to change something; 130 interrupted.
USER_ERROR = 2
#: What the system says of a place that cannot be used; everything else is a fault of ours and stays a traceback.
_REFUSED = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR,
    errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.ENOTSUP, errno.EBUSY,
})  # fmt: skip

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
    if not _archspec_is_ours():
        sys.stderr.write(
            "error: another package named `archspec` (CPU detection, used by conda and spack) stands before ours. "
            "Install ushape into a virtual environment of its own.\n"
        )
        sys.exit(USER_ERROR)
    try:
        app()
    except SystemExit:  # how commands end; asking what a user's error is would load more than `--help` needs
        raise
    except _user_error() as error:
        from ushape.cli.console import show_problems

        show_problems(error.problems)
        sys.exit(USER_ERROR)
    except OSError as error:
        if error.errno not in _REFUSED or error.filename is None:
            raise
        from ushape.cli.console import err

        err.print(f"error {_refused(error)}", markup=False, highlight=False)
        sys.exit(USER_ERROR)


def _refused(error: OSError) -> str:
    """What the system did not let us do, at the place that the user named; our own file beside it is not theirs."""
    path = Path(error.filename2 or error.filename)
    place = path.parent if path.name.startswith(".") and path.suffix == ".tmp" else path
    what = "it is a file, and a folder is needed" if place.is_file() else str(error.strerror)
    return f"{place}: cannot be written: {what}. Name another place."


def _user_error() -> type[UserError]:
    """The type, imported when something was raised."""
    from archspec.text.errors import UserError

    return UserError


def _archspec_is_ours() -> bool:
    found = find_spec("archspec")
    here = Path(__file__).resolve().parent.parent.parent
    return found is not None and found.origin is not None and Path(found.origin).resolve().parent.parent == here
