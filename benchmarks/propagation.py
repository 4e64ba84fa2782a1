"""How soon a committed change is served everywhere: `python -m benchmarks.propagation [--json]`.

Eight origins on this machine follow one data folder by the kernel's notices, and eight more poll each second.
A tenant's pin is changed a hundred times, and each time the ones or the others are watched: from the moment when
the change is acknowledged to each origin's first answer with the new build. It is asked for each 5 ms, which is in
the figures. The ratio of the two medians is what counts. Then eight origins follow PostgreSQL by its notices.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.serving.peers import free_port
from bundles.core.names import Product
from bundles.core.version import Range
from headrace import wiring
from release.change import Author
from release.core.names import PRODUCTION, Tenant
from release.core.routing import Pin, PinKey
from release.pins import set_pin
from tests.support.postgresql import postgres_server

_ORIGINS = 8
_CHANGES = 100
_WATCHED_EACH = 5  # of the polling ones, each fifth change is enough: they take a second
_ASK_SECONDS = 0.005
_HEADRACE = Path(sys.executable).with_name("headrace")
_PRODUCT, _KEY = Product("sdk"), PinKey(Tenant("acme"), PRODUCTION)
_VERSIONS = ("1.0.0", "1.1.0")
_REQUEST = b"GET /t/acme/sdk.json HTTP/1.1\r\nhost: origin\r\n\r\n"
_POLLING = {"WATCHFILES_FORCE_POLLING": "true", "WATCHFILES_POLL_DELAY_MS": "1000"}


def _headrace(data: Path, *arguments: str) -> None:
    subprocess.run([_HEADRACE, *arguments, "--data", data], check=True, capture_output=True)


def _publish(folder: Path) -> Path:
    data = folder / "data"
    for version in _VERSIONS:
        dist = folder / version
        dist.mkdir()
        (dist / "sdk.js").write_text(f"globalThis.sdk = '{version}';\n")
        _headrace(data, "publish", str(dist), "--product", _PRODUCT, "--version", version)
    return data


def _release(data: Path, database: str) -> None:
    _headrace(data, "rollout", "start", _PRODUCT, _VERSIONS[0], "--stages", "100", "--database", database)
    _headrace(data, "rollout", "promote", _PRODUCT, "--database", database)


@contextmanager
def _origin(data: Path, database: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The URL of an origin on a free port."""
    process = subprocess.Popen(
        [_HEADRACE, "serve", "--port", "0", "--probe-port", "0", "--data", data, "--database", database],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


async def _seen(url: str, version: str) -> float:
    """When an origin first answered with this version."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    wanted = f'"version":"{version}"'.encode()
    try:
        while True:
            writer.write(_REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if wanted in await reader.readexactly(length):
                return time.perf_counter()
            await asyncio.sleep(_ASK_SECONDS)
    finally:
        writer.close()


async def _measure(
    data: Path, database: str, watching: list[str], polling: list[str]
) -> tuple[list[float], list[float]]:
    """Seconds from a change's acknowledgement to each origin's first answer with it."""
    seconds: tuple[list[float], list[float]] = ([], [])
    versions = cycle(reversed(_VERSIONS))
    async with wiring.control(data, database) as control:
        for number in range(_CHANGES):
            version = next(versions)
            side = bool(polling) and number % _WATCHED_EACH == 0
            asking = [asyncio.create_task(_seen(url, version)) for url in (polling if side else watching)]
            await asyncio.sleep(0.05)
            await set_pin(control, _PRODUCT, _KEY, Pin(Range(version), "benchmark", ""), Author("benchmark", ""))
            acknowledged = time.perf_counter()
            # An origin may answer with it a moment before the change is acknowledged.
            seconds[side].extend(max(0.0, seen - acknowledged) for seen in await asyncio.gather(*asking))
    return seconds


def _summary(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50_ms": round(cuts[49] * 1000, 1), "p99_ms": round(cuts[98] * 1000, 1)}


def _sides(data: Path, database: str, polling: int) -> tuple[list[float], list[float]]:
    shutil.rmtree(data / "origin", ignore_errors=True)  # of another database's revisions
    _release(data, database)
    with ExitStack() as stack:
        told = [stack.enter_context(_origin(data, database, {})) for _ in range(_ORIGINS)]
        asking = [stack.enter_context(_origin(data, database, _POLLING)) for _ in range(polling)]
        return asyncio.run(_measure(data, database, told, asking))


def measure() -> dict[str, Any]:
    """The figures of all three."""
    with tempfile.TemporaryDirectory() as folder:
        data = _publish(Path(folder))
        watched, polled = _sides(data, str(data / "control.db"), _ORIGINS)
        with postgres_server(free_port()) as server:
            notified, _ = _sides(data, server.url, 0)
    sides = {"watching": _summary(watched), "polling": _summary(polled), "notified": _summary(notified)}
    ratio = statistics.median(polled) / statistics.median(watched)
    return {"origins": _ORIGINS, "changes": _CHANGES, **sides, "ratio": round(ratio, 1)}


def main() -> None:
    """Print the ratio, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure()
    if options.json:
        print(json.dumps(result, indent=2))
        return
    for side in ("watching", "polling", "notified"):
        print(f"{side}: p50 {result[side]['p50_ms']} ms, p99 {result[side]['p99_ms']} ms")
    print(f"ratio {result['ratio']} (target: p99 of watching at most 100 ms)")


if __name__ == "__main__":
    main()
