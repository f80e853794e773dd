"""Paths: names and patterns become files, and none leaves its root."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConnectionError,
    XRepoNotFoundError,
    XRepoPermissionError,
)

COMPRESSED = (".gz", ".zst")


def is_pattern(text: str | PurePath) -> bool:
    """Whether the text holds a wildcard."""
    return glob.has_magic(str(text))


def must_say(what: str, given: object) -> None:
    """Refuses an empty text where a file, folder or pattern is named: as a path it is the current folder.

    >>> must_say("root", ".")
    """
    if isinstance(given, str) and not given.strip():
        raise XRepoConfigurationError(
            f"{what} is empty",
            asked=given,
            hint="write the name of a file or folder; '.' is the current folder",
        )


def stem(path: PurePath) -> str:
    """The name of a file without its format and compression: `flights.csv.gz` is `flights`."""
    return path.with_suffix("").stem if path.suffix in COMPRESSED else path.stem


def extension(path: PurePath) -> str:
    """The suffix that tells the format, in lower case: `.csv` of `flights.csv.gz`."""
    return (PurePath(path.stem) if path.suffix in COMPRESSED else path).suffix.lower()


@dataclass(frozen=True, slots=True)
class Root:
    """A folder whose files may be read, and nothing outside it.

    Links are followed as long as they stay inside. What lies outside is refused with the same
    error whether it exists or not. All methods block.
    """

    folder: Path

    @classmethod
    def of(cls, folder: str | Path) -> Root:
        """The root at that folder, which the caller is trusted to choose; `~` is the home."""
        resolved = Path(folder).expanduser().resolve()
        if resolved.is_file():
            raise XRepoConfigurationError(
                f"{resolved.name!r} is a file, and its name does not tell the format",
                asked=resolved.name,
                hint="name the format: ResourceFactory.create('csv', file_path=...)",
            )
        if resolved.exists() and not resolved.is_dir():
            raise XRepoConfigurationError(
                f"{resolved.name!r} is no ordinary file",
                asked=resolved.name,
                hint="copy it to one",
            )
        if not resolved.is_dir():
            raise XRepoNotFoundError(
                f"no file or folder {resolved.name!r}", asked=resolved.name, exists=_names(resolved.parent)
            )
        return cls(resolved)

    def file(self, name: str | PurePath) -> Path:
        """The regular file of that name below the root.

        Raises `XRepoPermissionError` outside the root, `XRepoNotFoundError` for no such file.
        """
        path = self._inside(name)
        if not path.is_file():
            raise XRepoNotFoundError(
                f"file {path.name!r} not found", asked=path.name, exists=_names(path.parent)
            )
        return path

    def glob(self, pattern: str) -> list[Path]:
        """The regular files that match, sorted; links that lead outside are left out."""
        if PurePath(pattern).is_absolute() or ".." in PurePath(pattern).parts:
            raise self._outside(pattern)
        return sorted(self._regular(self.folder.glob(pattern)))

    def files(self) -> list[Path]:
        """The regular files directly in the root, hidden ones left out, sorted."""
        found = self._regular(_listing(self.folder))
        return sorted(path for path in found if not path.name.startswith("."))

    def _regular(self, paths: Iterable[Path]) -> Iterator[Path]:
        inside: dict[Path, bool] = {}
        for path in paths:
            if path.is_file():
                place = path if path.is_symlink() else path.parent  # a file that is no link is where that is
                if place not in inside:
                    inside[place] = self._holds(place)
                if inside[place]:
                    yield path

    def _holds(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self.folder)
        except (OSError, RuntimeError):  # a loop of links
            return False

    def _inside(self, name: str | PurePath) -> Path:
        path = self.folder / name
        if "\0" in str(name) or ".." in PurePath(name).parts or not self._holds(path):
            raise self._outside(name)
        return path

    def _outside(self, name: str | PurePath) -> XRepoPermissionError:
        return XRepoPermissionError(
            f"{str(name)!r} is outside the root of this source",
            asked=str(name),
            hint="name a file below the root, without '..' and without links that leave it",
        )


def _listing(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except PermissionError as error:
        raise XRepoConnectionError(f"folder {folder.name!r} cannot be read", asked=folder.name) from error


def _names(folder: Path) -> list[str]:
    paths = _listing(folder) if folder.is_dir() else []
    return sorted(path.name for path in paths if not path.name.startswith("."))
