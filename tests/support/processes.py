"""Long-running processes under test: the origin and the controller."""

import json
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.cli import HEADRACE, environment

PATIENCE_SECONDS = 30


class Process:
    """A process that logs JSON lines on stderr."""

    def __init__(self, data: Path, *arguments: str, command: Sequence[str] = (str(HEADRACE),)) -> None:
        self._process = subprocess.Popen(
            [*command, *arguments],
            env=environment(data),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next log line of this event."""
        while True:
            record = self._events.get(timeout=PATIENCE_SECONDS)
            assert record is not None, f"ended before {event!r}: {self.log}"
            if record["event"] == event:
                return record

    def peak_kb(self) -> int:
        """The most memory that it has had until now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])

    def open_files(self) -> int:
        """How many files and connections it has open."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Ask it to stop, and wait until it has. Returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        assert self._process.stderr is not None
        self._process.stderr.close()
        return code

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            # A worker that can't start says so in the command line's one plain line.
            record = json.loads(line) if line.startswith("{") else {"event": line.strip()}
            self.log.append(record)
            self._events.put(record)
        self._events.put(None)


class Origin(Process):
    """An origin on free ports."""

    def __init__(self, data: Path, *arguments: str, command: Sequence[str] = (str(HEADRACE),)) -> None:
        super().__init__(data, "serve", "--port", "0", "--probe-port", "0", *arguments, command=command)
        listening = self.wait_for("origin listening")
        self.url = f"http://{listening['address']}"
        self.probes = f"http://{listening['probes']}"

    def count(self, sample: str) -> float:
        """The value of a sample in /metrics, as in `headrace_origin_bodies_total{result="hit"}`; 0 without one."""
        return _count(self.probes, sample)


class CollectorProcess(Process):
    """A collector of beacons on free ports."""

    def __init__(self, data: Path, *arguments: str) -> None:
        super().__init__(data, "collect", "--port", "0", "--probe-port", "0", *arguments)
        listening = self.wait_for("collector listening")
        self.url = f"http://{listening['host']}:{listening['port']}"
        self.probes = f"http://{listening['host']}:{listening['probe_port']}"

    def count(self, name: str) -> float:
        """A number of `headrace_beacons_…` in /metrics, as in `written_total`; 0 without one."""
        return _count(self.probes, f"headrace_beacons_{name}")


class ApiProcess(Process):
    """An admin API on free ports."""

    def __init__(self, data: Path, *arguments: str, command: Sequence[str] = (str(HEADRACE),)) -> None:
        super().__init__(data, "api", "--port", "0", "--probe-port", "0", *arguments, command=command)
        listening = self.wait_for("api listening")
        self.url = f"http://{listening['address']}"
        self.probes = f"http://{listening['probes']}"


@contextmanager
def api(data: Path, *arguments: str, command: Sequence[str] = (str(HEADRACE),)) -> Iterator[ApiProcess]:
    """An admin API on this data folder; it must stop cleanly at the end."""
    process = ApiProcess(data, *arguments, command=command)
    try:
        yield process
    finally:
        code = process.stop()
    assert code == 0


@contextmanager
def origin(data: Path, *arguments: str) -> Iterator[Origin]:
    """An origin that serves this data folder; it must stop cleanly at the end."""
    process = Origin(data, *arguments)
    try:
        yield process
    finally:
        code = process.stop()
    assert code == 0


@contextmanager
def collector(data: Path, *arguments: str) -> Iterator[CollectorProcess]:
    """A collector that counts in this data folder; it must stop cleanly at the end."""
    process = CollectorProcess(data, *arguments)
    try:
        yield process
    finally:
        code = process.stop()
    assert code == 0


@contextmanager
def controller(data: Path, *arguments: str) -> Iterator[Process]:
    """A controller on this data folder; it must stop cleanly at the end."""
    process = Process(data, "controller", "--interval", "0.1", *arguments)
    try:
        process.wait_for("controller running")
        yield process
    finally:
        code = process.stop()
    assert code == 0


def _count(probes: str, sample: str) -> float:
    lines = httpx.get(f"{probes}/metrics").text.splitlines()
    values = [line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == sample]
    return float(values[0]) if values else 0.0
