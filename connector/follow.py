"""Doing what a plan said and nothing else: `plan --out FILE`, then `sync --plan FILE`.

What a sync would do is worked out anew, and compared with the plan before the first byte is sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import duckdb

from connector.control.store import ControlStore
from connector.destination.target import Target
from connector.errors import ConnectorError, GuardTripped
from connector.mapping.mapping import Mapping
from connector.planfile import PlanFile
from connector.prepare import Bound, Compared, bind, looking, suppressed
from connector.project import Project
from connector.run import Run
from connector.shard import split_name
from connector.shards import shard_of
from connector.snapshot.ground import Ground, ground
from connector.snapshot.store import open_store

_GUARD = "plan"
_SPEAKS_OF_OTHERS = ("schedule", "tags", "description", "owners", "coverage", "max_reject_percent")
"""Keys of a mapping that change nothing about what is sent."""


def standing(
    bound: Bound, compared: Compared, control: ControlStore, erased: Sequence[str] = ()
) -> Ground:
    """What a comparison stands on; `erased` are those who would be by then."""
    keyed = control.hasher()
    mapping = {
        name: value
        for name, value in _without_places(asdict(bound.mapping)).items()
        if name not in _SPEAKS_OF_OTHERS
    }
    parameters = sorted((name, str(value)) for name, value in compared.parameters.items())
    return ground(
        compared.stage,
        suppressed(control, bound.mapping, erased),
        mapping=json.dumps([compared.rules.version, mapping, parameters], default=str),
        window=compared.rules.window_start,
        keyed=lambda text: keyed(f"{bound.mapping.name}\n{text}"),
    )


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_places(each)
            for name, each in value.items()
            if name not in ("place", "read_place", "cursor_place")
        }
    if isinstance(value, list | tuple):
        return [_without_places(each) for each in value]
    return value


def planned_mappings(project: Project, plan: PlanFile) -> tuple[Mapping, ...]:
    """The mappings of a plan, users first.

    Raises:
        GuardTripped: the project does not have them all any more.
        ConfigError: a variable is not set.
    """
    known = {mapping.name for mapping in project.mappings}
    parts = [split_name(planned.name) for planned in plan.mappings]
    if gone := [name for name, _ in parts if name not in known]:
        raise _moved(f"the project has no mapping {gone[0]!r} any more", plan)
    return tuple(
        shard_of(each, shard)
        for each in project.select()
        for name, shard in parts
        if name == each.name
    )


class Following:
    """A plan that a run follows. What cannot be followed is known before anything is sent."""

    def __init__(self, plan: PlanFile, target: Target, control: ControlStore) -> None:
        """Take a plan for this target and this state.

        Raises:
            GuardTripped: it is of others, or not as it was written.
        """
        self._plan = plan
        self._control = control
        self._refused: dict[str, ConnectorError] = {}
        if plan.target != target.name:
            raise _moved(f"it is for target {plan.target!r}, not {target.name!r}", plan)
        if plan.base_url != target.base_url:
            raise _moved(f"target {target.name!r} is at another address, {target.base_url}", plan)
        if plan.sealed(control.hasher()) != plan:
            what = "it was made beside another state, or changed since it was written"
            raise _moved(what, plan)

    def look(self, run: Run, mappings: Sequence[Mapping]) -> None:
        """Compare every mapping with the plan, before anything is sent for the first of them.

        One alone needs no such look: its sync compares it anyway.
        """
        if len(mappings) < 2:
            return
        erased: list[str] = []
        for mapping in mappings:
            if run.stop.requested:
                return
            try:
                self._look_at(run, mapping, erased)
            except duckdb.InterruptException:
                return
            except ConnectorError as error:
                self._refused[mapping.name] = error
        if self._refused:
            first = next(iter(self._refused))
            for mapping in mappings:
                what = f"nothing is sent, since it does not hold for {first!r}"
                self._refused.setdefault(mapping.name, _moved(what, self._plan, mapping.name))

    def _look_at(self, run: Run, mapping: Mapping, erased: list[str]) -> None:
        with (
            bind(run.project, mapping) as bound,
            open_store(run.paths(mapping), keep=False, origin=bound.origin_file) as store,
            run.stop.interrupting(store.connection.interrupt),
            run.stop.interrupting(bound.source.interrupt),
            looking(
                run.project, bound, store, run.control,
                refresh=run.options.full_refresh, erased=erased,
            ) as compared,
        ):  # fmt: skip
            before = list(erased)
            erased += erasing(compared, run.control)
            self.check(bound, compared, before)

    def begin(self, mapping: Mapping) -> None:
        """Go on to a mapping.

        Raises:
            ConnectorError: what was found out about it, if the plan cannot be followed.
        """
        if mapping.name in self._refused:
            raise self._refused[mapping.name]

    def check(self, bound: Bound, compared: Compared, erased: Sequence[str] = ()) -> None:
        """Compare what is about to be done with the plan.

        Raises:
            GuardTripped: it is not the same.
        """
        name = bound.mapping.name
        planned = self._plan.ground(name)
        now = standing(bound, compared, self._control, erased)
        if not planned.holds(now):
            raise _moved("; ".join(planned.moved(now)), self._plan, name)


def erasing(compared: Compared, control: ControlStore) -> list[str]:
    """The hashes of those whom a mapping would erase: those after it would not send them."""
    keyed = control.hasher()
    return [keyed(uid) for uid, _ in compared.stage.sample("hard_delete", None)]


def _moved(what: str, plan: PlanFile, mapping: str | None = None) -> GuardTripped:
    of = f"mapping {mapping!r}: " if mapping else ""
    return GuardTripped(
        f"{of}the ground has moved since the plan of {plan.made_at}: {what}; nothing was sent",
        hint="look at a new one: `connector plan --out FILE`",
        guard=_GUARD,
        numbers=f"the plan of {plan.made_at} does not hold any more: {what}",
        deletes=0,
    )
