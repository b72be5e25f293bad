"""What a source leaves out for a shard is never a row of that shard, and nearly all of the rest."""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
import pytest

from connector.errors import Place
from connector.shard import Shard
from connector.source.base import Portion, Relation, Source
from connector.source.duckdb import DuckDBSource
from connector.source.files import FilesSource
from connector.source.settings import DuckDBSettings, FilesSettings
from tests.support.postgres import Postgres
from tests.support.sources import open_url

OF = 5
HERE = Place(Path("project.yaml"))
UNUSABLE = {None, "", ".", "..", "tab\there", "c1\x85here"}
KEYS = [*UNUSABLE, "Zoë", "日本", "a b", "a%2Fb", "  padded ", "'", "\\", *map(str, range(300))]

NUMBERS = range(-3, len(KEYS) - 3)


@pytest.fixture(params=["duckdb", "files", "postgresql"])
def source(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: Postgres) -> Source:
    """A source with the table `keys`: a text `k` and an integer `n`."""
    if request.param == "postgresql":
        database = postgres_server.database()
        postgres_server.run(database, "CREATE TABLE keys (k text, n bigint)")
        with (
            psycopg.connect(postgres_server.url(database)) as connection,
            connection.cursor() as cursor,
        ):
            rows = zip(KEYS, NUMBERS, strict=True)
            cursor.executemany("INSERT INTO keys VALUES (%s, %s)", list(rows))
        return open_url(postgres_server.url(database))
    table = pa.table({"k": KEYS, "n": NUMBERS})
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.register("rows", table)
        connection.execute("CREATE TABLE keys AS FROM rows")
        connection.execute(f"COPY keys TO '{tmp_path}/keys.parquet'")
    if request.param == "files":
        return FilesSource(FilesSettings(name="w", place=HERE, path=str(tmp_path)))
    return DuckDBSource(DuckDBSettings(name="w", place=HERE, path=tmp_path / "w.duckdb"))


@pytest.mark.parametrize("column", ["k", "n"])
def test_a_portion_is_its_shard_and_keys_that_are_unusable(source: Source, column: str) -> None:
    table = "keys.parquet" if isinstance(source, FilesSource) else "keys"
    everything = set(KEYS) if column == "k" else set(map(str, NUMBERS))
    try:
        for number in range(1, OF + 1):
            shard = Shard(number, OF)
            relation = Relation(table=table, portion=Portion(column, shard), columns=(column,))
            with source.read(relation) as reader:
                found = {None if x is None else str(x) for x in reader.read_all()[0].to_pylist()}
            own = {key for key in everything if shard.holds(key)}
            assert own <= found
            assert found - own <= UNUSABLE
    finally:
        source.close()
