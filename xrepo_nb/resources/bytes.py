"""Bytes: the text of a file in blocks of whole lines, decompressed and in UTF-8."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from xrepo_nb.core.errors import XRepoConfigurationError, XRepoValidationError
from xrepo_nb.core.progress import progress

BLOCK = 1 << 23
"""Bytes read in one go."""
_LONGEST = 1 << 28
"""Bytes that one line may have."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UTF8 = ("utf-8", "utf-8-sig")
_FOREIGN = {
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "an SQLite database",
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF document",
}


def line_blocks(path: Path, encoding: str = "utf-8") -> Iterator[bytes]:
    """The file's lines in blocks of about 8 MB, each ending with a line end but for the last.

    A byte-order mark is taken away. In UTF-8 bytes pass unchecked; text in another encoding is
    converted. Raises `XRepoValidationError` for broken compression or text of another encoding.
    """
    rest: list[bytes] = []
    for block in _converted(path, encoding):
        cut = block.rfind(b"\n") + 1
        if not cut:
            rest.append(block)
            if len(rest) * BLOCK > _LONGEST:
                raise _endless(path)
            continue
        yield b"".join([*rest, block[:cut]])
        rest = [block[cut:]] if cut < len(block) else []
    if rest:
        yield b"".join(rest)


def _endless(path: Path) -> XRepoValidationError:
    return XRepoValidationError(
        f"file {path.name!r} has a line of more than {_LONGEST >> 20} MB",
        asked=path.name,
        hint="an array of documents is JSON, not NDJSON: open it as 'json'",
    )


def whole_text(path: Path, encoding: str = "utf-8") -> bytes:
    """All of the file's text at once, in UTF-8, else as `line_blocks` gives it."""
    return b"".join(_converted(path, encoding))


def is_plain(path: Path, encoding: str = "utf-8") -> bool:
    """Whether the file's text is UTF-8 without a byte-order mark, so that it can be scanned as it is."""
    return _codec(encoding) in _UTF8 and not next(_raw(path), b"").startswith(codecs.BOM_UTF8)


def _converted(path: Path, encoding: str) -> Iterator[bytes]:
    blocks = _raw(path)
    if _codec(encoding) in _UTF8:
        yield from _without_mark(blocks)
        return
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    for block in blocks:
        text = _decoded(decoder, block, path, encoding, line)
        line += text.count("\n")
        yield text.encode()
    _decoded(decoder, b"", path, encoding, line, final=True)


def _decoded(decoder: Any, block: bytes, path: Path, encoding: str, line: int, final: bool = False) -> str:
    try:
        text: str = decoder.decode(block, final)
    except UnicodeDecodeError as error:
        line += block.count(b"\n", 0, error.start)
        raise XRepoValidationError(
            f"file {path.name!r} is not text in {encoding}, near line {line}: {error.reason}",
            asked=encoding,
            hint="name its real encoding, as encoding='utf-8' or 'cp1252'",
        ) from error
    return text


def _codec(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise XRepoConfigurationError(f"unknown encoding {encoding!r}", asked=encoding) from error


def _without_mark(blocks: Iterator[bytes]) -> Iterator[bytes]:
    first = True
    for block in blocks:
        yield block.removeprefix(codecs.BOM_UTF8) if first else block
        first = False


def _raw(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file, progress(f"reading {path.name}", path.stat().st_size) as step:
            opened, done = _decompressed(file, path), 0
            while block := opened.read(BLOCK):
                step(file.tell() - done)
                done = file.tell()
                yield block
    except PermissionError:
        raise
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError) as error:
        message = f"file {path.name!r} is cut off or damaged: {error}"
        raise XRepoValidationError(message, asked=path.name) from error


def _decompressed(file: IO[bytes], path: Path) -> Any:
    head = file.read(16)
    file.seek(0)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise XRepoValidationError(
                f"file {path.name!r} is {what}, not text", asked=path.name, hint="open it by its own format"
            )
    if head.startswith(_GZIP):
        return gzip.open(file)
    if head.startswith(_ZSTD):
        import pyarrow as pa

        return pa.CompressedInputStream(file, "zstd")
    return file
