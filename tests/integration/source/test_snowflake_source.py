"""Snowflake through its own connector, against fakesnow's server."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connector.errors import SourceError
from connector.source.base import Source, Window
from tests.support.snowflake import WRONG_PASSWORD, Snowflake
from tests.support.sources import open_snowflake, rows, types

TABLES = (
    """CREATE TABLE users (
        user_id NUMBER(38, 0), small NUMBER(9, 0), price NUMBER(10, 2), name VARCHAR,
        active BOOLEAN, born DATE, woken TIME, raw BINARY, score FLOAT,
        seen TIMESTAMP_NTZ, seen_here TIMESTAMP_LTZ, seen_there TIMESTAMP_TZ,
        loose VARIANT, tree OBJECT, list ARRAY, "Mixed Case" VARCHAR, "select" VARCHAR)""",
    """INSERT INTO users SELECT
        9007199254740993, 7, 12.30, 'Zoë', true, '2026-02-28', '12:30:15'::TIME,
        X'DEADBEEF', 0.1,
        '2026-02-28 12:30:15.123456'::TIMESTAMP_NTZ, '2026-02-28 12:30:15'::TIMESTAMP_LTZ,
        '2026-02-28 12:30:15 +0200'::TIMESTAMP_TZ,
        PARSE_JSON('{"a": [1, null]}'), OBJECT_CONSTRUCT('k', 'v'), ARRAY_CONSTRUCT('a', 'b'),
        'mixed', 'chosen'""",
    "INSERT INTO users (user_id) VALUES (2)",
    "CREATE TABLE events (id NUMBER, seen TIMESTAMP_TZ, local TIMESTAMP_NTZ, day DATE)",
    """INSERT INTO events
        SELECT n, DATEADD(hour, n, '2026-03-01 00:00:00 +0000'::TIMESTAMP_TZ),
            DATEADD(hour, n, '2026-03-01 00:00:00'::TIMESTAMP_NTZ),
            DATEADD(day, n, '2026-03-01'::DATE)
        FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (n)""",
    "INSERT INTO events (id) VALUES (10)",
)
EXPECTED = {
    "USER_ID": ("DECIMAL(38,0)", Decimal(9007199254740993)),
    "SMALL": ("BIGINT", 7),
    "PRICE": ("DECIMAL(10,2)", Decimal("12.30")),
    "NAME": ("VARCHAR", "Zoë"),
    "ACTIVE": ("BOOLEAN", True),
    "BORN": ("DATE", date(2026, 2, 28)),
    "WOKEN": ("TIME", time(12, 30, 15)),
    "RAW": ("BLOB", b"\xde\xad\xbe\xef"),
    "SCORE": ("DOUBLE", 0.1),
    "SEEN": ("TIMESTAMP", datetime(2026, 2, 28, 12, 30, 15, 123456)),
    "LOOSE": ("JSON", '{"a":[1,null]}'),
    "TREE": ("JSON", '{"k":"v"}'),
    "LIST": ("JSON", '["a","b"]'),
    "Mixed Case": ("VARCHAR", "mixed"),
    "select": ("VARCHAR", "chosen"),
}


@pytest.fixture(scope="module", autouse=True)
def _tables(snowflake_server: Snowflake, account: str) -> None:
    snowflake_server.run(account, *TABLES)


def test_types_arrive_as_what_they_are(snowflake: Source) -> None:
    columns = tuple(EXPECTED)
    found = types(snowflake, table="users", columns=columns)
    assert found == {name: type_ for name, (type_, _) in EXPECTED.items()}
    full, empty = rows(snowflake, table="users", columns=columns)
    assert full == tuple(value for _, value in EXPECTED.values())
    assert set(empty[1:]) == {None}


def test_instants_arrive_in_utc_and_a_missing_one_stays_missing(snowflake: Source) -> None:
    columns = ("SEEN", "SEEN_HERE", "SEEN_THERE")
    assert list(types(snowflake, table="users", columns=columns).values()) == [
        "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE",
    ]  # fmt: skip
    full, empty = rows(snowflake, "COLUMNS(*)::VARCHAR", table="users", columns=columns)
    assert full == (
        "2026-02-28 12:30:15.123456", "2026-02-28 12:30:15+00", "2026-02-28 10:30:15+00",
    )  # fmt: skip
    assert empty == (None, None, None)


@pytest.mark.parametrize("table", ["users", "Users", "analytics.USERS", '"ANALYTICS".users'])
def test_names_without_quotes_match_in_any_case(snowflake: Source, table: str) -> None:
    found = rows(snowflake, table=table, columns=("user_id", "mixed case"), where="USER_ID > 2")
    assert found == [(Decimal(9007199254740993), "mixed")]


def test_names_in_quotes_are_exact(
    snowflake: Source, snowflake_server: Snowflake, account: str
) -> None:
    snowflake_server.run(
        account,
        'CREATE SCHEMA "Mixed Case"',
        'CREATE TABLE "Mixed Case"."order" ("Id" NUMBER)',
        'INSERT INTO "Mixed Case"."order" VALUES (5)',
    )
    assert rows(snowflake, table='"Mixed Case"."order"', columns=("Id",)) == [(5,)]


def test_500_columns_come_with_those_that_are_asked_for(snowflake: Source) -> None:
    query = "SELECT " + ", ".join(f"{n} AS c{n}" for n in range(500))
    assert rows(snowflake, query=query) == [tuple(range(500))]
    assert rows(snowflake, query=query, columns=("c499", "C0")) == [(499, 0)]


def test_a_result_without_rows_keeps_its_types(snowflake: Source) -> None:
    relation = {"table": "users", "where": "1 = 0 -- none"}
    assert rows(snowflake, **relation) == []
    assert types(snowflake, **relation)["USER_ID"] == "DECIMAL(38,0)"


@pytest.mark.parametrize("column", ["seen", "local"])
def test_a_window_is_half_open(snowflake: Source, column: str) -> None:
    window = Window(column, datetime(2026, 3, 1, 2), datetime(2026, 3, 1, 5))
    assert sorted(rows(snowflake, "id", table="events", window=window)) == [(2,), (3,), (4,)]


def test_a_window_may_be_open_and_take_in_rows_without_a_time(snowflake: Source) -> None:
    window = Window("DAY", datetime(2026, 3, 9), or_null=True)
    assert sorted(rows(snowflake, "id", table="events", window=window)) == [(8,), (9,), (10,)]


def test_the_mapping_is_named_in_the_query_tag(
    snowflake: Source, snowflake_server: Snowflake
) -> None:
    rows(snowflake, table="events", label="clicks")
    tags = [each["parameters"]["QUERY_TAG"] for each in snowflake_server.requests[-1:]]
    assert tags == ["sequen-connector:clicks"]
    login = snowflake_server.logins[-1]["SESSION_PARAMETERS"]
    assert (login["QUERY_TAG"], login["TIMEZONE"]) == ("sequen-connector", "UTC")


def test_parameters_of_the_session_are_the_projects_own(
    snowflake_server: Snowflake, account: str
) -> None:
    parameters = {"QUERY_TAG": "marketing", "STATEMENT_TIMEOUT_IN_SECONDS": 60}
    source = open_snowflake(
        snowflake_server.url, account, role="READER", warehouse="SMALL_ONE",
        session_parameters=parameters,
    )  # fmt: skip
    assert parameters.items() <= snowflake_server.logins[-1]["SESSION_PARAMETERS"].items()
    rows(source, table="events", label="clicks")
    assert snowflake_server.requests[-1]["parameters"]["QUERY_TAG"] == "marketing"
    source.close()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _written(file: Path, key: rsa.RSAPrivateKey, passphrase: str | None) -> Path:
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode())
            if passphrase
            else serialization.NoEncryption(),
        )
    )
    return file


@pytest.mark.parametrize("passphrase", [None, "sesame!"])
def test_a_key_pair_signs_in(
    snowflake_server: Snowflake,
    account: str,
    key: rsa.RSAPrivateKey,
    tmp_path: Path,
    passphrase: str | None,
) -> None:
    source = open_snowflake(
        snowflake_server.url,
        account,
        private_key_file=_written(tmp_path / "key.p8", key, passphrase),
        private_key_passphrase=SecretStr(passphrase) if passphrase else None,
    )
    login = snowflake_server.logins[-1]
    assert login["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    assert jwt.decode(login["TOKEN"], key.public_key(), ["RS256"])["sub"] == "TESTS.TESTS"
    assert len(rows(source, table="events")) == 11
    source.close()


def test_a_key_that_does_not_open_is_an_error_without_its_passphrase(
    snowflake_server: Snowflake, account: str, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    file = _written(tmp_path / "key.p8", key, "sesame!")
    wrong = SecretStr("open-says-me")
    with pytest.raises(SourceError, match="check `private_key_file`") as caught:
        open_snowflake(
            snowflake_server.url, account, private_key_file=file, private_key_passphrase=wrong
        )
    assert "open-says-me" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(SourceError, match=r"No such file.*check `private_key_file`"):
        open_snowflake(snowflake_server.url, account, private_key_file=tmp_path / "none.p8")


def test_a_token_signs_in(snowflake_server: Snowflake, account: str) -> None:
    open_snowflake(snowflake_server.url, account, token=SecretStr("made-up-token")).close()
    login = snowflake_server.logins[-1]
    assert (login["AUTHENTICATOR"], login["TOKEN"]) == ("OAUTH", "made-up-token")


def test_a_wrong_password_is_said_and_not_shown(snowflake_server: Snowflake, account: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_snowflake(snowflake_server.url, account, password=SecretStr(WRONG_PASSWORD))
    assert "Incorrect username or password was specified" in str(caught.value)
    assert "check `user`, and the password or key" in str(caught.value)
    assert WRONG_PASSWORD not in "".join(traceback.format_exception(caught.value))


SIGN_IN = """
import sys
from pathlib import Path
from connector.errors import Place, SourceError
from connector.source.base import Relation
from connector.source.open import open_source
from connector.source.settings import SnowflakeSettings

name, schema = sys.argv[1:]
try:
    source = open_source(SnowflakeSettings("s", Place(Path()), connection=name, schema=schema))
    with source.read(Relation(table="events")) as reader:
        print(reader.read_all().num_rows)
except SourceError as error:
    print(error)
"""


def test_a_named_connection_is_taken_from_connections_toml(
    snowflake_server: Snowflake, account: str, tmp_path: Path
) -> None:
    host, port = snowflake_server.url.removeprefix("http://").split(":")
    file = tmp_path / "connections.toml"
    file.write_text(
        f'[tests]\naccount = "tests"\nuser = "tests"\npassword = "made-up"\nhost = "{host}"\n'
        f'port = {port}\nprotocol = "http"\ndatabase = "{account}"\nschema = "NOWHERE"\n'
    )
    file.chmod(0o600)

    def sign_in(name: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", SIGN_IN, name, "ANALYTICS"],
            env={**os.environ, "SNOWFLAKE_HOME": str(tmp_path)},
            check=True, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip

    assert sign_in("tests") == "11"
    assert "Invalid connection_name 'other'" in sign_in("other")


@pytest.mark.parametrize(
    ("relation", "message"),
    [
        ({"table": "event"}, "name EVENT does not exist!; did you mean events?"),
        ({"table": "a..b"}, "'a..b' is no table name"),
        ({"table": "events", "columns": ("idd",)}, "'idd' is no column of events"),
        ({"table": "events", "where": "ida = 1"}, "events cannot be read: "),
        ({"query": "SELEC 1"}, "the query cannot be read: "),
        ({"table": "events", "window": Window("id", datetime(2026, 1, 1))},
         "cursor column 'ID' of events is decimal128(38, 0); a cursor is a column of dates"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_one_line(
    snowflake: Source, relation: dict[str, object], message: str
) -> None:
    with pytest.raises(SourceError) as caught:
        rows(snowflake, **relation)
    assert "42S02" not in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
