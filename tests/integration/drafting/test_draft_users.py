"""Drafts of users: who they are, who is gone, who may be sent, and what stays at home."""

from __future__ import annotations

import pytest

from connector.drafting import Wanted, draft_mapping
from connector.errors import SourceError, UsageError
from connector.mapping.rules import Kind
from tests.integration.drafting.conftest import Desk, fields, head

PEOPLE = """
create table people as select
  'c' || n as customer_id, 'N' || n as full_name, format('user{}@example.com', n) as email,
  if(n % 2 = 0, 'no ', 'SE') as country, n::double as visits,
  date '1990-01-01' + n::integer as birth_date, n % 7 = 0 as is_test, n % 3 <> 0 as gdpr_consent,
  if(n % 9 = 0, timestamp '2026-01-01', null) as erasure_requested_at,
  ['closed', 'active', 'Deleted'][1 + n % 3] as status
from range(100) as t(n)
"""


def test_a_draft_says_who_who_may_be_sent_and_who_is_gone(desk: Desk) -> None:
    desk.sql(PEOPLE)
    draft = desk.draft("users", "people")
    assert head(draft) == {
        "kind": "users",
        "source": "warehouse",
        "table": "people",
        "where": "not coalesce(is_test, false)",
        "consent": {"when": "gdpr_consent", "otherwise": "skip"},
        "deletes": {
            "missing": "soft",
            "soft_when": "status IN ('Deleted', 'closed')",
            "hard_when": "erasure_requested_at is not null",
        },
    }
    found = fields(draft)
    assert found["uid"] == "customer_id"
    assert found["country"] == "upper(trim(country))"
    assert found["status"] == "status"
    assert "date_sub" in str(found["age"])


def test_personal_data_is_never_sent_unasked(desk: Desk) -> None:
    desk.sql(PEOPLE)
    draft = desk.draft("users", "people")
    sent = str(fields(draft))
    assert "email" not in sent
    assert "full_name" not in sent
    assert '  # email_hash: {expr: "email", pii: hash}' in draft.text
    assert "  # full_name: full_name" in draft.text
    assert draft.personal == 2


def test_addresses_in_a_column_of_another_name_are_found(desk: Desk) -> None:
    desk.sql(
        "create table t as select n as user_id, format('user{}@example.com', n) as handle, "
        "'call +1 555 010 0000' as remark from range(20) as t(n)"
    )
    draft = desk.draft("users", "t")
    assert set(fields(draft)) == {"uid"}
    assert "# handle_hash:" in draft.text
    assert "# remark_hash:" in draft.text


def test_a_draft_is_valid_as_it_is_with_every_offer_and_syncs(desk: Desk) -> None:
    desk.sql(PEOPLE)
    draft = desk.draft("users", "people")
    desk.takes_every_offer(draft)
    report = desk.sync()["people"]
    assert report.status == "done"
    assert report.rejected == 0
    assert report.changes["upsert"].acknowledged > 0
    for user in desk.sandbox.users():
        assert "example.com" not in str(user)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("n::double", "CAST(user_id AS BIGINT)"),
        ("n || '.0'", "regexp_replace(user_id, '[.]0+$', '')"),
        ("' u' || n", "trim(user_id)"),
        ("n", "user_id"),
        ("uuid()", "user_id"),
    ],
)
def test_a_uid_is_spelled_as_the_others_would(desk: Desk, column: str, expected: str) -> None:
    table = f"select {column} as user_id, 'NO' as country from range(50) as t(n)"  # noqa: S608
    desk.sql(f"create table t as {table}")
    assert fields(desk.draft("users", "t"))["uid"] == expected
    report = desk.sync()["t"]
    assert (report.rejected, report.changes["upsert"].acknowledged) == (0, 50)


def test_the_odd_broken_row_does_not_hide_the_key(desk: Desk) -> None:
    desk.sql(
        "create table t as select if(n < 2, null, 'u' || n) as user_id, n as stars, "
        "'name ' || n as display_name from range(200) as t(n)"
    )
    draft = desk.draft("users", "t")
    assert fields(draft)["uid"] == "user_id"
    assert "uid: user_id  # rows that share one, or have none, are rejected" in draft.text


def test_a_key_can_be_named(desk: Desk) -> None:
    desk.sql("create table t as select n as a, n + 1 as b from range(50) as t(n)")
    assert fields(desk.draft("users", "t", key="b"))["uid"] == "b"
    with pytest.raises(UsageError, match="'c' is no column"):
        desk.draft("users", "t", key="c", name="other")


def test_a_table_without_a_key_is_no_table_of_users(desk: Desk) -> None:
    desk.sql("create table t as select n % 2 as user_id from range(50) as t(n)")
    with pytest.raises(UsageError, match="tells the rows apart") as caught:
        desk.draft("users", "t")
    assert "--key" in str(caught.value.hint)


def test_flags_of_every_kind_are_conditions(desk: Desk) -> None:
    desk.sql(
        "create table t as select n as user_id, if(n % 5 = 0, 'N', 'Y') as has_consent, "
        "n % 4 = 0 as is_deleted, if(n % 3 = 0, 1, 0) as gdpr_erasure from range(60) as t(n)"
    )
    said = head(desk.draft("users", "t"))
    assert said["consent"] == {
        "when": "lower(trim(has_consent)) IN ('y', 'yes', 'true', '1', 't')",
        "otherwise": "skip",
    }
    assert said["deletes"] == {
        "missing": "soft",
        "soft_when": "is_deleted",
        "hard_when": "gdpr_erasure = 1",
    }
    assert desk.sync()["t"].status == "done"


def test_a_refusal_is_no_consent(desk: Desk) -> None:
    desk.sql("create table t as select n as user_id, n % 4 = 0 as opted_out from range(40) t(n)")
    said = head(desk.draft("users", "t"))
    assert said["consent"] == {"when": "not coalesce(opted_out, false)", "otherwise": "skip"}
    assert desk.sync()["t"].changes["upsert"].acknowledged == 30


def test_awkward_names_are_quoted_where_they_must_be(desk: Desk) -> None:
    desk.sql(
        """create table "Odd Table" as select n as "User ID", 1.5 as "select",
        'x' as "say ""hi"": # now", 'y' as "line\nbreak", 'z' as "ключ", true as "yes",
        {'a': 1} as "a struct", null::varchar as nothing, [1.5, 2] as numbers,
        n as "null", 'NO' as "Country " from range(30) as t(n)"""
    )
    draft = desk.draft("users", '"Odd Table"', name="odd")
    desk.takes_every_offer(draft)
    assert "(a struct: " in draft.text
    assert "(nothing: empty in the rows looked at)" in draft.text
    report = desk.sync()["odd"]
    assert (report.status, report.rejected) == ("done", 0)


def test_columns_of_one_name_become_fields_of_two(desk: Desk) -> None:
    desk.sql(
        'create table t as select n as user_id, 1 as "Net Worth", 2 as net_worth '
        "from range(30) as t(n)"
    )
    draft = desk.draft("users", "t")
    assert "# net_worth: Net Worth" in draft.text
    assert "# t_net_worth: net_worth" in draft.text
    desk.takes_every_offer(draft)


def test_what_the_platform_sets_itself_is_not_offered(desk: Desk) -> None:
    desk.sql(
        "create table t as select n as user_id, now()::timestamp as updated_at, 'a' as _table "
        "from range(30) as t(n)"
    )
    draft = desk.draft("users", "t")
    assert "updated_at" not in draft.text
    desk.takes_every_offer(draft)


def test_rows_that_would_be_rejected_are_told_beforehand(desk: Desk) -> None:
    desk.sql("create table t as select if(n = 5, '..', 'u' || n) as user_id from range(40) t(n)")
    (warning,) = desk.draft("users", "t").warnings
    assert warning.startswith("1 of 40 rows would be rejected: uid")


def test_nothing_is_overwritten_and_no_name_is_taken_twice(desk: Desk) -> None:
    desk.sql("create table t as select n as user_id from range(40) as t(n)")
    first = desk.draft("users", "t")
    with pytest.raises(UsageError, match="not overwritten"):
        desk.draft("users", "t")
    with pytest.raises(UsageError, match="not overwritten"):
        first.write()
    below = desk.folder / "mappings" / "sub"
    below.mkdir()
    first.file.rename(below / "t.yaml")
    with pytest.raises(UsageError, match="there is a mapping 't'"):
        desk.draft("users", "t")


def test_a_name_leads_to_no_other_folder(desk: Desk) -> None:
    desk.sql("create table t as select n as user_id from range(40) as t(n)")
    with pytest.raises(UsageError):
        desk.draft("users", "t", name="../elsewhere")


def test_an_empty_table_and_a_missing_one_are_told_apart(desk: Desk) -> None:
    desk.sql("create table t (user_id varchar)")
    with pytest.raises(UsageError, match="is empty"):
        draft_mapping(desk.project, Wanted("warehouse", "t", Kind.USERS))
    with pytest.raises(SourceError, match="nowhere"):
        draft_mapping(desk.project, Wanted("warehouse", "nowhere", Kind.USERS))
