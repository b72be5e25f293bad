"""Looks at everything that a sync depends on, and says how to mend what is amiss. Sends no data."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from connector.control.store import ControlStore, control_file
from connector.destination.probe import Finding, probe
from connector.destination.target import Target
from connector.errors import ConfigError, ConnectorError, Locked, StateError
from connector.mapping.mapping import Mapping
from connector.mapping.rules import Kind
from connector.prepare import bind
from connector.project import Project, load_project
from connector.shard import split_name
from connector.shards import states
from connector.snapshot.formats import look_at
from connector.snapshot.store import StatePaths
from connector.source.base import Relation
from connector.source.open import open_source
from connector.source.write import check_writable
from connector.writeback import destination_of


class Verdict(StrEnum):
    """How a check came out; skipped where it could not be made, or has nothing to look at."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a diagnosis: `fix` is what to do where it failed."""

    name: str
    verdict: Verdict
    message: str
    fix: str | None = None


def diagnose(folder: Path, target: str | None = None) -> Iterator[Check]:
    """Check one thing after the other; what hangs on something that failed is skipped.

    Raises:
        UsageError: there is no target of that name.
    """
    try:
        project = load_project(folder)
    except ConfigError as error:
        yield _failed("config", error)
        return
    yield _passed("config", _said_of(project))
    if target is not None and target not in project.target_names:
        project.target(target)  # raises: a slip in the command, and nothing that is amiss
    found: Target | None = None
    try:
        found = project.target(target)
        yield _passed("target", f"{found.name}: {found.base_url}")
    except ConnectorError as error:
        yield _failed("target", error)
    yield from _sources(project)
    yield from _state(project, target or project.default_target)
    yield from _listeners(project)
    if found is None:
        yield Check("api", Verdict.SKIPPED, "not asked without a target")
        return
    try:
        yield from map(_of, asyncio.run(_asked(found, {each.kind for each in project.mappings})))
    except ConnectorError as error:
        yield _failed("api", error)


def _passed(name: str, message: str) -> Check:
    return Check(name, Verdict.OK, message)


def _failed(name: str, error: ConnectorError) -> Check:
    if not isinstance(error, ConfigError):
        return Check(name, Verdict.FAILED, error.message, error.hint or "see the message")
    first, *others = error.problems
    more = f" (and {len(others)} more)" if others else ""
    fix = first.hint or "mend it there"
    if others:
        fix += "; `connector validate` shows them all"
    return Check(name, Verdict.FAILED, f"{first.place}: {first.message}{more}", fix)


def _of(finding: Finding) -> Check:
    if finding.good is None:
        return Check(finding.name, Verdict.SKIPPED, finding.message)
    verdict = Verdict.OK if finding.good else Verdict.FAILED
    return Check(finding.name, verdict, finding.message, finding.fix)


def _said_of(project: Project) -> str:
    counts = {
        "mapping": len(project.mappings),
        "source": len(project.source_names),
        "target": len(project.target_names),
    }
    parts = [f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items()]
    return f"{project.folder / 'project.yaml'}: {', '.join(parts)}"


def _sources(project: Project) -> Iterator[Check]:
    """Each source that is read, and what is read of it; all of them where nothing is yet."""
    feeds = {each.deletes.erasures.source for each in project.mappings if each.deletes.erasures}
    answers = {
        each.recommendation.write_to.source
        for each in project.mappings
        if each.recommendation and each.recommendation.write_to
    }
    used = {mapping.source for mapping in project.mappings} | feeds | answers
    broken = set()
    for name in project.source_names:
        if used and name not in used:
            continue
        try:
            open_source(project.source(name)).close()
            yield _passed("source", f"{name} can be read")
        except ConnectorError as error:
            broken.add(name)
            yield _failed("source", error)
    if not project.mappings:
        hint = "connector init --from SOURCE.TABLE --kind users"
        yield Check("table", Verdict.SKIPPED, f"no mappings yet; draft one with `{hint}`")
    for mapping in project.mappings:
        if mapping.source in broken:
            yield Check("table", Verdict.SKIPPED, f"{mapping.name}: its source cannot be read")
        else:
            yield _table(project, mapping.name, broken)


def _table(project: Project, name: str, broken: set[str]) -> Check:
    """Whether a mapping fits its table, and its feed of erasures is there."""
    try:
        mapping = project.mapping(name)
        with bind(project, mapping) as bound:
            bound.parameters()
            fields, columns = len(bound.compiled.types), len(bound.columns)
        _look_at_feed(project, mapping, broken)
        if mapping.recommendation is not None:
            destination_of(project, mapping)
    except ConnectorError as error:
        return _failed("table", error)
    what = f"{mapping.table or 'a query'} ({mapping.source})"
    return _passed("table", f"{name}: {what}, {fields} fields over {columns} columns")


def _look_at_feed(project: Project, mapping: Mapping, broken: set[str]) -> None:
    feed = mapping.deletes.erasures
    if feed is None or feed.source in broken:
        return
    source = open_source(project.source(feed.source))
    try:
        source.schema(Relation(table=feed.table, query=feed.query, columns=(feed.key,)))
    finally:
        source.close()


def _state(project: Project, target: str | None) -> Iterator[Check]:
    try:
        folder = project.state_path
        _check_writable(folder)
        yield _passed("state", f"{folder} can be written")
    except ConnectorError as error:
        yield _failed("state", error)
        return
    if target is None:
        return
    yield _formats(project, folder / target)
    yield _control(project, folder / target, target)


def _check_writable(folder: Path) -> None:
    """Raises `StateError`; nothing is made where there is no folder yet."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    reason = None
    if not existing.is_dir():
        reason = f"{existing} is no folder"
    elif existing == folder:
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            reason = str(error.strerror)
    elif not os.access(existing, os.W_OK | os.X_OK):
        reason = f"no folder can be made in {existing}"
    if reason is not None:
        raise StateError(
            f"the state folder {folder} cannot be written: {reason}",
            hint="make it writable, or set `state: {path: …}` in project.yaml",
        )


def _formats(project: Project, folder: Path) -> Check:
    found, busy = 0, 0
    known: set[str] = set()
    for mapping in states(folder, project.mappings):
        try:
            if look_at(StatePaths(folder, mapping.name)) is not None:
                found += 1
                known.add(split_name(mapping.name)[0])
        except Locked:
            busy += 1
        except StateError as error:
            return _failed("format", error)
    if not found and not busy:
        return _passed("format", "no state yet; the first sync makes it")
    shards = f" in {found} files" if found > len(known) else ""
    syncing = f"; {busy} being synced just now" if busy else ""
    of = f"{len(known)} of {len(project.mappings)} mappings"
    return _passed("format", f"{of} have state that this version reads{shards}{syncing}")


def _control(project: Project, folder: Path, target: str) -> Check:
    if project.control_url is None and not control_file(folder).exists():
        return _passed("control", "no control store yet; the first sync makes it")
    try:
        store = ControlStore(folder, target, project.control_url)
        try:
            runs = store.last_runs()
        finally:
            store.close()
    except ConnectorError as error:
        return _failed("control", error)
    return _passed("control", f"the control store answers; it knows runs of {len(runs)} mappings")


def _listeners(project: Project) -> Iterator[Check]:
    """Those who are to be told of runs, where there are any."""
    if project.has("alerts"):
        try:
            yield _passed("alerts", f"{len(project.alerts)} set up; none was posted")
        except ConnectorError as error:
            yield _failed("alerts", error)
    if project.has("sync_log"):
        try:
            log = project.sync_log
            if log is not None:
                check_writable(project.source(log.source))
                yield _passed("sync log", f"kept in {log.source}; nothing was written")
        except ConnectorError as error:
            yield _failed("sync log", error)


async def _asked(target: Target, kinds: set[Kind]) -> list[Finding]:
    asks = Kind.RECOMMENDATIONS in kinds
    writes = bool(kinds - {Kind.RECOMMENDATIONS}) or not kinds
    return [finding async for finding in probe(target, writes=writes, asks=asks)]
