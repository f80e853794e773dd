"""Selection: which files of a file source make up which collection."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypeVar

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoConnectionError, XRepoNotFoundError
from xrepo_nb.resources.paths import Root, extension, is_pattern, stem

F = TypeVar("F")

Files = Mapping[str, tuple[Path, ...]]
"""The files of each collection, by the collection's name."""

Stamp = tuple[tuple[str, int, int, int], ...]
"""What tells files from ones that were changed: path, time, size and inode of each."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a file source was asked for; the files themselves are looked up anew by `files`.

    A file is a collection named by its stem, and so is every file of a folder. A pattern makes
    one collection of all files that match, a mapping of patterns makes several. Where no root is
    given it is the folder of the file, or the part of the pattern before its first wildcard.
    """

    file: Path | None
    root: Path | None
    patterns: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls,
        file_path: str | Path | None = None,
        root: str | Path | None = None,
        pattern: str | Mapping[str, str] | None = None,
    ) -> Selection:
        """The selection that the arguments of a file source describe. Touches no disk."""
        if file_path is not None and is_pattern(file_path) and pattern is None:
            file_path, pattern = None, str(file_path)
        if file_path is None and pattern is None and root is None:
            raise XRepoConfigurationError(
                "a file source needs files", hint="give file_path=, pattern=, or root= for a whole folder"
            )
        if isinstance(pattern, str):
            if root is None:
                root, pattern = split_pattern(pattern)
            pattern = {label_of(root, pattern): pattern}
        folder = Path(root) if root is not None else Path() if pattern else None
        return cls(Path(file_path) if file_path is not None else None, folder, tuple((pattern or {}).items()))

    def __str__(self) -> str:
        if self.file is not None:
            return str(self.file if self.root is None else self.root / self.file)
        if len(self.patterns) == 1:
            return str(Path(self.root or "") / self.patterns[0][1])
        return str(self.root)

    @property
    def name(self) -> str:
        """A name for the whole: of the file, the only pattern, or the folder."""
        if self.file is not None:
            return stem(self.file)
        if len(self.patterns) == 1:
            return self.patterns[0][0]
        return (self.root or Path()).name or "files"

    def files(self, extensions: Collection[str]) -> Files:
        """The files of each collection now; of a folder those with one of the extensions. Blocks.

        Raises `XRepoNotFoundError` for what is not there, `XRepoPermissionError` for what lies
        outside the root.
        """
        if self.file is not None:
            return {stem(self.file): (self._single(self.file),)}
        root = Root.of(self.root or Path())
        if self.patterns:
            return {label: _matching(root, pattern) for label, pattern in self.patterns}
        return labelled([(path, path) for path in root.files() if extension(path) in extensions])

    def local(self, files: tuple[Path, ...]) -> tuple[Path, ...]:
        """The files themselves."""
        return files

    def size_bytes(self, files: tuple[Path, ...]) -> int:
        """How many bytes they have now. Blocks."""
        return sum(size for _, _, size, _ in stamp(files))

    def close(self) -> None:
        """Nothing was kept."""

    def _single(self, file: Path) -> Path:
        if self.root is not None:
            return Root.of(self.root).file(file)
        path = file.expanduser()
        if path.is_symlink():  # the caller chose the link, so its target is what he asked for
            path = path.resolve()
        return Root.of(path.parent).file(path.name)


def stamp(paths: Sequence[Path]) -> Stamp:
    """What the files are now. Blocks."""
    try:
        states = [(path, path.stat()) for path in paths]
    except OSError as error:
        raise XRepoConnectionError(
            "a file went away while it was opened", asked=error.filename, hint="try again"
        ) from error
    return tuple((str(path), state.st_mtime_ns, state.st_size, state.st_ino) for path, state in states)


def labelled(files: Sequence[tuple[PurePath, F]]) -> dict[str, tuple[F, ...]]:
    """Each file, given with its name, as a collection named by its stem, or where that is not enough
    by its whole name."""
    stems = [stem(name) for name, _ in files]
    return {
        label if stems.count(label) == 1 else name.name: (file,)
        for label, (name, file) in zip(stems, files, strict=True)
    }


def _matching(root: Root, pattern: str) -> tuple[Path, ...]:
    found = tuple(root.glob(pattern))
    if not found and (root.folder / pattern).is_file():  # a name that only looks like a pattern
        return (root.file(pattern),)
    if not found:
        names = [path.name for path in root.files()]
        raise XRepoNotFoundError(f"no file matches {pattern!r}", asked=pattern, exists=names)
    return found


def split_pattern(pattern: str | Path) -> tuple[Path, str]:
    """The folder before the first wildcard, and the pattern within it."""
    parts = Path(pattern).parts
    literal = next((i for i, part in enumerate(parts) if is_pattern(part)), len(parts) - 1)
    return Path(*parts[:literal]), str(Path(*parts[literal:]))


def label_of(root: str | Path, pattern: str) -> str:
    """The name of the collection that a pattern below that folder makes.

    >>> label_of("data", "2024-*.csv"), label_of("data", "*.csv")
    ('2024', 'data')
    """
    prefix = re.split(r"[*?\[]", Path(pattern).name)[0].rstrip("-_. ")
    return prefix or Path(root).name or "files"


def one_of(files: Mapping[str, object], asked: str | None) -> str:
    """The name of the collection asked for, or of the only one for None.

    Raises `XRepoNotFoundError` naming what there is.
    """
    if asked is None:
        if len(files) == 1:
            return next(iter(files))
        raise XRepoConfigurationError(
            "this source has several collections" if files else "this source has no collections",
            exists=sorted(files),
            hint="name one, as collection=..." if files else "write into it first, or open another path",
        )
    if asked in files:
        return asked
    raise XRepoNotFoundError(f"collection {asked!r} not found", asked=asked, exists=sorted(files))
