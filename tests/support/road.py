"""A whole project to drive: a DuckDB warehouse, mappings, a sandbox at the far side, and syncs that
run in this process or in one that can be killed.

    road = Road(tmp_path, sandbox)
    road.write("insert into users …")
    road.sync()
    road.far_users()
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from textwrap import dedent
from typing import Any

from connector import erasure
from connector.destination.target import Target
from connector.erasure import Receipt
from connector.errors import ConnectorError
from connector.mapping.mapping import Mapping as MappingFile
from connector.plan import plan
from connector.project import Project, load_project
from connector.report import MappingReport, RunReport
from connector.sandbox import Handle
from connector.shard import parse_shard
from connector.shards import shard_of
from connector.stop import Stop
from connector.sync import SyncOptions, sync
from tests.support.on_disk import OnDisk

SCHEMA = """
create table users (user_id varchar, country varchar, tier varchar, orders integer, note varchar,
    email varchar, closed boolean, erase boolean, consent boolean);
create table clicks (click_id varchar, user_id varchar, sku varchar, seen timestamp);
create table orders (order_id varchar, user_id varchar, total double, seen timestamp);
create table erasures (user_id varchar);
"""

PROJECT = """\
sources:
  warehouse: {{type: duckdb, path: warehouse.duckdb}}
targets:
  far: {{base_url: "{base_url}", api_key: sandbox, {target}}}
state: {{path: state}}
"""

USERS = """\
kind: users
source: warehouse
table: users
fields:
  uid: user_id
  country: upper(country)
  loyalty_tier: tier
  total_orders: {expr: orders, type: number}
  note: note
"""

CLICKS = """\
kind: events
source: warehouse
table: clicks
type: click
cursor: seen
lookback: 3 days
fields:
  id: click_id
  original_timestamp: seen
  uid: user_id
  item_id: sku
  click_type: {value: add_to_cart}
"""

ORDERS = """\
kind: events
source: warehouse
table: orders
type: conversion
fields:
  original_timestamp: seen
  uid: user_id
  conversion_type: {value: purchase}
  item_ids: {expr: "[order_id]", type: array<string>}
  order_total: {expr: total, type: number}
"""

IMPATIENT = "timeout: 0.5, connect_timeout: 2, give_up_after: 6, max_in_flight: 16"
"""Settings of a target under which what hangs costs a test little."""

_OF_THE_API = frozenset({"_table", "updated_at", "created_at", "ingest_timestamp"})


@dataclass(slots=True)
class Road(OnDisk):
    """`folder` takes the warehouse, the mappings and the state."""

    folder: Path
    far: Handle
    mappings: Mapping[str, str] = field(
        default_factory=lambda: {"users": USERS, "clicks": CLICKS, "orders": ORDERS}
    )
    target: str = IMPATIENT
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        self.write(self.schema)
        (self.folder / "mappings").mkdir()
        self.configure()
        for name, text in self.mappings.items():
            self.map(name, text)

    def configure(self, target: str | None = None) -> None:
        """Write project.yaml, with other settings of the target when given."""
        self.target = self.target if target is None else target
        text = PROJECT.format(base_url=self.far.base_url, target=self.target)
        (self.folder / "mappings" / "project.yaml").write_text(text)

    def map(self, name: str, text: str) -> None:
        """Write a mapping."""
        (self.folder / "mappings" / f"{name}.yaml").write_text(dedent(text))

    # The connector

    def sync(
        self,
        *select: str,
        stop: Stop | None = None,
        target: Target | None = None,
        shard: str | None = None,
        **options: Any,
    ) -> RunReport:
        project = self.project()
        return sync(
            project,
            _sharded(project, select, shard),
            target=target or project.target(),
            options=SyncOptions(**options),
            stop=stop,
        )

    def plan(self, *select: str, shard: str | None = None, **options: Any) -> RunReport:
        project = self.project()
        return plan(
            project,
            _sharded(project, select, shard),
            target=project.target(),
            options=SyncOptions(**options),
        )

    def erase(self, *uids: str) -> tuple[RunReport, list[Receipt]]:
        project = self.project()
        return erasure.erase(project, project.target(), uids)

    def lift(self, *uids: str) -> int:
        project = self.project()
        return erasure.lift(project, project.target().name, uids)

    def ledger(self) -> list[erasure.Erasure]:
        project = self.project()
        return erasure.ledger(project, project.target().name)

    def syncing(self, *select: str, **options: Any) -> SyncProcess:
        """Start a sync in a process of its own."""
        return SyncProcess(self.folder, select, options)

    # The far side

    def far_users(self, *, live: bool | None = True) -> dict[str, dict[str, Any]]:
        """What the API holds, without the fields that are its own: live, deleted or all users."""
        return {
            user["uid"]: {name: user[name] for name in user.keys() - _OF_THE_API}
            for user in self.far.users()
            if live is None or user["is_deleted"] is not live
        }

    def far_events(self) -> list[dict[str, Any]]:
        """The events that the API holds, ordered by what they say."""
        events = [
            {name: event[name] for name in event.keys() - _OF_THE_API}
            for event in self.far.events()
        ]
        return sorted(events, key=lambda event: json.dumps(event, sort_keys=True))

    # What it should hold, worked out without the connector

    def expected_users(self) -> dict[str, dict[str, Any]]:
        """The live users of the warehouse, as the mapping of this module sends them."""
        rows = self.rows("select user_id, country, tier, orders, note from users")
        return {uid: expected_user(uid, *others) for uid, *others in rows}

    def expected_events(self) -> list[dict[str, Any]]:
        """The events of the warehouse; those of orders have an id that only the connector knows."""
        clicks = [
            expected_click(*row)
            for row in self.rows("select click_id, user_id, sku, seen from clicks")
        ]
        orders = [
            expected_order(*row)
            for row in self.rows("select order_id, user_id, total, seen from orders")
        ]
        return sorted(clicks + orders, key=lambda event: json.dumps(event, sort_keys=True))

    def assert_in_step(self) -> None:
        """The far side is the warehouse: every live user, every event, nobody else."""
        assert self.far_users() == self.expected_users()
        events = [
            {n: e[n] for n in e if n != "id" or e["type"] == "click"} for e in self.far_events()
        ]
        events.sort(key=lambda event: json.dumps(event, sort_keys=True))
        assert events == self.expected_events()


def _sharded(project: Project, select: Sequence[str], shard: str | None) -> list[MappingFile]:
    part = parse_shard(shard) if shard else None
    return [shard_of(mapping, part) for mapping in project.select(select)]


def expected_user(
    uid: str, country: str | None, tier: str | None, orders: int | None, note: str | None
) -> dict[str, Any]:
    return {
        "uid": uid,
        "country": None if country is None else country.upper(),
        "loyalty_tier": tier,
        "total_orders": orders,
        "note": note,
        "is_deleted": False,
    }


def expected_click(click_id: str, uid: str | None, sku: str, at: Any) -> dict[str, Any]:
    event = {
        "id": click_id,
        "type": "click",
        "original_timestamp": at.isoformat(timespec="milliseconds") + "Z",
        "uid": uid,
        "item_id": sku,
        "click_type": "add_to_cart",
    }
    return {name: value for name, value in event.items() if value is not None}


def expected_order(order_id: str, uid: str | None, total: float, at: Any) -> dict[str, Any]:
    event = {
        "type": "conversion",
        "original_timestamp": at.isoformat(timespec="milliseconds") + "Z",
        "uid": uid,
        "conversion_type": "purchase",
        "item_ids": [order_id],
        "order_total": total,
    }
    return {name: value for name, value in event.items() if value is not None}


def entry(report: RunReport, name: str) -> MappingReport:
    """The part of a report about one mapping."""
    return next(mapping for mapping in report.mappings if mapping.name == name)


def pending(report: RunReport) -> int:
    return sum(mapping.pending for mapping in report.mappings)


def acknowledged(report: RunReport) -> int:
    return sum(
        operation.acknowledged
        for mapping in report.mappings
        for operation in mapping.changes.values()
    )


def assert_clean(report: RunReport) -> None:
    """Everything there was to do is done."""
    assert report.exit_code == 0, [(m.name, m.status, m.error) for m in report.mappings]
    assert pending(report) == 0


def prove_nothing_was_lost(road: Road) -> None:
    """After one more sync the far side is the warehouse, and it got there in order."""
    assert_clean(road.sync())
    road.assert_in_step()
    counts = road.far.counts()
    assert counts["order_violations"] == 0
    assert counts["conflicting_repeats"] == 0
    plan = road.plan()
    assert [mapping.planned for mapping in plan.mappings] == [0] * len(plan.mappings)


# Processes that may be killed. The server they are forked from has everything imported, so that one
# costs a few milliseconds rather than a second.
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["connector.sync", "connector.project", "tests.support.road"])


class SyncProcess:
    """A sync in a process of its own; SIGINT and SIGTERM stop it in order, as on the command line.

    A context manager: whatever happens, the process is gone at its end.
    """

    def __init__(self, folder: Path, select: Sequence[str], options: Mapping[str, Any]) -> None:
        self._receiving, sending = _forking.Pipe(duplex=False)
        self.process = _forking.Process(
            target=_sync_in_process,
            args=(folder, tuple(select), dict(options), dict(os.environ), sending),
            daemon=True,
        )
        self.process.start()
        sending.close()
        self._receiving.recv()

    def __enter__(self) -> SyncProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        """End it as `kill -9` does; no harm when it has ended."""
        self.process.kill()
        self.process.join()
        self._receiving.close()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def result(self, timeout: float = 60) -> dict[str, Any]:
        """The report as JSON, once it has ended by itself."""
        assert self._receiving.poll(timeout), "the sync does not end"
        document: dict[str, Any] = self._receiving.recv()
        self.process.join()
        return document


def _sync_in_process(
    folder: Path,
    select: Sequence[str],
    options: dict[str, Any],
    environment: dict[str, str],
    sending: Connection,
) -> None:
    os.environ.update(environment)
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.request())
    sending.send("begun")
    project = load_project(folder / "mappings")
    try:
        report = sync(
            project,
            project.select(select),
            target=project.target(),
            options=SyncOptions(**options),
            stop=stop,
        ).to_json()
    except ConnectorError as error:
        report = {"exit_code": error.exit_code, "error": str(error), "mappings": []}
    with contextlib.suppress(BrokenPipeError):
        sending.send(report)


def within(target: Target, **settings: Any) -> Target:
    """The target with other settings."""
    return replace(target, **settings)


def state_files(road: Road) -> Iterator[Path]:
    """Every file of the state folder."""
    return (path for path in road.folder.joinpath("state").rglob("*") if path.is_file())
