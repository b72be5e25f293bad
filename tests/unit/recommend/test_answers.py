"""Answers become rows: each item finds the candidate that it answers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.sandbox.recommend import recommend
from connector.snapshot import answers
from connector.snapshot.stage import Suppressions
from connector.snapshot.store import StatePaths, Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(StatePaths(tmp_path, "recs")) as opened:
        answers.begin(opened, "round", fresh=False)
        yield opened


def put(store: Store, request: dict[str, Any], answer: dict[str, Any], key: str = "k") -> None:
    store.connection.execute(
        "INSERT OR REPLACE INTO state.answers VALUES (?, ?, ?, '2026-03-01T12:00:00Z', ?)",
        [key, json.dumps(request), json.dumps(answer), request.get("user_id")],
    )


def rows(store: Store) -> list[dict[str, Any]]:
    with answers.reading(store) as reader:
        found: list[dict[str, Any]] = reader.read_all().to_pylist()
    return sorted(found, key=lambda row: (row["request_key"], row["position"] or 0))


def answered(store: Store, request: dict[str, Any], items: list[dict[str, Any]]) -> list[Any]:
    """Candidate and status of each item of an answer."""
    put(store, request, {"rec_id": "rec", "items": items})
    return [(row["candidate"], row["status"]) for row in rows(store)]


def item(id_: str, **attributes: Any) -> dict[str, Any]:
    return {"id": id_, "attributes": attributes}


def test_a_row_says_everything_of_its_request_and_its_item(store: Store) -> None:
    request = {
        "user_id": "u", "session_id": "s", "item_ids": ["a", "b"], "model_id": "m",
        "context": {"region": "NO"},
    }  # fmt: skip
    put(store, request, {"rec_id": "rec_1", "items": [{"id": "b", "score": 0.5}]})
    (row,) = rows(store)
    assert row.pop("requested_at").isoformat() == "2026-03-01T12:00:00+00:00"
    assert row == {
        "request_key": "round-k", "rec_id": "rec_1", "user_id": "u", "session_id": "s",
        "model_id": "m", "position": 1, "item_id": "b", "score": 0.5, "candidate": 2,
        "attributes": None, "context": '{"region":"NO"}', "status": "ok",
    }  # fmt: skip


def test_duplicate_ids_are_told_apart_by_the_attributes_that_differ(store: Store) -> None:
    items = [
        item("a", price=1, colour="red"),
        item("b", price=1),
        item("a", price=2, colour="red"),
    ]
    given_ = [{"id": "a", "score": 0.9, "price": 2}, {"id": "b", "score": 0.8},
              {"id": "a", "score": 0.7, "price": 1}]  # fmt: skip
    found = answered(store, {"user_id": "u", "items": items, "model_id": "m"}, given_)
    assert found == [(3, "ok"), (2, "ok"), (1, "ok")]


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        (34.90, 34.9),
        (12, 12.0),
        ("Ünïcode \" \\ ' \u2028", "Ünïcode \" \\ ' \u2028"),
        (["x", "y"], ["x", "y"]),
        (True, True),
    ],
)
def test_a_value_is_recognised_however_it_is_spelled(store: Store, sent: Any, echoed: Any) -> None:
    items = [item("a", v="other"), item("a", v=sent)]
    given_ = [{"id": "a", "score": 1, "v": echoed}]
    found = answered(store, {"user_id": "u", "items": items, "model_id": "m"}, given_)
    assert found == [(2, "ok")]


def test_an_attribute_that_is_missing_in_one_tells_it_apart(store: Store) -> None:
    items = [item("a", price=1), item("a")]
    found = answered(
        store,
        {"user_id": "u", "items": items, "model_id": "m"},
        [{"id": "a", "score": 2}, {"id": "a", "score": 1, "price": 1}],
    )
    assert found == [(2, "ok"), (1, "ok")]


def test_candidates_that_are_alike_are_answered_in_order(store: Store) -> None:
    given_ = [{"id": "a", "score": 3}, {"id": "b", "score": 2}, {"id": "a", "score": 1}]
    found = answered(store, {"user_id": "u", "item_ids": ["a", "a", "b"], "model_id": "m"}, given_)
    assert found == [(1, "ok"), (3, "ok"), (2, "ok")]


def test_names_that_are_paths_elsewhere_are_plain_names_here(store: Store) -> None:
    items = [item("a", **{"$.x": 1, "/y": 1, "a.b": 1}), item("a", **{"$.x": 1, "/y": 2, "a.b": 1})]
    given_ = [{"id": "a", "score": 1, "/y": 2}]
    found = answered(store, {"user_id": "u", "items": items, "model_id": "m"}, given_)
    assert found == [(2, "ok")]


def test_what_cannot_be_matched_is_written_and_says_so(store: Store) -> None:
    items = [item("a", price=1), item("a", price=2)]
    given_ = [{"id": "a", "score": 1}, {"id": "z", "score": 1}]
    found = answered(store, {"user_id": "u", "items": items, "model_id": "m"}, given_)
    assert found == [(None, "ambiguous"), (None, "unknown_item")]


def test_an_answer_without_items_is_one_row(store: Store) -> None:
    assert answered(store, {"user_id": "u", "item_ids": ["a"], "model_id": "m"}, []) == [
        (None, "empty")
    ]


values = st.one_of(
    st.integers(-3, 3), st.floats(-2, 2, allow_nan=False), st.sampled_from(["x", "y"]),
    st.booleans(), st.lists(st.sampled_from(["p", "q"]), max_size=2),
)  # fmt: skip
candidates = st.lists(
    st.builds(
        lambda id_, attributes: {"id": id_, "attributes": attributes},
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(st.sampled_from(["v", "w", "id", "score"]), values, max_size=3),
    ),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(items=candidates, limit=st.integers(1, 8), seed=st.integers(0, 999))
def test_every_answer_of_a_ranking_model_finds_its_candidate(
    store: Store, items: list[dict[str, Any]], limit: int, seed: int
) -> None:
    request = {"user_id": "u", "items": items, "model_id": f"model_{seed}", "limit": limit}
    answer = recommend(request)
    random.Random(seed).shuffle(answer["items"])  # noqa: S311 - the same every time is wanted
    put(store, request, answer)
    found = rows(store)
    assert [row["status"] for row in found] == ["ok"] * min(limit, len(items))
    assert len({row["candidate"] for row in found}) == len(found)
    for row, given_ in zip(found, answer["items"], strict=True):
        asked = items[row["candidate"] - 1]
        assert (asked["id"], row["score"]) == (given_["id"], given_["score"])
        same = recommend({**request, "items": [asked], "limit": 1})["items"][0]
        if not any({"id", "score"} & each["attributes"].keys() for each in items):
            assert same["score"] == given_["score"]


def test_answers_for_the_erased_are_dropped_before_they_are_written(store: Store) -> None:
    from connector.control.hashing import UidHasher

    for uid in ("gone", "asked", "stays"):
        request = {"user_id": uid, "item_ids": ["a"], "model_id": "m"}
        put(store, request, {"rec_id": uid, "items": [{"id": "a", "score": 1}]}, key=uid)
    put(store, {"session_id": "s", "item_ids": ["a"]}, {"rec_id": "r", "items": []}, key="s")
    hasher = UidHasher(b"key")
    answers.forget_answers(
        store, Suppressions(hasher.inner, hasher.outer, [hasher("gone")], [hasher("asked")])
    )
    assert [row["user_id"] for row in rows(store)] == [None, "stays"]


def test_a_round_ends_once_everything_was_asked_and_written(store: Store) -> None:
    put(store, {"user_id": "u", "item_ids": ["a"]}, {"rec_id": "r", "items": []})
    answers.written(store)
    assert answers.unwritten(store) == 0
    assert answers.begin(store, "next", fresh=False) == "round"
    answers.asked(store)
    answers.written(store)
    assert answers.begin(store, "next", fresh=False) == "next"
    assert answers.begin(store, "third", fresh=True) == "third"
