"""Files in every shape in which warehouses and colleagues leave them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import fsspec
import pyarrow as pa
import pytest

from connector.errors import SourceError
from connector.source.base import Source
from connector.source.open import open_source
from connector.source.settings import CsvOptions, FilesSettings
from tests.support.project_folder import ProjectFolder
from tests.support.sources import PLACE, rows, types


def files(path: Path | str, encoding: str = "utf-8", **csv: str) -> Source:
    return open_source(
        FilesSettings("files", PLACE, path, encoding=encoding, csv=CsvOptions(**csv))  # type: ignore[arg-type]
    )


def zstd(file: Path, content: bytes) -> None:
    with pa.output_stream(str(file), compression="zstd") as stream:
        stream.write(content)


def test_a_latin_1_csv_with_days_before_months(tmp_path: Path) -> None:
    text = "id;name;seen\n1;Zoë;31-12-2025 23:59\n2;Jürg;01-02-2026 00:00\n"
    (tmp_path / "users.csv").write_bytes(text.encode("latin-1"))
    source = files(tmp_path, "ISO-8859-1", timestamp_format="%d-%m-%Y %H:%M")
    assert rows(source, table="users.csv") == [
        (1, "Zoë", datetime(2025, 12, 31, 23, 59)),
        (2, "Jürg", datetime(2026, 2, 1)),
    ]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252", "mac_roman"],
)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".csv.zst"])
def test_any_encoding_is_read_compressed_or_not(tmp_path: Path, encoding: str, ending: str) -> None:
    content = 'id,name\n1,"Zoë\r\nMüller"\n'.encode(encoding)
    file = tmp_path / f"users{ending}"
    if ending.endswith(".zst"):
        zstd(file, content)
    else:
        file.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    source = files(tmp_path, encoding)
    assert rows(source, table=f"users{ending}") == [(1, "Zoë\r\nMüller")]
    assert rows(source, table=f"*{ending}", columns=("id",)) == [(1,)]
    source.close()


def test_japanese_in_partitions_is_read_and_its_copies_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    for year in (2025, 2026):
        folder = tmp_path / "data" / f"year={year}"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_bytes("id,name\n1,日本\n".encode("shift-jis"))
    source = files(tmp_path / "data", "shift-jis")
    assert rows(source, table="**/*.csv", where="year = 2026") == [(1, "日本", 2026)]
    assert rows(source, query='SELECT name FROM "year=2025/a.csv"') == [("日本",)]
    assert list(copies.iterdir())
    assert all(made.stat().st_mode & 0o077 == 0 for made in copies.iterdir())
    source.close()
    assert list(copies.iterdir()) == []


@pytest.mark.parametrize("encoding", ["utf-8", "shift-jis"])
def test_a_file_in_another_encoding_is_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "users.csv").write_bytes("id,name\n1,Zoë ÿ\n".encode("cp1252"))
    source = files(tmp_path, encoding)
    with pytest.raises(SourceError, match=rf"users.csv is not in {encoding}; name the"):
        rows(source, table="users.csv")
    source.close()


def test_integers_beyond_64_bits_are_whole(tmp_path: Path) -> None:
    largest = 2**127 - 1
    (tmp_path / "users.csv").write_text(f'id,select,as_text\n1,{largest},"{10**40}"\n')
    source = files(tmp_path)
    assert types(source, table="users.csv")["select"] == "HUGEINT"
    assert rows(source, '"select"', table="users.csv", columns=("select",)) == [(largest,)]
    assert rows(files(tmp_path, all_text=True), "as_text", table="users.csv") == [(str(10**40),)]  # type: ignore[arg-type]


def test_500_columns_come_with_those_that_are_asked_for(tmp_path: Path) -> None:
    names = ",".join(f"c{n}" for n in range(500))
    (tmp_path / "wide.csv").write_text(f"{names}\n{','.join(map(str, range(500)))}\n")
    source = files(tmp_path)
    assert rows(source, table="wide.csv") == [tuple(range(500))]
    assert rows(source, table="wide.csv", columns=("c499", "c0")) == [(499, 0)]


def test_partitions_are_columns(tmp_path: Path) -> None:
    for year in (2025, 2026):
        folder = tmp_path / f"year={year}" / "country=DE"
        folder.mkdir(parents=True)
        duckdb.sql(f"SELECT {year} * 10 AS n").write_parquet(str(folder / "a.parquet"))
    source = files(tmp_path)
    table = "*/*/*.parquet"
    assert sorted(rows(source, "n, year, country", table=table)) == [
        (20250, 2025, "DE"), (20260, 2026, "DE"),
    ]  # fmt: skip
    assert rows(source, "n", table=table, where="year = 2026") == [(20260,)]


def test_files_of_one_table_may_differ_in_their_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "b.csv").write_text("name,id,extra\nb,2,x\n")
    assert sorted(rows(files(tmp_path), "id, name, extra", table="*.csv")) == [
        (1, "a", None), (2, "b", "x"),
    ]  # fmt: skip


def test_the_last_line_may_be_unlike_the_others(tmp_path: Path) -> None:
    lines = [json.dumps({"v": n}) for n in range(30_000)] + ['{"v": "text", "w": 1.5}']
    (tmp_path / "late.ndjson").write_text("\n".join(lines))
    (tmp_path / "late.csv").write_text("v\n" + "1\n" * 30_000 + "text\n")
    source = files(tmp_path)
    found = rows(source, "v ->> '$', w", table="late.ndjson", where="w IS NOT NULL")
    assert found == [("text", 1.5)]
    assert rows(source, "v", table="late.csv", where="v = 'text'") == [("text",)]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("user.csv", r"no file 'user.csv' in .*; did you mean 'users.csv'\?"),
        ("*.json", r"no file '\*.json' in"),
        ("users.xlsx", "'users.xlsx' is none of CSV, JSON and Parquet"),
        ("../users.csv", "Cannot access file"),
        ("broken.parquet", "broken.parquet cannot be read: .*No magic bytes"),
        ("broken.csv.gz", "broken.csv.gz cannot be read: .*GZIP"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, table: str, message: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("users.csv", "broken.parquet", "broken.csv.gz", "../users.csv"):
        (folder / name).write_text("id,name\n1,a\n")
    with pytest.raises(SourceError, match=message) as caught:
        rows(files(folder), table=table)
    assert "\n" not in str(caught.value)


def test_a_folder_behind_a_url_is_read_through_fsspec() -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/bucket/data/year=2026/users.csv", "id,price\n1,2.50\n".encode("utf-16-be"))
    system.pipe("/bucket/other/secret.csv", b"id\n1\n")
    system.pipe("/bucket/plain/users.csv", b"id,price\n1,2.5\n")
    source = files("memory://bucket/plain")
    assert rows(source, "price::DECIMAL(4,2)", table="*.csv") == [(Decimal("2.50"),)]
    with pytest.raises(SourceError, match=r"did you mean 'users.csv'\?"):
        rows(source, table="user.csv")
    with pytest.raises(SourceError, match="Cannot access file"):
        rows(source, query="FROM read_csv('memory:///bucket/other/secret.csv')")
    source.close()
    source = files("memory://bucket/data", "utf-16-be")
    assert rows(source, "id, year", table="*/users.csv") == [(1, 2026)]
    source.close()


@pytest.mark.parametrize(
    ("path", "missing", "message"),
    [
        ("s3://bucket/data", "s3fs", "nothing is installed that reads s3:// addresses; "
         "pip install fsspec s3fs"),
        ("gs://bucket/data", "fsspec", "pip install fsspec gcsfs"),
        ("klingon://bucket", "s3fs", "fsspec knows no klingon:// addresses"),
    ],
)  # fmt: skip
def test_an_address_that_nothing_reaches_says_what_to_install(
    path: str, missing: str, message: str
) -> None:
    script = f"""
import sys
sys.modules[{missing!r}] = None
from pathlib import Path
from connector.errors import Place, SourceError
from connector.source.open import open_source
from connector.source.settings import FilesSettings
try:
    open_source(FilesSettings("files", Place(Path()), {path!r}))
except SourceError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert message in done.stdout


def test_copies_lie_in_the_state_folder_and_those_of_a_killed_process_are_removed(
    tmp_path: Path,
) -> None:
    folder = ProjectFolder(tmp_path)
    folder.write(
        "project.yaml",
        "sources: {files: {type: files, path: data/, encoding: shift-jis}}\n"
        'targets: {far: {base_url: "http://127.0.0.1:9/v1", api_key: x}}\n'
        "state: {path: state}\n",
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "users.csv").write_bytes("id,name\n1,日本\n".encode("shift-jis"))
    reading = (
        "import sys, time; from pathlib import Path\n"
        "from connector.project import load_project; from connector.source.base import Relation\n"
        "from connector.source.open import open_source\n"
        "source = open_source(load_project(Path('mappings')).source('files'))\n"
        "source.schema(Relation(table='users.csv')); print('read', flush=True); time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", reading], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout as output:
        assert output.readline() == "read\n"
        process.kill()
    scratch = tmp_path / "state" / ".stage"
    [left] = scratch.rglob("users.csv")
    assert "日本" in left.read_text()
    assert left.parent.parent.stat().st_mode & 0o077 == 0
    source = open_source(folder.load().source("files"))
    assert rows(source, table="users.csv") == [(1, "日本")]
    assert not left.exists()
    source.close()
    assert list(scratch.iterdir()) == []
