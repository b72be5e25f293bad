"""A project that asks for recommendations: a DuckDB warehouse, one mapping, a sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.recommend import RecommendOptions, recommend
from connector.report import MappingReport, Recommendations, RunReport
from connector.sandbox import Handle
from tests.support.on_disk import OnDisk

PROJECT = """\
sources:
  warehouse: {{type: duckdb, path: warehouse.duckdb}}
  {sources}
targets:
  far: {{base_url: "{base_url}", api_key: sandbox, max_in_flight: 8, {target}}}
state: {{path: state}}
"""

MAPPING = """\
kind: recommendations
source: warehouse
table: asks
model_id: {model}
limit: {limit}
fields:
  user_id: user_id
  session_id: session_id
  items: candidates
  context: {{expr: "{{'user_region': region}}", type: object}}
write_to: {write_to}
"""

ASKS = """
create or replace table asks as
select
    'u' || n as user_id,
    case when n % 3 = 0 then 's' || n end as session_id,
    case n % 2 when 0 then 'NO' else 'SE' end as region,
    list_transform(range({items}), lambda i: {{
        'id': 'i' || (i // 2), 'price': (i + n) * 1.25::double, 'stock': i::int,
        'tags': ['a', 'b' || i], 'nothing': null::varchar
    }}) as candidates
from range({users}) as t(n)
"""
"""Every item twice, with another price, stock and tags."""


@dataclass
class Asking(OnDisk):
    """`sources` are further lines of project.yaml."""

    folder: Path
    far: Handle
    model: str = "test_model_item_200"
    limit: int = 5
    write_to: str = "{table: analytics.recommendations}"
    target: str = "give_up_after: 30"
    sources: str = ""
    mapping: str = MAPPING
    users: int = 20
    items: int = 8
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "mappings").mkdir()
        self.configure()
        self.write(ASKS.format(users=self.users, items=self.items))

    def configure(self, **settings: Any) -> None:
        """Write the files, with other settings than before where given."""
        for name, value in settings.items():
            setattr(self, name, value)
        project = PROJECT.format(
            base_url=self.far.base_url, target=self.target, sources=self.sources
        )
        mapping = self.mapping.format(model=self.model, limit=self.limit, write_to=self.write_to)
        for name, text in {"project": project, "recs": mapping, **self.extra}.items():
            (self.folder / "mappings" / f"{name}.yaml").write_text(text)

    def run(self, **options: Any) -> RunReport:
        project = self.project()
        return recommend(
            project,
            project.mapping("recs"),
            target=project.target(),
            options=RecommendOptions(**options),
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run the command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "connector.cli", "recommend", "recs", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill_after(self, answers: int) -> None:
        """Run it until the API has given so many answers in all, and end it as `kill -9` does."""
        with self.start() as process:
            while self.asked < answers:
                assert process.poll() is None, process.communicate()
                time.sleep(0.01)
            process.kill()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command to its end."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "connector.cli", *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    @property
    def asked(self) -> int:
        """How many requests the API has answered with 200."""
        found: int = self.far.counts()["requests"].get("POST /v1/recommend", {}).get("200", 0)
        return found


def entry(report: RunReport) -> MappingReport:
    return next(each for each in report.mappings if each.name == "recs")


def counts(report: RunReport) -> Recommendations:
    found = entry(report).recommendations
    assert found is not None
    return found


def expected(user: int, items: int, limit: int) -> list[tuple[int, str, int, dict[str, Any]]]:
    """Position, item, candidate and echo of the answer of the first mock model to one user."""
    return [
        (
            i + 1,
            f"i{i // 2}",
            i + 1,
            {"price": (i + user) * 1.25, "stock": i, "tags": ["a", f"b{i}"]},
        )
        for i in range(min(limit, items))
    ]


def assert_answered_once(rows: list[tuple[Any, ...]], users: int, items: int, limit: int) -> None:
    """`rows` are user_id, rec_id, position, item_id, candidate, attributes (JSON) and status."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    recs: dict[str, set[str]] = {}
    for user_id, rec_id, position, item_id, candidate, attributes, status in rows:
        assert status == "ok"
        echo = json.loads(attributes) if isinstance(attributes, str) else attributes
        found.setdefault(user_id, []).append((position, item_id, candidate, echo))
        recs.setdefault(user_id, set()).add(rec_id)
    assert found.keys() == {f"u{n}" for n in range(users)}
    for n in range(users):
        assert sorted(found[f"u{n}"], key=lambda row: row[0]) == expected(n, items, limit)
        assert len(recs[f"u{n}"]) == 1
    assert len(set.union(*recs.values())) == users


COLUMNS = "user_id, rec_id, position, item_id, candidate, attributes, status"
