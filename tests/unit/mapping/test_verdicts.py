"""Deletes and consent: what a mapping's conditions decide, nulls and failures included."""

from __future__ import annotations

import pytest

from connector.row import Verdict
from tests.unit.mapping.conftest import Desk

FLAGS = "SELECT * FROM (VALUES ('yes', true), ('no', false), ('null', NULL)) v(k, flag)"


def _verdicts(desk: Desk, more: str) -> dict[str | None, int]:
    return {row.key: row.verdict for row in desk.users("uid: k", more)}


@pytest.mark.parametrize(
    ("rule", "yes", "no", "null"),
    [
        ("deletes: {soft_when: flag}", Verdict.SOFT_DELETE, Verdict.SEND, Verdict.SEND),
        ("deletes: {hard_when: flag}", Verdict.HARD_DELETE, Verdict.SEND, Verdict.SEND),
        ("consent: {when: flag}", Verdict.SEND, Verdict.SKIP, Verdict.SKIP),
        ("consent: {when: flag, otherwise: soft}", Verdict.SEND, Verdict.WITHDRAWN_SOFT,
         Verdict.WITHDRAWN_SOFT),
        ("consent: {when: flag, otherwise: hard}", Verdict.SEND, Verdict.WITHDRAWN_HARD,
         Verdict.WITHDRAWN_HARD),
    ],
)  # fmt: skip
def test_a_condition_that_is_null_is_not_met(
    desk: Desk, rule: str, yes: Verdict, no: Verdict, null: Verdict
) -> None:
    desk.table(FLAGS)
    assert _verdicts(desk, rule) == {"yes": yes, "no": no, "null": null}


def test_erasing_comes_before_consent_and_consent_before_closing(desk: Desk) -> None:
    desk.table("""SELECT h || c || s AS k, h = 'h' AS hard, c = 'c' AS consent, s = 's' AS soft
        FROM (VALUES ('h'), ('-')) a(h), (VALUES ('c'), ('-')) b(c), (VALUES ('s'), ('-')) d(s)""")
    rules = "deletes: {soft_when: soft, hard_when: hard}\nconsent: {when: consent}"
    assert _verdicts(desk, rules) == {
        "hcs": Verdict.HARD_DELETE, "hc-": Verdict.HARD_DELETE, "h-s": Verdict.HARD_DELETE,
        "h--": Verdict.HARD_DELETE, "-cs": Verdict.SOFT_DELETE, "-c-": Verdict.SEND,
        "--s": Verdict.SKIP, "---": Verdict.SKIP,
    }  # fmt: skip


def test_a_soft_delete_sends_the_row_with_its_flag(desk: Desk) -> None:
    desk.table(FLAGS)
    found = desk.users("uid: k\nnote: {value: x}", "deletes: {soft_when: flag}")
    assert {row.key: row.payload for row in found} == {
        "yes": {"uid": "yes", "note": "x", "is_deleted": True},
        "no": {"uid": "no", "note": "x", "is_deleted": False},
        "null": {"uid": "null", "note": "x", "is_deleted": False},
    }


@pytest.mark.parametrize("value", ["flag", "not coalesce(not flag, true)", "{value: true}"])
def test_is_deleted_as_a_field_is_the_rule_for_soft_deletes(desk: Desk, value: str) -> None:
    desk.table(FLAGS)
    found = desk.users(f"uid: k\nis_deleted: {value}")
    deleted = {row.key for row in found if row.verdict == Verdict.SOFT_DELETE}
    assert deleted == ({"yes", "no", "null"} if "value" in value else {"yes"})


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ("deletes: {soft_when: 'n::INTEGER > 0'}", "soft_when"),
        ("deletes: {hard_when: 'n::INTEGER > 0'}", "hard_when"),
        ("consent: {when: 'n::INTEGER > 0', otherwise: hard}", "consent"),
        ("consent: {when: 'n::INTEGER > 0', otherwise: skip}", "consent"),
    ],
)
def test_a_condition_that_fails_deletes_nobody_and_names_itself(
    desk: Desk, rule: str, field: str
) -> None:
    desk.table("SELECT * FROM (VALUES ('bad', 'x')) v(k, n)")
    (row,) = desk.users("uid: k", rule)
    assert (row.verdict, row.code, row.field) == (Verdict.SEND, "expression_failed", field)


def test_a_filter_that_fails_is_no_reason_to_skip(desk: Desk) -> None:
    desk.table("SELECT 'e' AS k, 'x' AS n")
    (row,) = desk.events(
        "id: k\nsid: k\noriginal_timestamp: {value: '2024-01-01'}",
        "type: test\ntypes: {test: {filter: 'n::INTEGER > 0'}}",
    )
    assert (row.verdict, row.code, row.field) == (Verdict.SEND, "expression_failed", "filter")
