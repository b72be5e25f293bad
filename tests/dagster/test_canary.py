"""Canaries in Dagster's storage: no secret, uid or address may be in it, not even of the living."""

# ruff: noqa: S608 - made of our own words

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from connector.sandbox import Sandbox
from dagster_defs.outcome import Retries
from tests.dagster.conftest import Shop

KEY = "canary-api-key-7f3a9c"
PII_KEY = "canary-pii-key-51be02"
MAIL = "canary.address@mail.test"
UID = "canary-uid-"
NOTE = "canary-note-"
CANARIES = (KEY, PII_KEY, MAIL, UID, NOTE)

USERS = """\
version: 1
kind: users
source: warehouse
table: users
fields:
  uid: user_id
  country: upper(country)
  note: note
  email_hash: {expr: email, pii: hash}
deletes:
  erasures: {table: requests, key: user_id}
"""


@pytest.fixture
def home(shop: Shop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SHOP_KEY", "sandbox")
    monkeypatch.setenv("CONNECTOR_PII_KEY", PII_KEY)
    shop.folder.write("project.yaml", shop.project_yaml(api_key="${SHOP_KEY}"))
    shop.folder.write("users.yaml", USERS)
    shop.execute(
        "CREATE OR REPLACE TABLE users AS SELECT "
        f"'{UID}' || i AS user_id, 'DE' AS country, '{NOTE}' || i AS note, "
        f"i || '{MAIL}' AS email FROM range(40) t(i)",
        f"UPDATE clicks SET user_id = '{UID}' || user_id",
        f"CREATE TABLE requests AS SELECT '{UID}39' AS user_id",
    )
    sandbox.set_poison([{"resource": "users", "field": "note", "equals": f"{NOTE}5"}])
    home = tmp_path / "dagster_home"
    home.mkdir()
    return home


def kept(home: Path) -> Iterator[tuple[str, bytes]]:
    """All that is kept: files as they are, and values of databases, unpacked where packed."""
    for file in home.rglob("*"):
        if file.is_file():
            yield str(file), file.read_bytes()
        if file.suffix == ".db":
            with sqlite3.connect(file) as database:
                tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                for (table,) in tables.fetchall():
                    for row in database.execute(f'SELECT * FROM "{table}"'):
                        yield from ((f"{file}:{table}", unpacked(value)) for value in row)
            database.close()


def unpacked(value: Any) -> bytes:
    if isinstance(value, bytes):
        try:
            return zlib.decompress(value)
        except zlib.error:
            return value
    return str(value).encode()


def test_nothing_of_a_person_and_no_secret_is_in_the_storage_of_dagster(
    shop: Shop, sandbox: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    no_patience = Retries(max_retries=1, seconds=0.01)

    def sync(*names: str, **config: Any) -> bool:
        result = shop.materialize(
            *names, instance=instance, retries=no_patience, config=config or None
        )
        return result.success

    def job(name: str, **config: Any) -> bool:
        definition = shop.defs(retries=no_patience).resolve_job_def(f"sequen_{name}")
        ops = {f"sequen_{name}_op": {"config": config}}
        result = definition.execute_in_process({"ops": ops}, instance, raise_on_error=False)
        return result.success

    with dg.DagsterInstance.local_temp(str(home)) as instance:
        monkeypatch.setenv("SHOP_KEY", f"{KEY}-wrong")
        assert not sync("users")
        monkeypatch.setenv("SHOP_KEY", "sandbox")
        sandbox.set_faults({"e500": 0.5, "reset_after": 0.5})
        assert not sync("users")
        sandbox.set_faults({})
        assert sync("users", "clicks")
        assert job("plan")
        assert job("retry_rejects")
        whom = tmp_path / "whom"
        whom.write_text(f"{UID}7\n")
        assert job("erase", file=str(whom))
        shop.execute("DELETE FROM users WHERE user_id LIKE '%1%'")
        assert not sync("users"), "a guard stops it"
        zone = "timestamp '2026-01-01' AT TIME ZONE note"
        for country in (f"if(note::INT > 3, error(note), {zone})", "upper(contry)"):
            shop.folder.write("users.yaml", USERS.replace("upper(country)", country))
            sync("users", allow_deletes=40)
        by_note = "where: note::INT > 3\nfields:\n"
        shop.folder.write("users.yaml", USERS.replace("fields:\n", by_note))
        assert not sync("users")

    assert f"{UID}4" in {user["uid"] for user in sandbox.users()}
    found = list(kept(home))
    assert any(b"rejects_within_limits" in content for _, content in found), "it can be searched"
    hits = {
        (canary, where)
        for where, content in found
        for canary in CANARIES
        if canary.encode() in content
    }
    assert not hits
