"""A web server for one browser on this machine: a page, some files, and a place for the page's report."""

import json
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

PAGE = "/"
REPORT = "/report"
MAX_REPORT_BYTES = 1024 * 1024


class SiteFile(msgspec.Struct, frozen=True):
    """A file to serve, with its `Content-Type`."""

    file: Path
    content_type: str


class Site:
    """What the server gives, and what it saw. Every other site may read the files, as they may an origin's.

    `page` makes the page for the port that it is served at.
    """

    def __init__(self, page: Callable[[int], str], files: Mapping[str, SiteFile]) -> None:
        self.page = page
        self.files = files
        self.missing: list[str] = []
        """The paths that were asked for and are not there."""
        self.reports: queue.Queue[Any] = queue.Queue()
        """What the page has posted, decoded; None after the server's end."""


@contextmanager
def serve(site: Site) -> Iterator[int]:
    """The port on 127.0.0.1 at which the site is served."""
    handler = type("Handler", (_Handler,), {"site": site})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            site.reports.put(None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a browser that is killed breaks its connections off."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    site: Site
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        found = self.site.files.get(path)
        if path == PAGE:
            self._answer(200, "text/html; charset=utf-8", self.site.page(self.server.server_port).encode())
        elif found is not None:
            self._answer(200, found.content_type, found.file.read_bytes())
        else:
            self.site.missing.append(path)
            self._answer(404, "text/plain", b"")

    def do_POST(self) -> None:
        try:
            size = int(self.headers["content-length"])
            report = json.loads(self.rfile.read(size)) if size <= MAX_REPORT_BYTES else None
        except (TypeError, ValueError):
            report = None
        if self.path != REPORT or report is None:
            self._answer(400, "text/plain", b"")
            return
        self.site.reports.put(report)
        self._answer(204, "text/plain", b"")

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing."""

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("access-control-allow-origin", "*")
        self.send_header("cross-origin-resource-policy", "cross-origin")
        self.send_header("x-content-type-options", "nosniff")
        self.end_headers()
        self.wfile.write(body)
