"""AWS Lambda's Runtime API on this machine, and behind it the real client that runs a handler, in its own process.

The API is that of https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, as far as that client uses it.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE_SECONDS = 60
_API = "/2018-06-01/runtime"


class Outcome(NamedTuple):
    """What the function came to: what it returned, or the error that it ended with."""

    value: Any
    is_error: bool


class _Api(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.outcomes: queue.Queue[Outcome] = queue.Queue()


class _Call(BaseHTTPRequestHandler):
    server: _Api
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The next event, once there is one."""
        assert self.path == f"{_API}/invocation/next", self.path
        event = self.server.events.get()
        if event is None:  # the sandbox is gone
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            "Lambda-Runtime-Deadline-Ms": "32503680000000",
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:beacons",
            "Content-Type": "application/json",
        }
        self._answer(200, headers, event)

    def do_POST(self) -> None:
        """What came of an event, or of the start."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"null")
        self.server.outcomes.put(Outcome(body, self.path.endswith("/error")))
        self._answer(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Sandbox:
    """One sandbox: the function keeps what it has between two events."""

    def __init__(self, api: _Api, log: Path) -> None:
        self._api = api
        self._log = log

    def outcome(self, event: Mapping[str, Any]) -> Outcome:
        """What the function comes to with this event."""
        self._api.events.put(json.dumps(event).encode())
        return self._api.outcomes.get(timeout=PATIENCE_SECONDS)

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """What the function returns; it must not fail."""
        outcome = self.outcome(event)
        assert not outcome.is_error, (outcome.value, self.log)
        return outcome.value

    @property
    def log(self) -> str:
        """What the function has written."""
        return self._log.read_text()


@contextmanager
def sandbox(folder: Path, handler: str, **environment: str) -> Iterator[Sandbox]:
    """A function with this handler and environment; killed at the end, as a sandbox is."""
    log = folder / "function.log"
    api = _Api()
    serving = threading.Thread(target=api.serve_forever)
    serving.start()
    plain = {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "beacons",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "PATH": os.environ["PATH"],
    }
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            env={**plain, **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
        )
    try:
        yield Sandbox(api, log)
    finally:
        process.kill()
        process.wait()
        api.events.put(None)
        api.shutdown()
        serving.join()
        api.server_close()
