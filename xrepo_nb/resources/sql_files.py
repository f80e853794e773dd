"""The file behind a SQL source: finding it, and knowing it again."""

from __future__ import annotations

from pathlib import Path

from xrepo_nb.core.errors import XRepoConnectionError
from xrepo_nb.resources.paths import Root

Mark = tuple[int, int]
"""What tells a file from one that has taken its place."""


def mark_of(path: Path) -> Mark | None:
    """The mark of the file at the path, None when there is none. Blocking."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def must_be_the_file(path: Path, mark: Mark | None) -> None:
    """Raises `XRepoConnectionError` when another file, or none, stands where the one opened was.

    An open connection would go on reading what is deleted. Blocking.
    """
    found = mark_of(path)
    if mark is not None and found != mark:
        became = "deleted or moved" if found is None else "replaced by another file"
        raise XRepoConnectionError(
            f"{path.name} was {became} since it was opened", asked=path.name, hint="open it again"
        )


def database_file(file_path: str | Path, root: str | Path | None) -> Path:
    """The existing file, resolved; refused when links or `..` lead out of `root`."""
    if root is not None:
        return Root.of(root).file(file_path)
    path = Path(file_path).expanduser().resolve()
    return Root.of(path.parent).file(path.name)
