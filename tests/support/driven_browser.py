"""A real Chromium that a test leads through pages, by the DevTools protocol on a pipe."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from release.adapters.chromium import find_chromium

_PATIENCE_SECONDS = 60
_SECONDS_BETWEEN_LOOKS = 0.05
# What is on descriptors 3 and 4 is the protocol, each message ended by NUL.
_START = 'exec "$0" "$@" 3<&"$IN" 4>&"$OUT"'  # sh has no descriptors above 9
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # a provider's page may want fonts
    "--ignore-certificate-errors",  # the test's own authority
    "--disable-background-networking",
    "--remote-debugging-pipe",
)


class DrivenBrowser:
    """One tab."""

    def __init__(self, to_browser: IO[bytes], from_browser: IO[bytes]) -> None:
        self._to = to_browser
        self._from = from_browser
        self._sent = 0
        self._session: str | None = None
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def visit(self, url: str) -> None:
        """Go there."""
        self._ask("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """What a script in the page evaluates to, as a person's act; None where it fails."""
        asked = {"expression": script, "returnByValue": True, "userGesture": True}
        return self._ask("Runtime.evaluate", **asked).get("result", {}).get("value")

    def wait_for(self, condition: str) -> Any:
        """What this expression is, once it is true of a page that has loaded."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not (found := self.run(f"document.readyState == 'complete' && ({condition})")):
            assert time.monotonic() < until, (condition, self.run("document.documentElement.outerHTML"))
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return found

    def cookies(self) -> set[str]:
        """The names of all cookies that the browser keeps."""
        return {each["name"] for each in self._ask("Storage.getCookies")["cookies"]}

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        if self._session is not None and not method.startswith("Storage."):
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            answer = json.loads(self._next())
            if answer.get("id") == self._sent:
                result: dict[str, Any] = answer.get("result", {})
                return result

    def _next(self) -> bytes:
        said = b""
        while not said.endswith(b"\0"):
            byte = self._from.read(1)
            assert byte, "the browser has ended"
            said += byte
        return said[:-1]


@contextmanager
def driven_browser() -> Iterator[DrivenBrowser]:
    """A browser with a profile of its own."""
    commands, answers = os.pipe(), os.pipe()
    ours = os.fdopen(commands[1], "wb"), os.fdopen(answers[0], "rb")
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder,
        ours[0] as to_browser,
        ours[1] as from_browser,
        subprocess.Popen(
            ["bash", "-c", _START, find_chromium().program, *_FLAGS, f"--user-data-dir={folder}"],
            env={**os.environ, "IN": str(commands[0]), "OUT": str(answers[1])},
            pass_fds=(commands[0], answers[1]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        os.close(commands[0])
        os.close(answers[1])
        try:
            yield DrivenBrowser(to_browser, from_browser)
        finally:
            process.kill()
