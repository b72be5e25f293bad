"""Recommendations on their way home: answers are journalled as they come, then written elsewhere.

A *round* asks for every row of the source once. Its snapshot holds the requests that were answered;
`state.answers` holds the answers themselves until they are written where the mapping wants them, so
that neither a crash nor a warehouse that is away loses one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import duckdb
import pyarrow as pa

from connector.errors import StateError, first_line
from connector.snapshot.changes import Changes, Parts, Refused, chosen
from connector.snapshot.stage import Suppressions, list_suppressions
from connector.snapshot.store import Store, statements

ROWS_PER_BATCH = 65_536

_TABLE = """
CREATE TABLE IF NOT EXISTS state.answers (
  key VARCHAR PRIMARY KEY, request VARCHAR, answer VARCHAR, asked_at TIMESTAMPTZ, subject VARCHAR
)
"""
_UNREADABLE = """
SELECT position FROM replied
WHERE NOT coalesce(
  json_valid(answer)
  AND json_type(TRY_CAST(answer AS JSON), '$.rec_id') = 'VARCHAR'
  AND json_type(TRY_CAST(answer AS JSON), '$.items') = 'ARRAY',
  false
)
"""


class Answered(NamedTuple):
    """The body of an answer as it came, and when it was asked for: seconds since 1970."""

    asked_at: float
    body: bytes


class Requests(Changes):
    """Hands out the requests of one stage, and journals the answers to them.

    `unreadable` counts answers that are not what the API documents.
    """

    unreadable = 0

    def answer(
        self,
        acknowledged: Sequence[range],
        refused: Sequence[Refused],
        answers: Mapping[int, Answered],
    ) -> None:
        """Journal requests with their answers, by position. Durable on return.

        An answer without `rec_id` and `items` refuses its request.

        Raises:
            StateError: the state file could not be written; nothing of this call is remembered.
        """
        unreadable = self._unreadable(answers)
        message = "the answer is not a JSON object with `rec_id` and `items`"
        more = [Refused(at, 200, "unreadable_answer", message) for at in unreadable]
        self.unreadable += len(more)
        self._answers = answers
        readable = [at for run in acknowledged for at in run if at not in unreadable]
        self.settle([range(at, at + 1) for at in readable], [*refused, *more])

    def _unreadable(self, answers: Mapping[int, Answered]) -> set[int]:
        if not answers:
            return set()
        replied = pa.table({"position": list(answers), "answer": _texts(answers.values())})
        self._journal.register("replied", replied)
        found = self._journal.execute(_UNREADABLE).fetchall()
        self._journal.unregister("replied")
        return {position for (position,) in found}

    def _acknowledge(self, parts: Parts) -> None:
        super()._acknowledge(parts)
        names = ["key", "payload", "subject"]
        table = pa.Table.from_batches([chosen(change, runs, names) for change, runs in parts])
        answers = [
            self._answers[at + change.first] for change, runs in parts for run in runs for at in run
        ]
        times = pa.array([int(each.asked_at * 1_000_000) for each in answers], pa.int64())
        table = table.append_column("answer", _texts(answers))
        table = table.append_column("asked_at", times.cast(pa.timestamp("us", "UTC")))
        self._journal.register("answered", table)
        self._journal.execute(
            "INSERT OR REPLACE INTO state.answers "
            "SELECT key, left(payload, -1), answer, asked_at, subject FROM answered"
        )
        self._journal.unregister("answered")


def _texts(answers: Iterable[Answered]) -> pa.Array:
    return pa.array([each.body.decode("utf-8", "replace") for each in answers], pa.string())


def begin(store: Store, run_id: str, *, fresh: bool) -> str:
    """Go on with the round that was left unfinished, or begin one; returns its name.

    What was answered in an earlier round, and not written yet, has to be written first.
    """
    store.connection.execute(_TABLE)
    round_ = store.meta("round")
    if round_ is not None and not fresh:
        return round_
    store.connection.execute("DELETE FROM state.snapshot")
    store.remember(round=run_id, round_asked=None)
    return run_id


def asked(store: Store) -> None:
    """Note that nothing of the round is left to ask."""
    store.remember(round_asked=datetime.now(UTC).isoformat(timespec="seconds"))


def is_asked(store: Store) -> bool:
    """Whether the round has only to be written."""
    return store.meta("round_asked") is not None


def unwritten(store: Store) -> int:
    """How many answers wait to be written."""
    store.connection.execute(_TABLE)
    count: int = store.fetch("SELECT count(*) FROM state.answers")[0][0]
    return count


@contextmanager
def reading(store: Store) -> Iterator[pa.RecordBatchReader]:
    """The answers that wait to be written, one row an item (see `sql/answers.sql`).

    Raises:
        StateError: they cannot be read.
    """
    (query,) = statements("answers")
    try:
        found = store.connection.sql(query, params={"round": store.meta("round") or ""})
        yield found.to_arrow_reader(ROWS_PER_BATCH)
    except (duckdb.Error, pa.ArrowException) as error:
        raise StateError(
            f"answers in {store.paths.file} cannot be read: {first_line(error)}",
            hint="they are kept; the next run of the mapping writes them",
        ) from error


def written(store: Store) -> None:
    """Let go of the answers, and of the round if that was all of it.

    The state file is due to be copied: it still holds them in blocks that are not used.
    """
    connection = store.connection
    over = is_asked(store)
    connection.execute("BEGIN")
    connection.execute("DELETE FROM state.answers")
    connection.execute("DELETE FROM state.meta WHERE name = 'rewrite'")
    connection.execute("INSERT INTO state.meta VALUES ('rewrite', 'due')")
    if over:
        connection.execute("DELETE FROM state.snapshot")
        connection.execute("DELETE FROM state.meta WHERE name IN ('round', 'round_asked')")
    connection.execute("COMMIT")


def forget_answers(store: Store, suppressions: Suppressions) -> None:
    """Drop answers for users who were erased before they could be written."""
    store.connection.execute(_TABLE)
    list_suppressions(store, suppressions)
    store.connection.execute(
        "DELETE FROM state.answers WHERE "
        "sha256($outer::BLOB || unhex(sha256($inner::BLOB || encode(subject)))) "
        "IN (SELECT uid_hash FROM suppressions)",
        {"inner": suppressions.inner, "outer": suppressions.outer},
    )
