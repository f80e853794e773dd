"""Remote files: a URL, a folder or a pattern of them, read through local copies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoError,
    XRepoNotFoundError,
    XRepoPermissionError,
)
from xrepo_nb.core.settings import settings
from xrepo_nb.resources.copies import Copies, RemoteFile
from xrepo_nb.resources.paths import extension, must_say, stem
from xrepo_nb.resources.remote_errors import attempt
from xrepo_nb.resources.selection import Selection, label_of, labelled
from xrepo_nb.resources.urls import bare, file_name, has_wildcard, is_web, located, scheme, shown, split_url

_PAGES = 8
"""Folders that `**` goes down on the web, where pages may link round in circles."""


class Selected(Protocol):
    """Which files a source reads. All methods block, but for the name."""

    @property
    def name(self) -> str:
        """A name for the whole."""

    def files(self, extensions: Collection[str]) -> Mapping[str, tuple[Any, ...]]:
        """The files of each collection now; of a folder those with one of the extensions."""

    def local(self, files: tuple[Any, ...]) -> tuple[Path, ...]:
        """Those files on this machine."""

    def size_bytes(self, files: tuple[Any, ...]) -> int | None:
        """How many bytes they have, where they are; None when that is not known."""

    def close(self) -> None:
        """Frees what was kept for reading them."""


def selected(
    file_path: Any = None,
    root: Any = None,
    pattern: str | Mapping[str, str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Selected:
    """The files that the arguments of a file source describe; touches no disk and no network.

    A URL or a `UPath` means remote files, everything else local ones.
    """
    (file_path, own), (root, also) = located(file_path), located(root)
    for option, given in (("file_path", file_path), ("root", root), ("pattern", pattern)):
        must_say(option, given)
    if file_path is not None and pattern is not None:
        raise XRepoConfigurationError("give file_path= or pattern=, not both")
    options = {**own, **also, **(storage_options or {})}
    patterns = pattern.values() if isinstance(pattern, Mapping) else (pattern,)
    if any(scheme(each) is not None for each in (file_path, root, *patterns)):
        return RemoteSelection(file_path, root, pattern, options)
    if options:
        raise XRepoConfigurationError(
            "storage_options belong to a URL, and these files are local",
            asked="storage_options",
            hint='file_path="s3://bucket/a.csv" is a URL',
        )
    return Selection.of(file_path, root, pattern)


class RemoteSelection:
    """Remote files, by fsspec: the same choices as of local ones, and a copy of what is read.

    Nothing is asked of the server before `files`. What a folder or pattern lists outside its root
    is passed over; a name that leaves it is refused.
    """

    def __init__(
        self,
        file_path: Any,
        root: Any,
        pattern: str | Mapping[str, str] | None,
        storage_options: Mapping[str, Any],
    ) -> None:
        if root is not None and scheme(root) is None:
            raise _outside(str(file_path or pattern))
        file = None if file_path is None else str(file_path)
        if file is not None and has_wildcard(file if scheme(file) else f"{scheme(root)}://root/{file}"):
            file, pattern = None, file
        _must_have_no_query(root, pattern)
        self._file = file
        self._root, self._patterns = _patterns(root, pattern)
        self._options = dict(storage_options)
        self._copies = Copies()

    def __str__(self) -> str:
        if self._file is not None:
            return shown(self._file if scheme(self._file) else self._below(self._file))
        if len(self._patterns) == 1:
            return shown(self._below(next(iter(self._patterns.values()))))
        return shown(str(self._root))

    def _below(self, name: str) -> str:
        return f"{self._root}{'' if str(self._root).endswith('/') else '/'}{name}"

    @property
    def name(self) -> str:
        """A name for the whole: of the file, the only pattern, or the folder."""
        if self._file is not None:
            return stem(PurePosixPath(file_name(self._file)))
        if len(self._patterns) == 1:
            return next(iter(self._patterns))
        return file_name(str(self._root))

    def files(self, extensions: Collection[str]) -> Mapping[str, tuple[RemoteFile, ...]]:
        """The files of each collection now; of a folder those with one of the extensions. Blocks.

        Raises `XRepoNotFoundError` for what is not there, `XRepoPermissionError` for what lies
        outside the root, `XRepoConnectionError` when the server cannot be asked or refuses.
        """
        if self._file is not None:
            return {self.name: (self._single(self._file),)}
        folder = self._opened(str(self._root))
        if self._patterns:
            return {label: folder.matching(pattern) for label, pattern in self._patterns.items()}
        found = [file for file in folder.files() if extension(PurePosixPath(file.name)) in extensions]
        return labelled([(PurePosixPath(file.name), file) for file in found])

    def local(self, files: tuple[RemoteFile, ...]) -> tuple[Path, ...]:
        """A copy of each file, fetched when there is none or the file has changed. Blocks."""
        return self._copies.of(self._opened(files[0].url).filesystem, files)

    def size_bytes(self, files: tuple[RemoteFile, ...]) -> int | None:
        """How many bytes they have there; None when the server does not tell."""
        sizes = [file.size for file in files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def close(self) -> None:
        """Removes the copies. Blocks."""
        self._copies.clear()

    def _single(self, file: str) -> RemoteFile:
        if self._root is None:
            return self._opened(file).itself()
        if scheme(file) is not None and scheme(file) != scheme(self._root):
            raise _outside(file_name(file))
        folder = self._opened(self._root)
        return folder.file(self._opened(file).path if scheme(file) else f"{folder.path}/{file}")

    def _opened(self, url: str) -> _Folder:
        return _Folder(url, *attempt(lambda: _open(url, self._options), url))


def _must_have_no_query(*folders: Any) -> None:
    for folder in folders:
        if isinstance(folder, str) and bare(folder) != folder:
            raise XRepoConfigurationError(
                f"the URL of a folder or pattern has no query: {shown(folder)}", asked=shown(folder)
            )


def _patterns(root: str | None, pattern: str | Mapping[str, str] | None) -> tuple[str | None, dict[str, str]]:
    """The folder that patterns begin at, and the patterns by the names of their collections."""
    if isinstance(pattern, str):
        if root is None:
            root, pattern = split_url(pattern)
        pattern = {label_of(file_name(root), pattern): pattern}
    if root is None and pattern:
        raise XRepoConfigurationError(
            "several patterns need the folder that they begin at", hint='root="s3://bucket/folder"'
        )
    return root, dict(pattern or {})


class _Folder:
    """A place of a filesystem: a file, or a folder and what lies below it. Blocks."""

    def __init__(self, url: str, filesystem: Any, path: str) -> None:
        self.url = url
        self.filesystem = filesystem
        self.path = path.rstrip("/")

    def itself(self) -> RemoteFile:
        """The file of this URL."""
        return self._told(self.path)

    def file(self, path: str) -> RemoteFile:
        """The file of that path, which must lie below."""
        if not self._holds(path):
            raise _outside(file_name(path))
        return self._told(path)

    def files(self) -> list[RemoteFile]:
        """The files directly in the folder, hidden ones left out, sorted."""
        listed = attempt(lambda: self.filesystem.ls(self.path, detail=True), self.url)
        if [entry["name"].rstrip("/") for entry in listed] == [self.path]:
            raise XRepoConfigurationError(
                f"{file_name(self.url)!r} is a file, and its name does not tell the format",
                asked=file_name(self.url),
                hint="name the format: ResourceFactory.create('csv', file_path=...)",
            )
        found = self._regular({entry["name"]: entry for entry in listed})
        direct = (f for f in found if "/" not in f.path[len(self.path) + 1 :] and f.name[0] != ".")
        return sorted(direct, key=lambda file: file.path)

    def matching(self, pattern: str) -> tuple[RemoteFile, ...]:
        """The files below that match, sorted."""
        pattern = pattern.removeprefix(f"{self.url.rstrip('/')}/")
        if scheme(pattern) or pattern.startswith("/") or not self._holds(f"{self.path}/{pattern}"):
            raise _outside(pattern)
        whole = f"{self.path}/{pattern}"
        depth = _PAGES if is_web(self.url) and "**" in pattern else None
        listed = attempt(lambda: self.filesystem.glob(whole, maxdepth=depth, detail=True), self.url)
        found = sorted(self._regular(listed), key=lambda file: file.path)
        if not found:
            asked = shown(pattern)
            raise XRepoNotFoundError(f"no file matches {asked!r}", asked=asked, exists=self._names())
        return tuple(found)

    def _regular(self, listed: Mapping[str, Any]) -> Iterator[RemoteFile]:
        for path, info in listed.items():
            if info.get("type") == "file" and self._holds(path) and bare(path) == path:
                known = RemoteFile(path, self.url, info)
                yield known if known.fingerprint else self._told(path)

    def _told(self, path: str) -> RemoteFile:
        try:
            info = attempt(lambda: self.filesystem.info(path), self.url)
        except XRepoNotFoundError:
            raise self._absent(path) from None
        if info.get("type") == "directory":
            raise self._absent(path)
        return RemoteFile(path, self.url, info)

    def _absent(self, path: str) -> XRepoNotFoundError:
        name = file_name(path)
        beside = _Folder(self.url, self.filesystem, path.rpartition("/")[0])
        exists = None if is_web(self.url) else beside._names()
        return XRepoNotFoundError(f"file {name!r} not found", asked=name, exists=exists)

    def _names(self) -> list[str] | None:
        """The names of the files in the folder; None when it cannot be listed."""
        with suppress(XRepoError):
            return [file.name for file in self.files()]
        return None

    def _holds(self, path: str) -> bool:
        inside = path.startswith(f"{self.path}/") and "\0" not in path
        return inside and ".." not in re.split(r"[/\\]", unquote(path[len(self.path) :]))


def _outside(name: str) -> XRepoPermissionError:
    return XRepoPermissionError(
        f"{shown(name)!r} is outside the root of this source",
        asked=shown(name),
        hint="name a file below the root, without '..'",
    )


def _open(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    if is_web(url):
        options = {"client_kwargs": _patience()} | dict(options)
    filesystem, path = url_to_fs(url, **options)
    filesystem.invalidate_cache()
    return filesystem, path


def _patience() -> dict[str, Any]:
    """A large file may take its time; a server that says nothing for long may not."""
    from aiohttp import ClientTimeout

    wait = settings().timeout
    return {"timeout": ClientTimeout(total=None, sock_connect=wait, sock_read=wait)}
