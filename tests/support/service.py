"""A small service on a loopback port, and what it may answer."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Service:
    """A service that answers as it is told, and remembers what it was asked. While it runs it has a `url`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """The service's URL, while it runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.asked.append((self.path, headers, body))
            with suppress(OSError):  # who asked has gone
                service.answer(self)

        def do_GET(self) -> None:
            service.asked.append((self.path, {}, b""))
            service.answer(self)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            service.url = f"http://127.0.0.1:{server.server_port}"
            yield service.url
        finally:
            server.shutdown()
            thread.join()


def say(status: int, body: bytes, **headers: str) -> Answer:
    """One answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then until who asked has gone: no single read takes long."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        time.sleep(0.1)
        handler.wfile.write(b" ")


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Nothing, until who asked has gone."""
    handler.connection.recv(1)


def flood(handler: BaseHTTPRequestHandler) -> None:
    """100 MB, unless who asked has gone before."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1_600):
        handler.wfile.write(b"[" * 65_536)
