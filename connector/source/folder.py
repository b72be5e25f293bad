"""Where files lie: a folder of this machine, or whatever fsspec reaches."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, Protocol

import duckdb

from connector.errors import SourceError

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}


class Folder(Protocol):
    """A folder with files in it, and in folders below."""

    location: str
    """What stands before a file's name, `/` included, for DuckDB to find it."""

    def files(self, pattern: str) -> list[str]:
        """The names of the files that match a glob, relative to the folder, sorted."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read from its start."""
        ...


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self.location = f"{self._path}/"

    def files(self, pattern: str) -> list[str]:
        """The names of the files that match a glob."""
        if pattern.startswith("/") or ".." in pattern.split("/"):
            return []
        found = (path for path in self._path.glob(pattern) if path.is_file())
        return sorted(str(path.relative_to(self._path)) for path in found)

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read from its start."""
        return (self._path / name).open("rb")


class RemoteFolder:
    """A folder behind a URL, read through fsspec; credentials are those fsspec is set up with."""

    def __init__(self, system: Any, root: str) -> None:
        self.system = system
        self._root = root.rstrip("/")
        self.location = f"{system.unstrip_protocol(self._root)}/"

    def files(self, pattern: str) -> list[str]:
        """The names of the files that match a glob."""
        if ".." in pattern.split("/"):
            return []
        found = self.system.glob(f"{self._root}/{pattern}")
        return sorted(path.removeprefix(f"{self._root}/") for path in found)

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read from its start."""
        file: IO[bytes] = self.system.open(f"{self._root}/{name}", "rb")
        return file


def open_folder(
    name: str, path: Path | str, connection: duckdb.DuckDBPyConnection
) -> LocalFolder | RemoteFolder:
    """The folder of a source; `connection` learns how to read from it.

    Raises:
        SourceError: it is not there, or what reaches it is not installed.
    """
    if isinstance(path, Path):
        if not path.is_dir():
            raise SourceError(
                f"source {name!r}: no folder at {path}",
                hint="check `path`; it is relative to the folder that holds `mappings/`",
            )
        return LocalFolder(path)
    protocol = path.partition("://")[0]
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        system, root = url_to_fs(path)
    except ImportError:
        package = _PACKAGES.get(protocol, "the package of fsspec for it")
        raise SourceError(
            f"source {name!r}: nothing is installed that reads {protocol}:// addresses",
            hint=f"pip install fsspec {package}" if protocol in _PACKAGES else f"install {package}",
        ) from None
    except ValueError:
        raise SourceError(f"source {name!r}: fsspec knows no {protocol}:// addresses") from None
    connection.register_filesystem(system)
    return RemoteFolder(system, root)
