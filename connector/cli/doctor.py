"""`connector doctor`: what is amiss, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli.options import Command, json_option
from connector.cli.settings import Settings
from connector.cli.words import counted, echo_json, fit, one_line, tint

if TYPE_CHECKING:
    from connector.doctor import Check

_COLORS = {"ok": "green", "failed": "red", "skipped": "yellow"}
_LONGEST = 400


@click.command("doctor", cls=Command)
@json_option
@click.pass_obj
def doctor(settings: Settings, *, as_json: bool) -> int:
    """Check configuration, sources, state, clock, API and key; each failure with its fix.

    Sends no data: the API is asked through its mock models, and with an empty batch.
    """
    from connector.doctor import diagnose

    checks = []
    for check in diagnose(settings.project, settings.target):
        checks.append(check)
        if not as_json:
            _show(check)
    failed = [check for check in checks if check.verdict == "failed"]
    if as_json:
        echo_json(_document(checks, exit_code=1 if failed else 0))
    elif settings.verbosity >= 0:
        count = counted(len(failed), "check") + " failed." if failed else "All is well."
        click.echo(f"\n{count}")
    return 1 if failed else 0


def _show(check: Check) -> None:
    verdict = tint(check.verdict.ljust(7), _COLORS[check.verdict])
    click.echo(f"{verdict}  {check.name.ljust(9)}  {one_line(check.message, _LONGEST)}")
    if check.fix:
        click.echo(f"         {tint('fix:'.ljust(9), 'cyan')}  {fit(check.fix)}")


def _document(checks: list[Check], *, exit_code: int) -> dict[str, object]:
    return {
        "schema_version": 1,
        "command": "doctor",
        "exit_code": exit_code,
        "checks": [
            {
                "name": check.name,
                "status": str(check.verdict),
                "message": check.message,
                "fix": check.fix,
            }
            for check in checks
        ],
    }
