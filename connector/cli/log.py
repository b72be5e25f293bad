"""stderr: errors, hints, warnings, progress; a line of text each, or a JSON object each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from connector.cli.words import fit, tint
from connector.errors import ConfigError, ConnectorError

if TYPE_CHECKING:
    from connector.errors import Problem

_COLORS = {"error": "red", "warning": "yellow"}


@dataclass(frozen=True, slots=True)
class Log:
    """`quiet` leaves nothing but errors."""

    as_json: bool = False
    quiet: bool = False

    def error(self, message: str, hint: str | None = None) -> None:
        """What went wrong, and what to do about it."""
        self._say("error", message, hint)

    def warning(self, message: str, hint: str | None = None) -> None:
        """What is worth a look."""
        if not self.quiet:
            self._say("warning", message, hint)

    def info(self, message: str, **fields: Any) -> None:
        """What happens; `fields` are for the JSON object alone."""
        if self.quiet:
            return
        if self.as_json:
            self._write({"level": "info", "message": message, **fields})
        else:
            click.echo(fit(message), err=True)

    def failure(self, error: ConnectorError) -> None:
        """Any of our own errors: the mistakes of a configuration one by one, with their lines."""
        if not isinstance(error, ConfigError):
            self.error(error.message, error.hint)
            return
        for problem in error.problems:
            self.problem(problem)
        if not self.as_json:
            count = len(error.problems)
            self.error(f"{count} problem{'s' if count != 1 else ''} in the configuration")

    def problem(self, problem: Problem, level: str = "error") -> None:
        """One mistake: `file:line:column: message`, the line, a caret, and the hint."""
        if self.as_json:
            self._write({"level": level, **problem_json(problem)})
            return
        from connector.excerpt import excerpt

        warning = "warning: " if level == "warning" else ""
        place = tint(f"{problem.place}: {warning}", _COLORS[level])
        click.echo(f"{place}{fit(problem.message)}", err=True)
        for line in (excerpt(problem) or "").splitlines():
            click.echo(f"  {line}", err=True)
        if problem.hint:
            click.echo(f"  {tint('hint:', 'cyan')} {fit(problem.hint)}", err=True)

    def _say(self, level: str, message: str, hint: str | None) -> None:
        if self.as_json:
            self._write({"level": level, "message": message, "hint": hint})
            return
        click.echo(f"{tint(f'{level}:', _COLORS[level])} {fit(message)}", err=True)
        if hint:
            click.echo(f"{tint('hint:', 'cyan')} {fit(hint)}", err=True)

    @staticmethod
    def _write(fields: dict[str, Any]) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        click.echo(json.dumps({"time": time, **fields}, ensure_ascii=False), err=True)


def problem_json(problem: Problem) -> dict[str, Any]:
    """A mistake in the configuration as JSON; line and column are 0 where unknown."""
    place = problem.place
    return {
        "file": str(place.file),
        "line": place.line,
        "column": place.column,
        "message": problem.message,
        "hint": problem.hint,
    }


def error_json(error: ConnectorError) -> dict[str, Any]:
    """An error as JSON: a message and a hint, and the mistakes where it is the configuration's."""
    problems = error.problems if isinstance(error, ConfigError) else []
    return {
        "message": error.message,
        "hint": error.hint,
        "problems": [problem_json(problem) for problem in problems],
    }
