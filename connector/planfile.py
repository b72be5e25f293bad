"""The file of a plan: what it would do and what it stands on, without a key or a value of any row.

It is sealed with the key of the control store it was made beside, so that it is of use there alone,
and only as it was written.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from connector.destination.target import Target
from connector.errors import ConnectorError, UsageError
from connector.prepare import utc_now
from connector.report import RunReport
from connector.run import SyncOptions
from connector.snapshot.ground import Ground
from connector.windows import stamp

FORMAT = 1
"""Version of the file; there is no reading of another one, a plan is soon made anew."""

_ANEW = "make it anew: `connector plan --out FILE`"


@dataclass(frozen=True, slots=True)
class Planned:
    """One mapping of a plan: how many changes of each operation, and what it stands on."""

    name: str
    changes: dict[str, int]
    ground: Ground


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan to be followed. `made_at` is an ISO time."""

    target: str
    base_url: str
    made_at: str
    full_refresh: bool
    allow_deletes: int | None
    mappings: tuple[Planned, ...]
    seal: str = ""

    @property
    def options(self) -> SyncOptions:
        """How it was planned to be synced."""
        return SyncOptions(full_refresh=self.full_refresh, allow_deletes=self.allow_deletes)

    def ground(self, mapping: str) -> Ground:
        """What its part of a mapping stands on."""
        return next(planned.ground for planned in self.mappings if planned.name == mapping)

    def sealed(self, keyed: Callable[[str], str]) -> PlanFile:
        """The same with its seal."""
        bare = json.dumps(replace(self, seal="").to_json(), sort_keys=True)
        return replace(self, seal=keyed(bare))

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {"plan_format": FORMAT, **asdict(self)}


def plan_file(
    report: RunReport, target: Target, options: SyncOptions, grounds: Mapping[str, Ground]
) -> PlanFile:
    """The plan that a report is of, and what each of its mappings stands on."""
    mappings = [
        Planned(
            entry.name,
            {name: operation.planned for name, operation in entry.changes.items()},
            grounds[entry.name],
        )
        for entry in report.mappings
    ]
    return PlanFile(
        target=target.name,
        base_url=target.base_url,
        made_at=stamp(utc_now().replace(microsecond=0)),
        full_refresh=options.full_refresh,
        allow_deletes=options.allow_deletes,
        mappings=tuple(mappings),
    )


def write_plan(file: Path, plan: PlanFile) -> None:
    """Write a plan, whole or not at all, for its owner's eyes.

    Raises:
        ConnectorError: the file cannot be written.
    """
    whole = Path(os.path.realpath(file))
    try:
        if whole.exists() and not whole.is_file():
            raise ConnectorError(f"{file} cannot be written: it is no regular file")
        handle, name = tempfile.mkstemp(dir=whole.parent, prefix=f".{whole.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(plan.to_json(), stream, indent=2, ensure_ascii=False)
                stream.write("\n")
            Path(name).replace(whole)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConnectorError(f"{file} cannot be written: {error.strerror}") from error


def read_plan(file: Path) -> PlanFile:
    """Read a plan; whether it may be followed is another question.

    Raises:
        UsageError: there is no such file, or it is no plan of this version.
    """
    try:
        document = json.loads(file.read_text("utf-8"))
        if (found := document.pop("plan_format")) == FORMAT:
            return _plan(document)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{file} is no plan, or a damaged one", hint=_ANEW) from error
    raise UsageError(
        f"{file} is a plan of format {found}; this version follows {FORMAT}", hint=_ANEW
    )


def _plan(document: dict[str, Any]) -> PlanFile:
    mappings = [
        Planned(each["name"], each["changes"], Ground(**each["ground"]))
        for each in document.pop("mappings")
    ]
    return PlanFile(**document, mappings=tuple(mappings))
