"""`connector demo`: the whole round on generated data and the sandbox."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.options import Command
from connector.cli.plan import describe_mapping, overview
from connector.cli.settings import Settings
from connector.cli.sync import run_sync, show_errors, summary
from connector.cli.words import bold, counted, tint

if TYPE_CHECKING:
    from connector.demo.folder import DemoFolder
    from connector.demo.proof import Proof
    from connector.destination.target import Target
    from connector.project import Project
    from connector.report import RunReport

PAUSE = 1.5
"""Seconds to read before the next step, on a terminal."""

EVENTS_A_USER = 10


@click.command("demo", cls=Command, short_help="Show the whole round on made-up data.")
@click.option(
    "--users",
    type=click.IntRange(min=30),
    default=2000,
    show_default=True,
    help="How many users; there are ten times as many events.",
)
@click.option(
    "--days",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="Over how many days the events are spread.",
)
@click.option("--seed", default=7, show_default=True, help="Another seed, another warehouse.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where everything is written; a demo's own folder is written anew.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8787,
    show_default=True,
    help="Of the sandbox; another if taken.",
)
@click.option("--no-wait", is_flag=True, help="Do not pause between steps on a terminal.")
@click.option("--stop", is_flag=True, help="Stop the sandbox of an earlier demo, and no more.")
@click.pass_obj
def demo(
    settings: Settings,
    *,
    users: int,
    days: int,
    seed: int,
    folder: Path,
    port: int,
    no_wait: bool,
    stop: bool,
) -> int:
    """The whole round on generated data, against a sandbox of the API.

    A made-up warehouse is synced, changes, and is synced again; then what arrived is compared with
    it, value by value. Sandbox and files stay for you to play with; the sandbox does not where the
    round is broken off.
    """
    from connector.demo.folder import DemoFolder

    place = DemoFolder(folder)
    if stop:
        stopped = place.stop_sandbox()
        click.echo(f"The sandbox of {folder} is stopped." if stopped else "No sandbox is running.")
        return 0
    show = _Show(wait=not no_wait and sys.stdout.isatty() and settings.verbosity >= 0)
    again = place.clear()
    said = "is begun afresh" if again else "is made"
    click.echo(f"A round trip from a warehouse to the API and back. The folder {folder} {said}.")
    code = None
    try:
        code = _Round(settings, place, show).run(users, days, seed, port)
    finally:
        if code != 0:
            place.stop_sandbox()
    return code


@dataclass(slots=True)
class _Show:
    """Numbers the steps and gives time to read them."""

    wait: bool
    steps: int = 0

    def step(self, what: str, command: str | None = None) -> None:
        if self.wait and self.steps:
            time.sleep(PAUSE)
        self.steps += 1
        click.echo()
        typed = f"  {tint(f'$ {command}', 'cyan')}" if command else ""
        click.echo(f"{bold(f'{self.steps}. {what}')}{typed}")

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            click.echo(f"   {line}".rstrip())


@dataclass(slots=True)
class _Round:
    """One walk through everything; stops where something is not as it should be."""

    settings: Settings
    place: DemoFolder
    show: _Show
    port: int = 0
    before: list[str] = field(default_factory=list)

    def run(self, users: int, days: int, seed: int, port: int) -> int:
        from connector.project import load_project

        self.warehouse(users, days, seed)
        self.sandbox(port)
        project = load_project(self.place.mappings)
        target = project.target("sandbox")
        self.plan("What would be sent?", project, target)
        if code := self.sync("Send it.", project, target):
            return code
        self.day()
        self.plan("What would be sent now? Only what is different.", project, target)
        if code := self.sync("Send that.", project, target):
            return code
        if code := self.sync("Once more: nothing has changed.", project, target, idle=True):
            return code
        return self.prove()

    def warehouse(self, users: int, days: int, seed: int) -> None:
        from connector.demo.generate import generate

        self.show.step("A warehouse is made up: a shop that also sells trips.")
        generated = generate(
            self.place.warehouse, users=users, events=users * EVENTS_A_USER, seed=seed, days=days
        )
        totals = {name: table.total for name, table in generated.tables.items()}
        events = sum(totals.values()) - totals["dim_users"]
        kinds = ", ".join(sorted(name for name in totals if name != "dim_users"))
        self.show.lines(
            [
                f"{self.place.warehouse}: {counted(totals['dim_users'], 'user')}, "
                f"{counted(events, 'event')} in {counted(days, 'day')}",
                f"({kinds}), with the mess that real ones have.",
            ]
        )

    def sandbox(self, port: int) -> None:
        self.port = self.place.start_sandbox(port)
        self.show.step("The API, on this machine.", f"connector sandbox --port {self.port}")
        self.place.write_mappings(self.port)
        lines = [f"{self.page} shows what arrives."]
        if self.port != port:
            lines.insert(0, f"Port {port} is taken, so it is {self.port}.")
        lines.append(f"{self.place.mappings} says what is sent.")
        self.show.lines(lines)

    @property
    def page(self) -> str:
        from connector.demo.folder import HOST

        return f"http://{HOST}:{self.port}/_sandbox/"

    def plan(self, what: str, project: Project, target: Target) -> None:
        from connector.plan import plan

        self.show.step(what, "connector plan")
        report = plan(project, project.select(), target=target)
        for entry in report.mappings:
            if entry.changed_fields:
                self.show.lines([*describe_mapping(entry, samples=1), ""])
        self.show.lines(overview(report))

    def sync(self, what: str, project: Project, target: Target, *, idle: bool = False) -> int:
        from connector.demo.proof import expected_uids
        from connector.sync import SyncOptions

        self.show.step(what, "connector sync")
        self.before = sorted({*self.before, *expected_uids(self.place.warehouse)})
        report = run_sync(self.settings, project, project.select(), target, SyncOptions())
        self.show.lines(summary(report))
        show_errors(self.settings, report)
        return report.exit_code or (_not_idle(self.settings, report) if idle else 0)

    def day(self) -> None:
        from connector.demo.change import change

        self.show.step("A day passes in the warehouse.")
        changes = change(self.place.warehouse)
        users = {
            "changed": changes.updated,
            "with cleared cells": changes.cleared,
            "new": changes.new + changes.without_consent,
            "gone from the table": changes.gone,
            "with closed accounts": changes.closed,
            "to be erased": changes.erased,
        }
        said = ", ".join(f"{count:,} {what}" for what, count in users.items() if count)
        self.show.lines(
            [f"Users: {said}.", f"{counted(sum(changes.events.values()), 'event')} happened."]
        )

    def prove(self) -> int:
        from connector.demo.folder import HOST
        from connector.demo.proof import prove

        self.show.step("Is the far side equal to the warehouse?")
        proof = prove(self.place.warehouse, HOST, self.port, self.before)
        self.show.lines(_verdict(proof))
        self._try_next()
        if not proof.differences:
            return 0
        self.settings.log.error(
            f"{counted(proof.differences, 'difference')} between the warehouse and the far side: "
            f"{'; '.join(proof.examples)}"
        )
        return 1

    def _try_next(self) -> None:
        folder = self.place.path
        name = "" if folder == Path("demo") else f" --dir {shlex.quote(str(folder))}"
        click.echo(f"\n{bold('Sandbox and files stay. What to try next:')}")
        lines = [
            (self.page, "what arrived, and the requests"),
            (f"cd {shlex.quote(str(folder))}", ""),
            ("connector status", "runs, rows, what is pending"),
            ("connector rejects", "rows that could not be sent, and why"),
            ("connector compile users", "the SQL that a mapping becomes"),
            ("connector plan", "after you have changed mappings/users.yaml"),
        ]
        width = max(len(command) for command, _ in lines)
        self.show.lines(f"{command.ljust(width)}  {about}" for command, about in lines)
        click.echo(f"Stop the sandbox from here with `connector demo --stop{name}`.")


def _not_idle(settings: Settings, report: RunReport) -> int:
    requests = sum(entry.http.requests for entry in report.mappings)
    if requests:
        settings.log.error(f"{counted(requests, 'request')} were sent although nothing changed")
    return 1 if requests else 0


def _verdict(proof: Proof) -> list[str]:
    lines = [
        f"{counted(proof.users, 'user')} and {counted(proof.events, 'event')}, "
        f"{counted(proof.values, 'value')}, compared with the warehouse",
        "by SQL of its own that knows nothing of the mappings;",
        f"{counted(proof.flagged, 'user')} who left must be flagged as deleted.",
    ]
    count = counted(proof.differences, "difference")
    return [*lines, tint(count, "red" if proof.differences else "green")]
