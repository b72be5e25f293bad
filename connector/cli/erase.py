"""`connector erase`: hard-delete users now, lift a suppression, and see what is pending."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.options import Command, json_option
from connector.cli.settings import Settings
from connector.cli.stopping import until_stopped
from connector.cli.sync import show_errors
from connector.cli.words import bold, counted, duration, echo_json, fit, table
from connector.errors import UsageError

if TYPE_CHECKING:
    from connector.control.erasures import Erasure
    from connector.erasure import Receipt
    from connector.project import Project
    from connector.report import RunReport


@click.command("erase", cls=Command)
@click.argument("uids", nargs=-1, metavar="[UID]…")
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    metavar="F",
    help="Erase the uids of a file too, one a line; `-` is standard input.",
)
@click.option("--lift", "lift_", multiple=True, metavar="UID", help="Let a user be sent again.")
@click.option(
    "--new-list",
    is_flag=True,
    help="Go on without the erased whose list was lost; see docs/privacy.md.",
)
@click.option("--status", "status_", is_flag=True, help="Every erasure, how far it is, its age.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--receipt",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="F",
    help="Write receipts to a file, with the uids in clear.",
)
@json_option
@click.pass_obj
def erase(
    settings: Settings,
    /,
    *,
    uids: tuple[str, ...],
    file: Path | None,
    lift_: tuple[str, ...],
    new_list: bool,
    status_: bool,
    yes: bool,
    receipt: Path | None,
    as_json: bool,
) -> int:
    """Delete users for good, at once, and never send them again.

    Put `--` before a uid that begins with a dash. Erased users are suppressed for every mapping
    until lifted by hand.
    """
    if sum([bool(uids or file), bool(lift_), new_list, status_]) != 1:
        raise UsageError(
            "name users to erase, or give one of --lift, --new-list and --status", hint="see --help"
        )
    project = settings.load()
    if status_:
        return _show_ledger(settings, project, as_json=as_json)
    if lift_:
        return _lift(settings, project, lift_, as_json=as_json)
    if new_list:
        return _new_list(settings, project, yes=yes, as_json=as_json)
    wanted = [*uids, *(_read(file) if file else [])]
    return _erase(settings, project, wanted, receipt, yes=yes, as_json=as_json)


def _read(file: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", hint="one uid a line, UTF-8") from error
    return [line for line in text.splitlines() if line]


def _erase(
    settings: Settings,
    project: Project,
    uids: Sequence[str],
    receipt: Path | None,
    *,
    yes: bool,
    as_json: bool,
) -> int:
    from connector import erasure

    erasure.check_uids(uids)
    target = settings.choose(project)
    count = counted(len(set(uids)), "user")
    _confirm(f"Delete {count} at target {target.name!r} for good?", yes=yes)
    report, receipts = until_stopped(
        lambda stop: erasure.erase(project, target, uids, stop=stop), settings.log
    )
    if receipt is not None:
        _write_receipts(receipt, report, receipts)
    if as_json:
        echo_json(report.to_json() | {"receipts": [_ledger_json(r.erasure) for r in receipts]})
    else:
        _show(report, receipts)
    show_errors(settings, report)
    return report.exit_code


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("this has to be confirmed", hint="say --yes")
    click.confirm(question, abort=True, err=True)


def _show(report: RunReport, receipts: Sequence[Receipt]) -> None:
    operation = report.mappings[0].changes["hard_delete"]
    never = sum(receipt.erasure.answer == 404 for receipt in receipts)
    known = f", {never:,} of them unknown there" if never else ""
    waiting = sum(receipt.erasure.confirmed_at is None for receipt in receipts)
    if operation.acknowledged or not waiting:
        click.echo(
            f"{counted(operation.acknowledged, 'user')} deleted at target {report.target!r}"
            f"{known}; suppressed from now on."
        )
    if waiting:
        click.echo(
            f"{counted(waiting, 'user')} still to be deleted, and sent nothing until then; the "
            "next `connector sync` or `connector erase` does it."
        )
    done = [receipt.profile_gone_by for receipt in receipts if receipt.profile_gone_by]
    if done:
        gone, forgotten = max(done), max(r.models_forget_by for r in receipts if r.models_forget_by)
        click.echo(
            f"Profile and events are gone by {_time(gone)}, models forget by {_time(forgotten)}."
        )


def _write_receipts(path: Path, report: RunReport, receipts: Sequence[Receipt]) -> None:
    document = {
        "schema_version": 1,
        "run_id": report.run_id,
        "target": report.target,
        "receipts": [
            {
                "uid": receipt.uid,
                **_ledger_json(receipt.erasure),
                "profile_gone_by": _time(receipt.profile_gone_by),
                "models_forget_by": _time(receipt.models_forget_by),
            }
            for receipt in receipts
        ],
    }
    try:
        path.touch(mode=0o600)
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the receipt cannot be written to {path}: {error.strerror}") from error


def _lift(settings: Settings, project: Project, uids: Sequence[str], *, as_json: bool) -> int:
    from connector import erasure

    lifted = erasure.lift(project, settings.target_name(project), uids)
    if as_json:
        echo_json({"schema_version": 1, "command": "erase", "exit_code": 0, "lifted": lifted})
    else:
        click.echo(f"{counted(lifted, 'user')} may be sent again, from the next sync on.")
    return 0


def _new_list(settings: Settings, project: Project, *, yes: bool, as_json: bool) -> int:
    from connector import erasure

    name = settings.target_name(project)
    _confirm(f"Send to target {name!r} whoever a lost list kept from it?", yes=yes)
    known = erasure.new_list(project, name)
    if as_json:
        echo_json({"schema_version": 1, "command": "erase", "exit_code": 0, "new_list": known})
    else:
        click.echo(f"{counted(known, 'state file')} knew of a list; from now on this one counts.")
    return 0


def _show_ledger(settings: Settings, project: Project, *, as_json: bool) -> int:
    from connector import erasure

    name = settings.target_name(project)
    lines = erasure.ledger(project, name)
    if as_json:
        echo_json(
            {
                "schema_version": 1,
                "command": "erase",
                "target": name,
                "exit_code": 0,
                "erasures": [_ledger_json(line) for line in lines],
            }
        )
        return 0
    if not lines:
        click.echo(f"Nobody was ever erased at target {name!r}.")
        return 0
    header = ["uid (hash)", "rule", "mapping", "state", "requested", "age", "answer"]
    rows = [
        [
            line.uid_hash[:12],
            line.rule,
            fit(line.mapping or ""),
            line.state,
            _time(line.requested_at),
            duration(_age(line).total_seconds()),
            line.answer,
        ]
        for line in lines
    ]
    head, *body = table(header, rows, left=5)
    click.echo("\n".join([bold(head), *body, "", _summary(lines)]))
    return 0


def _summary(lines: Sequence[Erasure]) -> str:
    pending = [line for line in lines if line.state in {"requested", "sent"}]
    if not pending:
        return f"{counted(len(lines), 'erasure')}, none pending."
    oldest = max(map(_age, pending))
    return (
        f"{counted(len(lines), 'erasure')}, {len(pending):,} pending, the oldest for "
        f"{duration(oldest.total_seconds())}; the next `connector sync` or `erase` sends them."
    )


def _age(line: Erasure) -> timedelta:
    """From the request to the confirmation, or until now where there is none."""
    end = line.confirmed_at or line.withdrawn_at or datetime.now(UTC).replace(tzinfo=None)
    return end - line.requested_at


def _ledger_json(line: Erasure) -> dict[str, Any]:
    from connector.control.erasures import MODELS_WITHIN, PROFILE_WITHIN

    now = datetime.now(UTC).replace(tzinfo=None)
    open_ = line.state in {"requested", "sent"}
    return {
        "uid_hash": line.uid_hash,
        "rule": line.rule,
        "mapping": line.mapping,
        "state": line.state,
        "requested_at": _time(line.requested_at),
        "sent_at": _time(line.sent_at),
        "confirmed_at": _time(line.confirmed_at),
        "withdrawn_at": _time(line.withdrawn_at),
        "answer": line.answer,
        "run_id": line.run_id,
        "age_seconds": round(_age(line).total_seconds()),
        "over_24_hours": open_ and now - line.requested_at > PROFILE_WITHIN,
        "over_seven_days": open_ and now - line.requested_at > MODELS_WITHIN,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
