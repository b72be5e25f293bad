"""Recommendations: the request schema, the mock models to the letter, and the rest."""

import pytest

from connector.sandbox.recommend import recommend
from connector.sandbox.rules import Refusal

MOCK = {"user_id": "u", "model_id": "test_model_item_200"}


def items(answer: dict) -> list[dict]:
    return [{k: v for k, v in item.items() if k != "score"} for item in answer["items"]]


def test_the_mock_answers_every_item_in_input_order_with_a_score():
    answer = recommend({**MOCK, "item_ids": ["c", "a", "b"]})
    assert items(answer) == [{"id": "c"}, {"id": "a"}, {"id": "b"}]
    assert all(0 <= item["score"] <= 1 for item in answer["items"])
    assert answer["rec_id"].startswith("rec_")


def test_the_mock_scores_alike_each_time_under_a_new_rec_id():
    request = {**MOCK, "item_ids": ["c", "a", "b"]}
    first, second = recommend(request), recommend(request)
    assert first["items"] == second["items"]
    assert first["rec_id"] != second["rec_id"]


def test_the_mock_honours_limit_from_the_front():
    answer = recommend({**MOCK, "item_ids": ["c", "a", "b"], "limit": 2})
    assert items(answer) == [{"id": "c"}, {"id": "a"}]


def test_duplicates_echo_the_attributes_that_differ_within_their_group_only():
    answer = recommend(
        {
            **MOCK,
            "items": [
                {"id": "a", "attributes": {"price": 1, "room": "double", "tags": ["x"]}},
                {"id": "b", "attributes": {"price": 9}},
                {"id": "a", "attributes": {"price": 2, "room": "double", "tags": ["x"]}},
                {
                    "id": "a",
                    "attributes": {"price": 2, "room": "double", "tags": ["x"], "new": True},
                },
            ],
        }
    )
    assert items(answer) == [
        {"id": "a", "price": 1},
        {"id": "b"},
        {"id": "a", "price": 2},
        {"id": "a", "price": 2, "new": True},
    ]


def test_true_and_one_are_different_attributes():
    pair = [{"id": "a", "attributes": {"v": True}}, {"id": "a", "attributes": {"v": 1}}]
    assert items(recommend({**MOCK, "items": pair})) == [
        {"id": "a", "v": True},
        {"id": "a", "v": 1},
    ]


def test_an_echoed_attribute_never_replaces_id_or_score():
    pair = [{"id": "a", "attributes": {"id": "x", "score": 7}}, {"id": "a"}]
    answer = recommend({**MOCK, "items": pair})
    assert items(answer) == [{"id": "a"}, {"id": "a"}]
    assert all(item["score"] <= 1 for item in answer["items"])


def test_another_model_answers_best_first():
    ids = [f"item_{n}" for n in range(50)]
    answer = recommend({"session_id": "s", "model_name": "baseline", "item_ids": ids, "limit": 20})
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 20
    assert answer["items"] == recommend(
        {"session_id": "s", "model_name": "baseline", "item_ids": ids, "limit": 20}
    )["items"]  # fmt: skip


@pytest.mark.parametrize("status", [400, 429, 503])
def test_the_mock_errors_answer_their_status(status):
    with pytest.raises(Refusal) as refused:
        recommend({"user_id": "u", "item_ids": ["a"], "model_id": f"test_model_item_{status}"})
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"user_id": None}, "user_id"),
        ({"user_id": 7}, "user_id"),
        ({"model_id": None}, "model_id"),
        ({"item_ids": None}, "item_ids"),
        ({"items": [{"id": "a"}]}, "item_ids"),
        ({"item_ids": []}, "item_ids"),
        ({"item_ids": ["a", 1]}, r"item_ids\[1\]"),
        ({"limit": 0}, "limit"),
        ({"limit": True}, "limit"),
        ({"context": "mobile"}, "context"),
        ({"candidates": ["a"]}, "candidates"),
        ({"item_ids": None, "items": ["a"]}, r"items\[0\]"),
        ({"item_ids": None, "items": [{"attributes": {}}]}, r"items\[0\].id"),
        ({"item_ids": None, "items": [{"id": "a", "price": 3}]}, r"items\[0\].price"),
        (
            {"item_ids": None, "items": [{"id": "a", "attributes": {"p": {"x": 1}}}]},
            r"items\[0\].attributes.p",
        ),
        (
            {"item_ids": None, "items": [{"id": "a", "attributes": {"p": ["x", 1]}}]},
            r"items\[0\].attributes.p",
        ),
        ({"model_id": "test_model_item_503", "item_ids": []}, "item_ids"),
    ],
)
def test_a_request_that_breaks_the_schema_is_refused_by_field(change, field):
    with pytest.raises(Refusal, match=f"^{field}: ") as refused:
        recommend({**MOCK, "item_ids": ["a"], **change})
    assert refused.value.status == 422
