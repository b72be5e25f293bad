"""The small tables that all mappings of a target share, in SQLite or any other SQL database."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

FORMAT = 1
"""Version of these tables; an older store is migrated, a newer one refused."""

metadata = MetaData()

settings = Table(
    "connector_settings",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", Text, nullable=False),
)

runs = Table(
    "connector_runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", String(40), nullable=False, index=True),
    Column("target", String(200), nullable=False),
    Column("mapping", String(200), nullable=False, index=True),
    Column("command", String(40), nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    Column("status", String(20), nullable=False),
    Column("pending", BigInteger, nullable=False, default=0),
    Column("rejected", BigInteger, nullable=False, default=0),
    Column("seconds", Float),
    Column("report", JSON, nullable=False),
    Column("error", Text),
)

leases = Table(
    "connector_leases",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("mapping", String(200), primary_key=True),
    Column("token", String(40), nullable=False),
    Column("host", String(200), nullable=False),
    Column("process", Integer, nullable=False),
    Column("process_started", Float, nullable=False),
    Column("taken_at", DateTime, nullable=False),
    Column("expires_at", DateTime, nullable=False),
)

suppressions = Table(
    "connector_suppressions",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("uid_hash", String(64), primary_key=True),
    Column("rule", String(100), nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("confirmed_at", DateTime, nullable=False),
    Column("status", Integer),
)
"""Erased users, by HMAC-SHA256 of the uid: whom no mapping may ever send again."""

erasures = Table(
    "connector_erasures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("target", String(200), nullable=False, index=True),
    Column("uid_hash", String(64), nullable=False, index=True),
    Column("uid", Text),
    Column("rule", String(100), nullable=False),
    Column("mapping", String(200)),
    Column("run_id", String(40), nullable=False),
    Column("requested_at", DateTime, nullable=False),
    Column("sent_at", DateTime),
    Column("confirmed_at", DateTime),
    Column("withdrawn_at", DateTime),
    Column("answer", Integer),
)
"""Every erasure ever asked for. `uid` is in clear only until it is confirmed, and only where it was
asked for by hand."""

chunks = Table(
    "connector_chunks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("target", String(200), nullable=False, index=True),
    Column("mapping", String(200), nullable=False),
    Column("version", String(40), nullable=False),
    Column("window_start", DateTime, nullable=False),
    Column("window_end", DateTime, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("acknowledged", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("known", BigInteger, nullable=False),
    Column("run_id", String(40), nullable=False),
    Column("done_at", DateTime, nullable=False),
)
"""Windows of events that a backfill is through with."""

layouts = Table(
    "connector_layouts",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("mapping", String(200), primary_key=True),
    Column("shards", Integer, nullable=False),
)
"""Into how many shards a mapping is cut; 1 is whole."""

senders = Table(
    "connector_senders",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("token", String(40), primary_key=True),
    Column("seen_at", DateTime, nullable=False),
)
"""Who is sending to a target right now: they share its quota evenly."""
