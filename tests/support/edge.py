"""A CDN's edge in front of an origin, on a socket of its own, which may change what it passes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

Headers = dict[str, str]
Change = Callable[[Headers], None]

_PASSED = ("accept-encoding", "available-dictionary")


@contextmanager
def edge(origin: str, secret: str | None, change: Change = lambda _: None) -> Iterator[str]:
    """The URL of an edge that shows its secret to the origin, and changes the headers of each answer."""
    shown = {} if secret is None else {"x-edge-secret": secret}

    class Handler(BaseHTTPRequestHandler):
        """Asks the origin each time: what it would keep is not what is tested."""

        def do_GET(self) -> None:
            asked = {name: self.headers.get(name, "") for name in _PASSED}
            with httpx.stream("GET", origin + self.path, headers={**asked, **shown}) as answer:
                body = b"".join(answer.iter_raw())
                headers = dict(answer.headers)
            change(headers)
            self.send_response_only(answer.status_code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
