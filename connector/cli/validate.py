"""`connector validate`: everything that can be known without sending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from connector.cli.log import problem_json
from connector.cli.options import Command, json_option, selection
from connector.cli.settings import Settings
from connector.cli.words import counted, echo_json, fit, one_line, tint
from connector.errors import ConfigError, ConnectorError, Problem, SourceError, UsageError

if TYPE_CHECKING:
    from connector.mapping.mapping import Mapping
    from connector.prepare import Bound
    from connector.project import Project
    from connector.sources import Sources


@dataclass(slots=True)
class Findings:
    """What is wrong, collected over everything that was looked at.

    `checked` says of each mapping what was bound, None where something is wrong with it. `others`
    are errors that have no place in a file.
    """

    target: str | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    others: list[tuple[str, str | None]] = field(default_factory=list)
    checked: dict[str, str | None] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 with problems."""
        return 1 if self.problems or self.others else 0

    def add(self, error: ConnectorError) -> None:
        """Take in an error; the same one twice is one."""
        if isinstance(error, ConfigError):
            self.problems += [each for each in error.problems if each not in self.problems]
        elif (error.message, error.hint) not in self.others:
            self.others.append((error.message, error.hint))


@click.command("validate", cls=Command)
@selection
@json_option
@click.pass_obj
def validate(
    settings: Settings, *, select: tuple[str, ...], exclude: tuple[str, ...], as_json: bool
) -> int:
    """Check everything that can be known without sending.

    YAML, names and types; every expression against the columns that its source really has; and the
    variables of the target, of the default one or of --target.
    """
    from connector.project import read_project

    findings = Findings()
    try:
        found = read_project(settings.project)
        findings.problems += found.problems
        if (project := found.project) is not None:
            findings.warnings += project.warnings
            _check_target(settings, project, findings)
            if project.mappings or not findings.problems:
                _check_mappings(project, project.chosen(select, exclude), findings)
    except UsageError as error:
        if not findings.problems:
            raise
        findings.add(error)  # what was asked for may be what cannot be read
    except ConnectorError as error:
        findings.add(error)
    if as_json:
        echo_json(_document(findings))
    else:
        for line in _lines(findings):
            click.echo(line)
    _show(settings, findings)
    return findings.exit_code


def _check_target(settings: Settings, project: Project, findings: Findings) -> None:
    if settings.target is None and project.default_target is None:
        return
    try:
        findings.target = settings.choose(project).name
    except ConfigError as error:
        findings.add(error)


def _check_mappings(project: Project, mappings: Sequence[Mapping], findings: Findings) -> None:
    from connector.sources import Sources

    damaged = {problem.place.file for problem in findings.problems}
    unreachable: set[str] = set()
    with Sources(project) as sources:
        for mapping in mappings:
            findings.checked[mapping.name] = None
            if mapping.source in unreachable:
                continue
            try:
                if mapping.place.file in damaged or project.unset(mapping):
                    _check_what_is_right(project, sources, mapping, findings)
                else:
                    findings.checked[mapping.name] = _check(sources, mapping, findings)
            except SourceError as error:
                if mapping.source in sources:  # one table that cannot be read, not all of it
                    place = mapping.read_place or mapping.place
                    findings.add(ConfigError([Problem(place, error.message, error.hint)]))
                else:
                    findings.add(error)
                    unreachable.add(mapping.source)
            except ConnectorError as error:
                findings.add(error)


def _check(sources: Sources, mapping: Mapping, findings: Findings) -> str | None:
    """Look at a mapping as a sync would; says what was bound, unless something is wrong."""
    from connector.prepare import bound_to, check_feed
    from connector.privacy import direct_pii
    from connector.writeback import destination_of

    bound = bound_to(sources, mapping)
    if mapping.recommendation is not None:
        destination_of(sources.project, mapping)
    personal = direct_pii(bound)
    findings.problems += personal
    check_feed(sources, mapping)
    return None if personal else _said(bound)


def _check_what_is_right(
    project: Project, sources: Sources, mapping: Mapping, findings: Findings
) -> None:
    """Look at the expressions of a mapping whose file has other mistakes: all are shown at once."""
    from connector.mapping.compile import find_mistakes
    from connector.prepare import whole

    unset = project.unset(mapping)
    findings.add(ConfigError(unset))
    read = mapping.table or mapping.query
    if read is None or "${" in read + (mapping.where or ""):
        return
    if mapping.source not in project.source_names:
        return
    mistakes = find_mistakes(mapping, sources.open(mapping.source).schema(whole(mapping)))
    lines = {(problem.place.file, problem.place.line) for problem in unset}
    mistakes = [each for each in mistakes if (each.place.file, each.place.line) not in lines]
    findings.add(ConfigError(mistakes))


def _said(bound: Bound) -> str:
    mapping = bound.mapping
    what = mapping.table or "a query"
    fields = counted(len(bound.compiled.types), "field")
    columns = counted(len(bound.compiled.columns), "column")
    return f"{mapping.kind} from {what} ({mapping.source}): {fields} of {columns}"


def _lines(findings: Findings) -> list[str]:
    width = max(map(len, findings.checked), default=0)
    lines = [
        f"{tint('ok', 'green')}      {name.ljust(width)}  {one_line(said)}"
        if said is not None
        else f"{tint('failed', 'red')}  {name}"
        for name, said in findings.checked.items()
    ]
    if not findings.exit_code:
        target = f" for target {findings.target!r}" if findings.target else ", and no target"
        count = counted(len(findings.checked), "mapping is", "mappings are")
        lines += ["", f"{count} valid{target}."]
    return lines


def _show(settings: Settings, findings: Findings) -> None:
    log = settings.log
    if not log.quiet:
        for warning in findings.warnings:
            log.problem(warning, level="warning")
    if findings.problems:
        log.failure(ConfigError(findings.problems))
    for message, hint in findings.others:
        log.error(fit(message), hint)


def _document(findings: Findings) -> dict[str, object]:
    return {
        "schema_version": 1,
        "command": "validate",
        "target": findings.target,
        "exit_code": findings.exit_code,
        "mappings": [
            {"name": name, "valid": said is not None, "checked": said}
            for name, said in findings.checked.items()
        ],
        "problems": [
            problem_json(each) for each in sorted(findings.problems, key=lambda each: each.place)
        ],
        "errors": [{"message": message, "hint": hint} for message, hint in findings.others],
        "warnings": [problem_json(each) for each in findings.warnings],
    }
