"""Copies: remote files on this machine, each for as long as its fingerprint stays the same."""

from __future__ import annotations

import errno
import re
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from weakref import finalize

from xrepo_nb.core.errors import XRepoConnectionError
from xrepo_nb.core.progress import progress
from xrepo_nb.core.settings import settings
from xrepo_nb.resources.remote_errors import attempt
from xrepo_nb.resources.urls import file_name, shown

_AT_ONCE = 8
"""Files fetched side by side."""
_HEADROOM = 1 << 25
"""Bytes of the disk that copies leave free."""
_KEPT = 2
"""Copies kept of a file: the one before may still be read."""
_TELLING = frozenset(
    {
        "etag", "contentmd5", "digest", "md5", "md5hash", "crc32c", "checksum", "sha", "generation",
        "version", "versionid", "blobid", "oid", "mtime", "lastmodified", "modified", "updated", "created",
    }
)  # fmt: skip
"""What a filesystem may tell of a file that changes with it; the rest may change by itself."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as its filesystem names it, and what that told of it."""

    path: str = field(repr=False)
    url: str = field(repr=False)
    info: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """Its name without folder and query."""
        return file_name(self.path)

    @property
    def size(self) -> int | None:
        """Its bytes, if they are known."""
        size = self.info.get("size")
        return int(size) if isinstance(size, int | float) else None

    @property
    def fingerprint(self) -> tuple[str, ...]:
        """What changes when the file does: its size, and the etag, digest, version or times told.

        >>> RemoteFile("a.csv", "", {"size": 3, "ETag": "x", "url": "https://host/a.csv?t=1"}).fingerprint
        ('ETag=x', 'size=3')
        """
        told = {key: value for key, value in self.info.items() if key == "size" or _tells(key)}
        return tuple(sorted(f"{key}={value}" for key, value in told.items() if value is not None))


def _tells(key: str) -> bool:
    return re.sub(r"[^a-z0-9]", "", key.lower()) in _TELLING


class Copies:
    """The files of one filesystem that were fetched, in a temporary folder.

    A file is fetched when it is first asked for, and again when its fingerprint has changed. The
    folder goes with `clear`, with this object, or with the process. All methods block, and may be
    called from several threads.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._held: defaultdict[str, list[tuple[tuple[str, ...], Path]]] = defaultdict(list)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._making = threading.Lock()
        self._numbers = count()

    def of(self, filesystem: Any, files: Sequence[RemoteFile]) -> tuple[Path, ...]:
        """A copy of each file as it is now."""
        if len(files) == 1:
            return (self._copy(filesystem, files[0]),)
        with ThreadPoolExecutor(min(_AT_ONCE, max(len(files), 1))) as threads:
            found = [threads.submit(copy_context().run, self._copy, filesystem, file) for file in files]
            return tuple(each.result() for each in found)

    def clear(self) -> None:
        """Removes all copies."""
        with self._making:
            folder, self._folder = self._folder, None
            self._held.clear()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _copy(self, filesystem: Any, file: RemoteFile) -> Path:
        with self._locks[file.path]:
            held = self._held[file.path]
            if held and held[-1][0] == file.fingerprint and held[-1][1].exists():
                return held[-1][1]
            path = self._fetched(filesystem, file)
            held.append((file.fingerprint, path))
            for _, old in held[:-_KEPT]:
                shutil.rmtree(old.parent, ignore_errors=True)
            del held[:-_KEPT]
            return path

    def _fetched(self, filesystem: Any, file: RemoteFile) -> Path:
        path = self._new_folder() / file.name
        try:
            attempt(lambda: _fetch(filesystem, file, path), file.url)
        except BaseException:
            if not path.parent.exists():
                raise _closed(file) from None
            shutil.rmtree(path.parent, ignore_errors=True)
            raise
        return path

    def _new_folder(self) -> Path:
        with self._making:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="xrepo-files-", dir=settings().spill_directory))
                finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        return folder


def _must_fit(size: int, room: int) -> None:
    if size > room:
        raise OSError(errno.ENOSPC, "no room for a copy")


def _closed(file: RemoteFile) -> XRepoConnectionError:
    return XRepoConnectionError(f"closed while {file.name!r} was fetched", asked=file.name)


def _fetch(filesystem: Any, file: RemoteFile, path: Path) -> None:
    from fsspec.callbacks import Callback

    room = shutil.disk_usage(path.parent).free - _HEADROOM
    came = 0
    with progress(f"fetching {file.name}", file.size) as step:

        class Steps(Callback):  # type: ignore[misc]
            def relative_update(self, inc: int = 1) -> None:
                nonlocal came
                came += inc
                _must_fit(came, room)  # a server may send more than it told, and without end
                step(inc)

        _must_fit(file.size or 0, room)
        filesystem.get_file(file.path, str(path), callback=Steps())
    if file.size is not None and path.stat().st_size < file.size:
        raise XRepoConnectionError(
            f"{shown(file.url)} was cut off: {path.stat().st_size:,} of {file.size:,} bytes came",
            asked=shown(file.url),
            hint="try again",
        )
