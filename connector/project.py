"""A project on disk: `project.yaml` and the mapping files around it.

Loading reads and checks everything and expands variables only where they are needed: those of a
source or a target when it is asked for, those of a mapping when it is chosen.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from connector.destination.target import Target
from connector.errors import ConfigError, Place, Problem, UsageError
from connector.listeners.settings import Alert, SyncLog
from connector.mapping import mapping as plain
from connector.mapping.load import Defaults, Loaded, load_mapping
from connector.mapping.rules import Kind
from connector.mapping.validation import Model, closest, read_model
from connector.mapping.variables import expand
from connector.mapping.yamlfile import Document, KeyPath, printable, read_document, shown
from connector.projectfile import (
    AlertsPart,
    ProjectFile,
    SourcesPart,
    StateRule,
    SyncLogRule,
    TargetsPart,
)
from connector.source.settings import FilesSettings, SourceSettings

PROJECT_FILE = "project.yaml"
_INIT = "start one with `connector init`"
_EMPTY: dict[str, Any] = {"sources": {}, "targets": {}}


@dataclass(frozen=True, eq=False)
class Project:
    """What a project folder says.

    `folder` holds project.yaml; `root` is its parent, which relative paths are relative to.
    `mappings` are all there are, as far as their variables are set: take those to run from
    `mapping` or `select`, which insist on them. `warnings` do not keep anything from running.
    """

    folder: Path
    root: Path
    mappings: tuple[plain.Mapping, ...]
    warnings: tuple[Problem, ...]
    _default_target: str | None
    _document: Document = field(repr=False)
    _environment: Mapping[str, str] = field(repr=False)
    _unset: Mapping[str, list[Problem]] = field(repr=False)

    @property
    def source_names(self) -> tuple[str, ...]:
        """The names of the sources, in the order of the file."""
        return tuple(self._document.get(("sources",)) or ())

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the targets, in the order of the file."""
        return tuple(self._document.get(("targets",)) or ())

    @property
    def default_target(self) -> str | None:
        """The target when none is named: as the file says, or the only one there is."""
        if self._default_target is None and len(self.target_names) == 1:
            return self.target_names[0]
        return self._default_target

    @property
    def state_path(self) -> Path:
        """The folder with the state of all targets. ConfigError when a variable is not set."""
        return Path(os.path.normpath(self.root / Path(self._state.path).expanduser()))

    @property
    def control_url(self) -> SecretStr | None:
        """The database of the control store; None is SQLite in each target's state folder."""
        return self._state.control_url

    def has(self, key: str) -> bool:
        """Whether project.yaml says anything under a key."""
        return bool(self._document.get((key,)))

    @property
    def sync_log(self) -> SyncLog | None:
        """Where runs are logged. ConfigError when a variable is not set."""
        if not self.has("sync_log"):
            return None
        return self._read(SyncLogRule, self._document.get(("sync_log",)), ("sync_log",)).sync_log()

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Who is told when a run needs attention. ConfigError when a variable is not set."""
        path = ("alerts",)
        data = self._document.get(path) or []
        given, unset = expand(self._document, data, path, self._environment)
        part = self._checked(AlertsPart, {"alerts": given}, (), unset)
        return tuple(rule.alert() for rule in part.alerts)

    @property
    def _state(self) -> StateRule:
        given = self._document.get(("state",)) or {}
        return self._read(StateRule, given, ("state",))

    def source(self, name: str) -> SourceSettings:
        """The settings of a source, with variables expanded.

        ConfigError, at its place, when one is not set or makes no sense; UsageError when there is
        no such source.
        """
        if name not in self.source_names:
            raise UsageError(f"no source '{name}' in the project", hint=_did_you_mean(
                name, self.source_names))  # fmt: skip
        path = ("sources", name)
        part = self._read_one(SourcesPart, path)
        settings = part.sources[name].settings(name, self._document.key(path), self.root)
        if isinstance(settings, FilesSettings) and settings.encoding != "utf-8":
            return replace(settings, scratch=self.state_path / ".stage")
        return settings

    def target(self, name: str | None = None) -> Target:
        """A target, with variables expanded; None is the default one. Errors as for a source."""
        chosen = self.default_target if name is None else name
        if chosen is None:
            known = ", ".join(self.target_names)
            hint = f"one of {known}" if known else "add one to project.yaml"
            raise UsageError("no target named, and the project has no default", hint=hint)
        if chosen not in self.target_names:
            hint = _did_you_mean(chosen, self.target_names)
            raise UsageError(f"no target '{chosen}' in the project", hint=hint)
        return self._read_one(TargetsPart, ("targets", chosen)).targets[chosen].target(chosen)

    def mapping(self, name: str) -> plain.Mapping:
        """A mapping by name. UsageError when there is none, ConfigError for unset variables."""
        for mapping in self.mappings:
            if mapping.name == name:
                return self._usable((mapping,))[0]
        names = [mapping.name for mapping in self.mappings]
        raise UsageError(f"no mapping '{name}' in the project", hint=_did_you_mean(name, names))

    def select(
        self, select: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> tuple[plain.Mapping, ...]:
        """The mappings chosen by name, `tag:T` or glob; all of them when nothing is selected.

        Users come first, then events, then recommendations. UsageError when a pattern matches
        nothing or nothing is left, ConfigError when a chosen one has unset variables.
        """
        return self._usable(self.chosen(select, exclude))

    def chosen(
        self, select: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> tuple[plain.Mapping, ...]:
        """The same, though their variables may not be set: see `unset`."""
        if not self.mappings:
            raise UsageError(
                f"no mappings in {shown(self.folder)}",
                hint="draft one with `connector init --from`",
            )
        chosen = self._matching(select) if select else {mapping.name for mapping in self.mappings}
        chosen -= self._matching(exclude)
        if not chosen:
            raise UsageError("every selected mapping is excluded")
        order = list(Kind)
        found = [mapping for mapping in self.mappings if mapping.name in chosen]
        return tuple(sorted(found, key=lambda mapping: order.index(mapping.kind)))

    def unset(self, mapping: plain.Mapping) -> list[Problem]:
        """The variables of a mapping that have no value."""
        return self._unset.get(mapping.name, [])

    def _matching(self, patterns: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for pattern in patterns:
            matching = {each.name for each in self.mappings if _matches(each, pattern)}
            if not matching:
                raise UsageError(
                    f"no mapping matches '{pattern}'", hint=self._pattern_hint(pattern)
                )
            found |= matching
        return found

    def _pattern_hint(self, pattern: str) -> str | None:
        if pattern.startswith("tag:"):
            tags = sorted({f"tag:{tag}" for each in self.mappings for tag in each.tags})
            return _did_you_mean(pattern, tags)
        return _did_you_mean(pattern, [each.name for each in self.mappings])

    def _usable(self, mappings: tuple[plain.Mapping, ...]) -> tuple[plain.Mapping, ...]:
        if unset := [each for one in mappings for each in self.unset(one)]:
            raise ConfigError(unset)
        return mappings

    def _read_one(self, model: type[Model], path: tuple[str, str]) -> Model:
        section, name = path
        given, unset = expand(self._document, self._document.get(path), path, self._environment)
        return self._checked(model, {section: {name: given}}, (), unset)

    def _read(self, model: type[Model], data: Any, path: KeyPath) -> Model:
        given, unset = expand(self._document, data, path, self._environment)
        return self._checked(model, given, path, unset)

    def _checked(self, model: type[Model], data: Any, path: KeyPath, unset: list[Problem]) -> Model:
        reading = read_model(model, self._document, data, path)
        if reading.problems or unset or reading.model is None:
            raise ConfigError([printable(each) for each in (*unset, *reading.problems)])
        return reading.model


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in a project folder, mistakes and all.

    `problems` make it no project to run anything with. `project` is None where project.yaml cannot
    even be read; `mappings` are all files that make sense in part, without what is wrong in them.
    """

    project: Project | None
    mappings: tuple[plain.Mapping, ...]
    problems: list[Problem]


def load_project(folder: Path, *, environment: Mapping[str, str] | None = None) -> Project:
    """Read and check a project folder.

    ConfigError holds every mistake of every file at once. `environment` is where variables come
    from, `os.environ` when left out.
    """
    found = read_project(folder, environment=environment)
    if found.problems or found.project is None:
        raise ConfigError(found.problems)
    return found.project


def read_project(folder: Path, *, environment: Mapping[str, str] | None = None) -> Found:
    """Read a project folder, as far as it can be read. ConfigError where there is none."""
    environment = os.environ if environment is None else environment
    file = folder / PROJECT_FILE
    if not folder.is_dir():
        raise ConfigError([Problem(Place(shown(folder)), "there is no such folder", _INIT)])
    if not file.is_file():
        other = next((each.name for each in folder.glob("project.y*ml")), None)
        hint = f"rename {other}" if other else _INIT
        raise ConfigError([Problem(Place(shown(file)), "there is no such file", hint)])
    root = Path(os.path.abspath(folder)).parent  # noqa: PTH100 - resolve() would follow links
    document, problems = read_document(file)
    said = None
    if document is not None:
        said, found = _check_project_file(document, environment)
        problems += found
    defaults = said.defaults.defaults() if said else Defaults()
    sources = None if document is None else tuple(sorted(document.keys(("sources",))))
    loaded = [
        load_mapping(each, root=root, sources=sources, environment=environment, defaults=defaults)
        for each in mapping_files(folder)
    ]
    problems += [problem for each in loaded for problem in each.problems]
    problems += _same_names(loaded)
    mappings = tuple(each.mapping for each in loaded if each.mapping)
    warnings = [printable(warning) for each in loaded for warning in each.warnings]
    project = (
        None
        if document is None
        else Project(
            folder=folder,
            root=root,
            mappings=mappings,
            warnings=tuple(sorted(warnings, key=lambda warning: warning.place)),
            _default_target=said.default_target if said else None,
            _document=document,
            _environment=environment,
            _unset={each.mapping.name: each.unset for each in loaded if each.mapping},
        )
    )
    return Found(project, mappings, [printable(each) for each in problems])


def mapping_files(folder: Path) -> list[Path]:
    """Every YAML file below a project folder but project.yaml, sorted; hidden ones are skipped."""
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in files
            if name.endswith((".yaml", ".yml")) and not name.startswith(".")
        ]
    found.remove(folder / PROJECT_FILE)
    return sorted(found)


def _check_project_file(
    document: Document, environment: Mapping[str, str]
) -> tuple[ProjectFile | None, list[Problem]]:
    problems: list[Problem] = []
    data: dict[str, Any] = {}
    for key, value in document.data.items():
        lazily = key in ("sources", "targets", "state", "alerts")
        data[key], unset = expand(document, value, (key,), None if lazily else environment)
        problems += unset
    reading = read_model(ProjectFile, document, data, stand_ins=_EMPTY)
    problems += reading.problems
    if reading.model is None:
        return None, problems
    targets = document.keys(("targets",))
    default = reading.model.default_target
    if default is not None and default not in targets:
        place = document.value(("default_target",))
        hint = _did_you_mean(default, sorted(targets))
        problems.append(Problem(place, f"'{default}' is no target of this file", hint))
    for section in ("sources", "targets"):
        for name in document.keys((section,)):
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", name):
                place = document.key((section, name))
                hint = "it is also the name of a folder and of an option"
                message = "a name is made of letters, digits, '_', '-' and '.'"
                problems.append(Problem(place, message, hint))
    return reading.model, problems


def _same_names(loaded: list[Loaded]) -> Iterator[Problem]:
    """Names are also file names, and not every file system tells upper from lower case."""
    first: dict[str, Place] = {}
    for each in loaded:
        if each.mapping is None or each.document is None:
            continue
        place = each.document.value(("name",))
        folded = unicodedata.normalize("NFC", each.mapping.name).casefold()
        if folded in first:
            message = f"'{each.mapping.name}' is already the name of {first[folded]}"
            yield Problem(place, message, "give it another by `name:`")
        first.setdefault(folded, place)


def _matches(mapping: plain.Mapping, pattern: str) -> bool:
    if pattern.startswith("tag:"):
        return any(fnmatchcase(tag, pattern[4:]) for tag in mapping.tags)
    return mapping.name == pattern or fnmatchcase(mapping.name, pattern)


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    if meant := closest(word, known):
        return f"did you mean '{meant}'?"
    return f"there are {', '.join(known)}" if known else "there are none"
