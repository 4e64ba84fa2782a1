"""A real Chromium, without a driver: the page that it opens does the work and reports what it saw."""

import contextlib
import functools
import http.server
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 120
_REPORT = "await fetch('/report', {method: 'POST', body: JSON.stringify(report)});"

# As most users have it: what another site's server gives is kept, which headless mode would not do.
_PREFERENCES = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, page: str, reports: "queue.Queue[Any]", *rest: Any) -> None:
        self._page = page
        self._reports = reports
        super().__init__(*rest)

    def do_GET(self) -> None:
        self._answer(self._page.encode())

    def do_POST(self) -> None:
        self._reports.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self._answer(b"")

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def _page_server(page: str, reports: "queue.Queue[Any]") -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, page, reports))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run_in_browser(script: str, folder: Path) -> Any:
    """What `report` is at the end of the script: the body of an async function in a page on this machine.

    `folder` is where the browser keeps its profile; it must not be there yet.
    """
    chromium = shutil.which("chromium")
    assert chromium is not None, "there is no chromium: `make system-packages` installs it"
    reports: queue.Queue[Any] = queue.Queue()
    task = f"(async () => {{ {script} return report; }})().catch(fault => ({{fault: String(fault)}}))"
    page = f"<!doctype html><script type=module>const report = await {task}; {_REPORT}</script>"
    (folder / "Default").mkdir(parents=True)
    (folder / "Default" / "Preferences").write_text(json.dumps(_PREFERENCES))
    with _page_server(page, reports) as url:
        # Without its sandbox, which needs rights that a container has not: it opens pages of the test alone.
        process = subprocess.Popen(
            [
                chromium,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                f"--user-data-dir={folder}",
                url,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return reports.get(timeout=PATIENCE_SECONDS)
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
