"""What goes wrong with remote files, in our words: drivers put URLs and tokens into theirs."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

from xrepo_nb.core.errors import (
    XRepoConfigurationError,
    XRepoConnectionError,
    XRepoError,
    XRepoNotFoundError,
    XRepoTimeoutError,
)
from xrepo_nb.resources.urls import scheme, shown

T = TypeVar("T")

_DRIVERS = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs",
    "abfss": "adlfs", "adl": "adlfs", "http": "aiohttp", "https": "aiohttp", "sftp": "paramiko",
    "ssh": "paramiko", "smb": "smbprotocol", "hf": "huggingface_hub", "oss": "ossfs", "oci": "ocifs",
    "webhdfs": "requests", "hdfs": "pyarrow",
}  # fmt: skip
"""The package that reads each scheme; fsspec itself reads the others."""

_REFUSED = re.compile("(?i)credential|authenticat|unauthorized|accessdenied|forbidden|refresherror")
_UNREACHABLE = re.compile("(?i)connect|disconnect|resolve|dns")


def attempt(work: Callable[[], T], url: str) -> T:
    """What the work gives; raises an `XRepoError` in place of whatever else it raises.

    The driver's own exception is let go: its message may hold the URL with its secrets.
    """
    try:
        return work()
    except XRepoError:
        raise
    except Exception as error:
        failure = translated(error, url)
    raise failure


def translated(error: Exception, url: str) -> XRepoError:
    """The driver's error in our words, without anything of its text."""
    where, chain = shown(url), list(_chain(error))
    if any(isinstance(each, ImportError) for each in chain):
        return _no_driver(url)
    if any(_is_refusal(each) for each in chain):
        return XRepoConnectionError(
            f"access to {where} was refused",
            asked=where,
            hint="pass credentials as storage_options={...}, or check those of the environment",
        )
    if any(isinstance(each, TimeoutError) or "Timeout" in type(each).__name__ for each in chain):
        return XRepoTimeoutError(f"{where} did not answer in time", asked=where, hint="try again")
    if _is_absence(chain):
        return XRepoNotFoundError(f"no file {where}", asked=where)
    if any(isinstance(each, OSError) and each.errno == errno.ENOSPC for each in chain):
        return XRepoConnectionError(
            f"no room on this disk for a copy of {where}",
            asked=where,
            hint="set XREPO_SPILL_DIRECTORY to a folder with more room",
        )
    return _unreadable(chain, where)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(8):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    for name in ("status", "status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int):
            return value
    return None


def _is_refusal(error: BaseException) -> bool:
    by_name = _REFUSED.search(type(error).__name__) is not None
    return by_name or isinstance(error, PermissionError) or _status(error) in (401, 403)


def _is_absence(chain: list[BaseException]) -> bool:
    """Whether the file is not there: said so, and not because the server could not be asked."""
    statuses = [status for status in map(_status, chain) if status is not None]
    if statuses:
        return statuses[0] in (404, 410)
    if any(_is_lost(each) for each in chain):
        return False
    return any(isinstance(each, FileNotFoundError | NotADirectoryError) for each in chain)


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, ConnectionError) or _UNREACHABLE.search(type(error).__name__) is not None


def _unreadable(chain: list[BaseException], where: str) -> XRepoError:
    status = next((found for found in map(_status, chain) if found is not None), None)
    if status is not None:
        return XRepoConnectionError(f"{where} cannot be read: the server answers {status}", asked=where)
    if any(map(_is_lost, chain)):
        return XRepoConnectionError(f"{where} cannot be reached", asked=where)
    if any(isinstance(each, ValueError | TypeError) for each in chain):
        return XRepoConfigurationError(
            f"{where} is no URL that can be read, or its storage_options are wrong",
            asked=where,
            hint="write scheme://host/path, and options as the filesystem's package names them",
        )
    return XRepoConnectionError(f"{where} cannot be read ({type(chain[0]).__name__})", asked=where)


def _no_driver(url: str) -> XRepoConfigurationError:
    name = scheme(url)
    package = _DRIVERS.get(name or "")
    needed = "universal-pathlib" + (f" and {package}" if package else "")
    beside = f" {package}" if package not in (None, "aiohttp") else ""
    line = f"pip install 'xrepo_nb[files]'{beside}"
    return XRepoConfigurationError(f"{name}:// URLs need {needed}", asked=name, hint=line)
