"""Listens on a port of this machine for the one answer that a browser brings (RFC 8252, section 7.3)."""

import hmac
import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

from api.core.command_line import ANSWER_PATH
from api.core.shown import CONTENT_TYPE, HEADERS, Shown, to_html

_SECONDS_FOR_A_REQUEST = 10
_SECONDS_BETWEEN_LOOKS = 0.05
_TAKEN = Shown("Back to the command line", ("It goes on there. You can close this window.",))
_OTHER = Shown("This is no answer", ("A command line waits here for a login, and this is not the answer to it.",))


class Listener(socketserver.ThreadingTCPServer):
    """Waits on 127.0.0.1, on a port that the system chooses.

    Each connection has a thread of its own: browsers open some that they send nothing on. What does not have the
    `state` is answered, and waited on: any page can have a browser ask here.
    """

    daemon_threads = True

    def __init__(self, state: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self.answers: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()

    @property
    def port(self) -> int:
        """The port."""
        return int(self.server_address[1])

    def wait(self, seconds: float) -> dict[str, str]:
        """What the browser brings. Raises `TimeoutError`."""
        try:
            return self.answers.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None

    def handle_error(self, *_: object) -> None:
        """A connection that breaks is the browser's own business."""


@contextmanager
def listening(state: str) -> Iterator[Listener]:
    """A listener for the answer that has this state."""
    with Listener(state) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(_SECONDS_BETWEEN_LOOKS,), daemon=True)
        thread.start()
        try:
            yield listener
        finally:
            listener.shutdown()


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    timeout = _SECONDS_FOR_A_REQUEST

    def do_GET(self) -> None:
        """Take the answer, if it is one."""
        url = urlsplit(self.path)
        brought = dict(parse_qsl(url.query))
        is_known = hmac.compare_digest(brought.get("state", "").encode(), self.server.state.encode())
        if url.path != ANSWER_PATH or not is_known:
            self._show(HTTPStatus.NOT_FOUND, _OTHER)
            return
        try:
            self._show(HTTPStatus.OK, _TAKEN)
        finally:
            self.server.answers.put(brought)

    def _show(self, status: HTTPStatus, shown: Shown) -> None:
        body = to_html(shown)
        self.send_response(status)
        for name, value in {**HEADERS, "content-type": CONTENT_TYPE, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """What it says of itself."""
        return "headrace"

    def log_message(self, *_: object) -> None:
        """Nothing: what is asked for has a secret in it."""
