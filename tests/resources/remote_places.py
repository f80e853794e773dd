"""Where the tests of remote files keep them: fsspec's memory, and a web server on this machine."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit


class Place(Protocol):
    """A folder of remote files."""

    fetched: Counter[str]
    """How often each file was fetched whole."""

    def put(self, name: str, content: str | bytes) -> str:
        """Keeps a file there and gives its URL."""

    def remove(self, name: str) -> None:
        """Takes it away."""

    def url(self, name: str = "") -> str:
        """The URL of a file, or of the folder."""


def as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


class Memory:
    """fsspec's filesystem in this process."""

    def __init__(self) -> None:
        from fsspec.implementations.memory import MemoryFileSystem

        self.fetched: Counter[str] = Counter()
        self._files = MemoryFileSystem()
        self._files.store.clear()
        self._files.pseudo_dirs[:] = [""]

    def put(self, name: str, content: str | bytes) -> str:
        self._files.pipe_file(f"/data/{name}", as_bytes(content))
        return self.url(name)

    def remove(self, name: str) -> None:
        self._files.rm_file(f"/data/{name}")

    def url(self, name: str = "") -> str:
        return f"memory://data/{name}".rstrip("/")


class Web:
    """A server with pages of links for folders, etags, and a few ways of going wrong."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.fetched: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.failing: dict[str, int] = {}
        self.cut: set[str] = set()
        self.password: str | None = None
        self.etags = True
        self.delay = 0.0
        self.endless = False
        self._port = server.server_address[1]

    def put(self, name: str, content: str | bytes) -> str:
        self.files[name] = as_bytes(content)
        return self.url(name)

    def remove(self, name: str) -> None:
        del self.files[name]

    def url(self, name: str = "") -> str:
        return f"http://127.0.0.1:{self._port}/data/{name}".rstrip("/")


@contextmanager
def web() -> Iterator[Web]:
    """A running server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    place = server.place = Web(server)  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield place
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: Any) -> None:
        """No noise."""

    def _answer(self, *, body: bool) -> None:
        place: Web = self.server.place  # type: ignore[attr-defined]
        time.sleep(place.delay)
        name = unquote(urlsplit(self.path).path).removeprefix("/data").strip("/")
        status = place.failing.get(name, 200 if self._is_known(place) else 401)
        content, kind = place.files.get(name), "application/octet-stream"
        if content is None and status == 200:
            content, kind = _page(place, name), "text/html"
        if content is None and status == 200:
            status = 404
        if body and status == 200 and kind != "text/html":
            place.fetched[name] += 1
        self.send_response(status)
        content = content if status == 200 and content is not None else b""
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if place.etags:
            self.send_header("ETag", hashlib.sha256(content).hexdigest())
        self.end_headers()
        if body:
            self.wfile.write(content[: len(content) // 2] if name in place.cut else content)
        if name in place.cut:
            self.close_connection = True

    def _is_known(self, place: Web) -> bool:
        if place.password is None:
            return True
        expected = base64.b64encode(f"ada:{place.password}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"


def _page(place: Web, folder: str) -> bytes | None:
    start = f"{folder}/" if folder else ""
    if place.endless:
        return b'<a href="deeper/">deeper/</a>'
    below = [name.removeprefix(start) for name in place.files if name.startswith(start)]
    if not below:
        return None
    links = dict.fromkeys(name if "/" not in name else name.partition("/")[0] + "/" for name in below)
    out = ["../", "/etc/passwd.csv", "../../up.csv", "%2e%2e/up.csv", "?C=N", "http://other.invalid/x.csv"]
    return "".join(f'<a href="{link}">{link}</a>' for link in [*links, *out]).encode()
