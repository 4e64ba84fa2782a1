"""A host as simple as S3 behind an edge: it looks answers up in an export, and works out nothing."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def entries(folder: Path) -> list[dict[str, Any]]:
    """The export's list."""
    listed: list[dict[str, Any]] = json.loads((folder / "export.json").read_bytes())["entries"]
    return listed


class _Handler(BaseHTTPRequestHandler):
    """Answers by the list: of what the client takes, the smallest body."""

    protocol_version = "HTTP/1.1"
    folder: Path
    by_url: dict[str, list[dict[str, Any]]]

    def do_GET(self) -> None:
        taken = {"identity", *self.headers.get("accept-encoding", "").replace(" ", "").split(",")}
        known = [entry for entry in self.by_url.get(self.path, []) if entry["coding"] in taken]
        if not known:
            self.send_error(404)
            return
        entry = min(known, key=lambda known: int(known["headers"]["content-length"]))
        self.send_response_only(entry["status"])
        for name, value in entry["headers"].items():
            self.send_header(name, value)
        self.end_headers()
        if entry["file"] is not None:
            self.wfile.write((self.folder / "tree" / entry["file"]).read_bytes())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing."""


@contextmanager
def static_host(folder: Path) -> Iterator[str]:
    """The URL of a host that serves the export."""
    by_url: dict[str, list[dict[str, Any]]] = {}
    for entry in entries(folder):
        by_url.setdefault(entry["url"], []).append(entry)
    handler = type("Handler", (_Handler,), {"folder": folder, "by_url": by_url})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
