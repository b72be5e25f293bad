"""Private folders that do not outlive whoever made them, and the removal of those that did.

Beside each lies a file that its maker holds locked. The system lets go of that lock however the
process ends, and on whichever machine or in whichever container it ran: whoever can take it may
remove the folder. A process id would say nothing of a process that cannot be seen from here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path

_LOCK = ".lock"
_PARTED = "+"
"""Parts what a folder is for from what makes its name unique; no mapping's file name has it."""

_NUMBERED = re.compile(r"copies-(?P<copies>\d{1,9})\..*|.*\.(?P<stage>\d{1,9})")
"""How earlier versions named such folders: after the process."""


class PrivateFolder:
    """A new folder in `parent` that only its owner can enter; it goes with this object, or with
    the process that made it.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, parent: Path, purpose: str) -> None:
        lock, descriptor = _locked(parent, f"{purpose}{_PARTED}")
        self.path = _folder_of(lock)
        self._close = weakref.finalize(self, _remove, lock, descriptor, os.getpid())
        self.path.mkdir(mode=0o700)

    def close(self) -> None:
        """Remove it, as far as that is possible."""
        self._close()


def wipe(parent: Path, *, of_others: bool = False) -> None:
    """Remove the private folders in `parent` that nobody holds any more.

    Those of another user are left to that user, for we may not be able to enter them, and a process
    of root's would keep everybody else's from running; `of_others` asks for theirs, too.

    Raises:
        OSError: one cannot be removed.
    """
    for lock in parent.glob(f"*{_PARTED}*{_LOCK}"):
        descriptor = _taken(lock) if of_others or _is_ours(lock) else None
        if descriptor is not None:
            try:
                _remove_folder(_folder_of(lock))
                lock.unlink(missing_ok=True)
            finally:
                os.close(descriptor)
    _wipe_numbered(parent, of_others=of_others)


def _locked(parent: Path, prefix: str) -> tuple[Path, int]:
    while True:
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=_LOCK, dir=parent)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            os.close(descriptor)
            raise
        # Somebody who wiped may have been quicker to it, and taken it for one nobody holds.
        if Path(name).exists():
            return Path(name), descriptor
        os.close(descriptor)


def _taken(lock: Path) -> int | None:
    """The lock of somebody who is dead, open; None where it is held, or gone."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except (FileNotFoundError, IsADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _folder_of(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix(_LOCK))


def _remove(lock: Path, descriptor: int, maker: int) -> None:
    if os.getpid() != maker:
        return  # a fork ended: the folder is still its parent's
    folder = _folder_of(lock)
    shutil.rmtree(folder, ignore_errors=True)
    # What cannot be removed now stays with its lock, for others to try.
    if not folder.exists():
        with contextlib.suppress(OSError):
            lock.unlink()
    os.close(descriptor)


def _remove_folder(folder: Path) -> None:
    # That somebody else is removing it is as good.
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _is_ours(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.lstat().st_uid == os.geteuid()
    return False


def _wipe_numbered(parent: Path, *, of_others: bool) -> None:
    for folder in parent.glob("*.*"):
        found = _NUMBERED.fullmatch(folder.name)
        # A mapping may be named like that, too.
        if found is None or (parent.parent / f"{folder.name}.duckdb").exists():
            continue
        if not (of_others or _is_ours(folder)):
            continue
        if not _is_running(int(found["copies"] or found["stage"])):
            _remove_folder(folder)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
