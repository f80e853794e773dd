"""XSettings: what can be set from the environment or a `.env` file, in one place."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from xrepo_nb.core.errors import XRepoConfigurationError


class XSettings(BaseSettings):
    """Settings of the process, read from `XREPO_*` variables and `.env` when made.

    >>> XSettings(progress=False).progress
    False
    """

    model_config = SettingsConfigDict(env_prefix="XREPO_", env_file=".env", extra="ignore", frozen=True)

    database: SecretStr | None = Field(None, description="Connection string of the default database.")
    redis_url: SecretStr | None = Field(None, description="Where the redis cache backend connects.")
    cache_backend: Literal["memory", "redis"] = Field("memory", description="Backend where none is named.")
    cache_entries: int = Field(256, ge=1, description="Results that a repo's cache keeps at most.")
    audit_entries: int = Field(100_000, ge=1, description="Audit entries that a repo keeps in memory.")
    progress: bool = Field(True, description="Whether work longer than half a second shows a bar.")
    full_traceback: bool = Field(False, description="Whether errors in IPython show our frames as well.")
    timeout: float = Field(60.0, gt=0, description="Seconds after which a source's answer is given up.")
    memory_limit: str = Field("4GB", description="What DuckDB may use before it spills to disk.")
    spill_directory: Path | None = Field(
        None, description="Where DuckDB spills and copies of remote files lie; temporary folders if unset."
    )
    query_timeout: float = Field(300.0, gt=0, description="Seconds that one query may compute.")
    threads: int | None = Field(None, ge=1, description="Threads of DuckDB; all cores if unset.")

    @field_validator("memory_limit")
    @classmethod
    def _is_a_size(cls, text: str) -> str:
        size_of(text)
        return text


def size_of(text: str) -> int:
    """The bytes that a size like `4GB` or `512MiB` names.

    Raises `XRepoConfigurationError` for a text that names none.

    >>> size_of("4GB"), size_of("0.5 KiB"), size_of("100")
    (4000000000, 512, 100)
    """
    found = _SIZE.fullmatch(text.strip().upper())
    if found is None:
        raise XRepoConfigurationError(f"{text!r} is no size", asked=text, hint="write 4GB, or 512MiB")
    factor = 1024 if found["binary"] else 1000
    return int(float(found["number"]) * factor ** _UNITS.index(found["unit"]))


_UNITS = ("", "K", "M", "G", "T")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>[KMGT]?)(?P<binary>I?)B?")


@lru_cache(maxsize=1)
def settings() -> XSettings:
    """The process's settings, read at import; after `settings.cache_clear()` the next call reads anew."""
    return XSettings()


settings()  # now, because it reads files: the first to ask may be a coroutine
