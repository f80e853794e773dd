"""URLs of files: what they name, and what of them may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote

SCHEMES = frozenset(
    {
        "abfs", "abfss", "adl", "az", "dbfs", "ftp", "gcs", "gs", "hdfs", "hf", "http", "https", "memory",
        "oci", "oss", "s3", "s3a", "sftp", "smb", "ssh", "webhdfs",
    }
)  # fmt: skip
"""Schemes of URLs that name files; those of fsspec's other filesystems are opened by `file_path=`."""

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_LOCAL = ("file", "local")
_WEB = ("http", "https")
_NAME = 200
"""Letters of a name that a copy has at most: file systems take 255 bytes."""


class Location(NamedTuple):
    """Where a file lies, and what its filesystem needs to open it."""

    target: Any
    storage_options: Mapping[str, Any]


def located(target: Any) -> Location:
    """A `UPath` as its URL or local path with its options; anything else as it is.

    >>> located("data/a.csv")
    Location(target='data/a.csv', storage_options={})
    """
    options = getattr(target, "storage_options", None)
    if options is None or not hasattr(target, "protocol"):
        return Location(target, {})
    if target.protocol in ("", *_LOCAL):
        return Location(Path(target.path), {})
    return Location(str(target), options)


def scheme(target: Any) -> str | None:
    """The scheme of a URL in lower case; None of what is none, and of a local file's URL.

    >>> scheme("S3://bucket/a.csv"), scheme("a.csv"), scheme("file:///a.csv")
    ('s3', None, None)
    """
    found = URL.match(target) if isinstance(target, str) else None
    name = found[1].lower() if found else None
    return None if name in _LOCAL else name


def is_web(url: str) -> bool:
    """Whether the URL is one of the web, where a `?` begins the query."""
    return scheme(url) in _WEB


def bare(url: str) -> str:
    """The URL without its query and fragment, where it may have such.

    >>> bare("https://host/a.csv?sig=x"), bare("s3://bucket/what?.csv")
    ('https://host/a.csv', 's3://bucket/what?.csv')
    """
    return re.split(r"[?#]", url, maxsplit=1)[0] if is_web(url) else url


def below(url: str) -> PurePosixPath:
    """The path after the URL's host or bucket."""
    return PurePosixPath(bare(url).partition("://")[2].partition("/")[2])


def has_wildcard(url: str) -> bool:
    """Whether the URL's path is a pattern.

    >>> has_wildcard("https://[::1]/a.csv?x=*"), has_wildcard("s3://bucket/*.csv")
    (False, True)
    """
    return re.search(r"[*\[]" if is_web(url) else r"[*?\[]", str(below(url))) is not None


def split_url(url: str) -> tuple[str, str]:
    """The folder before the first wildcard, and the pattern within it.

    >>> split_url("s3://bucket/2024/*/a.csv")
    ('s3://bucket/2024', '*/a.csv')
    """
    head, _, rest = bare(url).partition("://")
    host, *parts = rest.split("/")
    literal = next((i for i, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts) - 1)
    return f"{head}://{'/'.join([host, *parts[:literal]])}", "/".join(parts[literal:])


def file_name(path: str) -> str:
    """The name of a file for people and for its copy on this machine: no secret, no separator.

    >>> file_name("https://host/my%20flights.csv?sig=x"), file_name("s3://bucket/..")
    ('my flights.csv', 'file')
    """
    parts = _parts(path)
    if parts is None or ("@" in parts.rest and ":" in parts.host + parts.path):
        return "file"
    last = (parts.host + parts.path).rstrip("/").rpartition("/")[2]
    if ":" in parts.host + parts.path:  # perhaps the end of a password
        last = last.rpartition("@")[2]
    name = re.sub(r"[\0-\x1f/\\:]", "_", unquote(last))[-_NAME:]
    return "file" if name.strip(". ") == "" else name


def shown(url: str) -> str:
    """The URL as it may be shown: without user and query. It need not be valid; of one that may hold
    a secret anywhere only the file's name is told.

    >>> shown("https://ada:pass@host/a.csv?sig=x"), shown("https://ada:p@ss/w:rd@host/a.csv")
    ('https://***@host/a.csv?***', 'https://***/a.csv')
    """
    parts = _parts(url)
    if parts is None or "@" in parts.path + parts.rest:
        return f"{url.partition('://')[0]}://***/{file_name(url)}" if "://" in url else file_name(url)
    user = "" if parts.user is None else "***@"
    return parts.start + user + parts.host + parts.path + ("?***" if parts.rest else "")


class _Parts(NamedTuple):
    start: str
    user: str | None
    host: str
    path: str
    rest: str


_AUTHORITY = re.compile(
    r"(?:(?P<user>[^/?#]*)@)?(?P<host>(?:\[[^]/?#@]*\]|[^:/?#@]*)(?::\d+)?)(?P<path>/[^?#]*|)(?P<rest>[?#].*|)",
    re.DOTALL,
)


def _parts(text: str) -> _Parts | None:
    """The parts of a URL, or of a path that is none; None for a URL that is not well formed."""
    start, mark, after = text.partition("://")
    if not mark:
        path = text.partition("?")[0]
        return _Parts("", None, "", path, text[len(path) :])
    found = _AUTHORITY.fullmatch(after)
    return None if found is None else _Parts(start + mark, *found.group("user", "host", "path", "rest"))
