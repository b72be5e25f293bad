"""The same tables behind either engine: a project folder and a far side for each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from connector import erasure
from connector.engine import DuckDBEngine, borrowing
from connector.engine.warehouse import WarehouseEngine
from connector.plan import plan
from connector.project import Project
from connector.report import MappingReport, RunReport
from connector.run import SyncOptions
from connector.sandbox import Sandbox
from connector.snapshot.stage import Suppressions
from connector.snapshot.store import Store
from connector.sync import sync
from tests.support.postgres import Postgres
from tests.support.project_folder import ProjectFolder
from tests.support.snowflake import Snowflake
from tests.support.wiretap import Wiretap

SCHEMA = (
    "CREATE TABLE users (user_id text, country text, tier text, orders int, note text, "
    "unused text, closed boolean, erase boolean, consent boolean)",
    "CREATE TABLE orders (order_id bigint, user_id text, total float, seen timestamp)",
    "CREATE TABLE erasures (user_id text)",
)

USERS = """\
kind: users
source: w
table: users
engine: {engine}
fields:
  uid: user_id
  country: upper(country)
  loyalty_tier: tier
  total_orders: {{expr: orders, type: number}}
  note: note
deletes:
  missing: {missing}
  soft_when: closed
  hard_when: erase
  erasures: {{table: erasures, key: user_id}}
  guards: {{max_delete_fraction: null}}
consent: {{when: consent, otherwise: {otherwise}}}
max_reject_percent: 100
{more}
"""

ORDERS = """\
kind: events
source: w
table: orders
engine: {engine}
type: conversion
fields:
  id: order_id
  original_timestamp: seen
  uid: user_id
  conversion_type: {{value: purchase}}
  item_ids: {{expr: "[order_id::varchar]", type: array<string>}}
  order_total: {{expr: total, type: number}}
max_reject_percent: 100
"""


class CrashError(BaseException):
    """A process that dies."""


@contextmanager
def dying(moment: str) -> Iterator[None]:
    """Die `before` the first row is sent, `after` the last is acknowledged and before what was
    borrowed is given back, or `halfway`, when the warehouse has it and the state file does not
    know; or not at all without a moment."""

    def before(*_: object, **__: object) -> None:
        raise CrashError

    def halfway(engine: WarehouseEngine, store: Store, suppressions: Suppressions) -> None:
        with patch.object(borrowing, "let_go", before):
            give_back(engine, store, suppressions)

    give_back = WarehouseEngine.give_back
    with ExitStack() as patches:
        if moment == "before":
            patches.enter_context(patch("connector.sync.deliver", before))
        elif moment:
            dies = before if moment == "after" else halfway
            patches.enter_context(patch.object(DuckDBEngine, "give_back", before))
            patches.enter_context(patch.object(WarehouseEngine, "give_back", dies))
        yield


@dataclass
class Stand:
    """One engine over one database."""

    folder: Path
    server: Postgres | Snowflake
    database: str
    far: Sandbox
    engine: str
    missing: str = "soft"
    otherwise: str = "soft"
    more: str = ""
    url: str = ""
    """Another way to the server than its own."""
    tap: Wiretap = field(init=False)

    def __post_init__(self) -> None:
        self.tap = Wiretap(self.far)
        (self.folder / "mappings").mkdir(parents=True)
        self.write()

    def write(self, **changes: str) -> None:
        """The project, with something else said of it."""
        for name, value in changes.items():
            setattr(self, name, value)
        files = ProjectFolder(
            self.folder,
            f"sources: {{w: {{{self._source()}}}}}\n"
            f'targets: {{far: {{base_url: "{self.tap.base_url}", api_key: sandbox, '
            "timeout: 30, give_up_after: 60}}\nstate: {path: state}\n",
        )
        settings = {"engine": self.engine, "missing": self.missing, "otherwise": self.otherwise}
        files.write("users.yaml", USERS.format(**settings, more=self.more))
        files.write("orders.yaml", ORDERS.format(engine=self.engine))
        self._files = files

    def _source(self) -> str:
        """The settings of the source, as YAML."""
        if isinstance(self.server, Postgres):
            return f'type: sqlalchemy, url: "{self.url or self.server.url(self.database)}"'
        return (
            f"type: snowflake, account: tests, user: tests, password: made-up, "
            f'url: "{self.server.url}", database: {self.database}, schema: ANALYTICS'
        )

    def project(self) -> Project:
        return self._files.load()

    def sync(self, *select: str, moment: str = "", **options: Any) -> RunReport | None:
        """None where the process died."""
        self.tap.forget()
        project = self.project()
        chosen = project.select(select)
        try:
            with dying(moment):
                return sync(
                    project, chosen, target=project.target(), options=SyncOptions(**options)
                )
        except CrashError:
            return None

    def plan(self, *select: str, **options: Any) -> RunReport:
        project = self.project()
        chosen = project.select(select)
        return plan(project, chosen, target=project.target(), options=SyncOptions(**options))

    def erase(self, *uids: str) -> None:
        self.tap.forget()
        project = self.project()
        erasure.erase(project, project.target(), uids)

    def lift(self, *uids: str) -> None:
        project = self.project()
        erasure.lift(project, project.target().name, uids)

    def said(self) -> Counter[str]:
        """What was asked of the API since the last sync began, row by row."""
        found: Counter[str] = Counter()
        for request in self.tap.said:
            body = json.loads(request.body) if request.body else None
            rows = body.get("events", [body]) if isinstance(body, dict) else [body]
            found.update(
                f"{request.method} {request.target} {json.dumps(row, sort_keys=True)}"
                for row in rows
            )
        return found

    def held(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What the API holds."""
        own = {"_table", "updated_at", "created_at", "ingest_timestamp"}
        return (
            [{n: v for n, v in user.items() if n not in own} for user in self.far.users()],
            [{n: v for n, v in event.items() if n not in own} for event in self.far.events()],
        )

    def close(self) -> None:
        self.tap.stop()


def essence(report: RunReport | None) -> Any:
    """A report without what may differ between two runs of the same."""
    return report and [_essence(entry) for entry in report.mappings]


def _essence(entry: MappingReport) -> dict[str, Any]:
    document = json.loads(json.dumps(entry.to_json(), default=str))
    for name in ("seconds", "http", "freshness"):
        document.pop(name, None)
    document["rejects"] = sorted(document["rejects"], key=json.dumps)
    document["samples"] = sorted(document.get("samples") or [], key=json.dumps)
    return document
