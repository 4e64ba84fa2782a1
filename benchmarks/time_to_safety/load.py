"""Pages that load the SDK and report how it went, as a process of their own.

Each page asks the origin itself, for no cache is between, and reports on the build that the redirect names: a
failure at once, and that it has loaded after ten seconds or when the page is left, as `beacons/client/beacon.js`
does. Beacons go to the collector up to 50 in a body, as from a relay. A line of stdin begins a round; each line of
stdout is what has been seen in it so far. It ends with its stdin.
"""

import argparse
import asyncio
import heapq
import random
import re
import secrets
import sys
import time
from collections import deque
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

_CONNECTIONS = 128
_RELAYS = 4
_MOST_IN_A_BODY = 50
_MOST_UNSENT = 20_000
_TICK_SECONDS = 0.002
_GATHER_SECONDS = 0.01  # how long a relay waits for more beacons
_MOST_BEHIND_SECONDS = 0.1  # what a slow machine is behind with is not made up for
_TELL_SECONDS = 0.2
_LOADED_AFTER_SECONDS = 10.0
_MEAN_STAY_SECONDS = 30.0
_TYPE = "content-type: text/plain"
_LOCATION = re.compile(rb"\r\nlocation: /[^@]+@([^/]+)/", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: ([0-9]+)", re.IGNORECASE)


Place = tuple[str, int]
"""A host and a port."""


class Round(msgspec.Struct, frozen=True):
    """What pages come to from here on: this part of the candidate's fails, and of all others the usual part."""

    candidate: str
    failing: float
    usual: float = 0.001


class Seen(msgspec.Struct):
    """What has been seen in a round. Times are seconds since the epoch, null where there was none yet.

    `loads` are all answers, `bad` those that named the candidate, and `broken` those of them whose page failed.
    `refused` are beacons that the collector did not take, `faults` answers that named no build.
    """

    candidate: str
    began: float
    seconds: float = 0.0
    loads: int = 0
    bad: int = 0
    broken: int = 0
    first_bad_beacon: float | None = None
    last_bad_answer: float | None = None
    refused: int = 0
    faults: int = 0


class Beacon(msgspec.Struct, frozen=True):
    """A report as it is sent; `is_bad` where it tells of the candidate's failure."""

    text: str
    is_bad: bool


class Pages:
    """All pages: who asks next, what becomes of it, and what is to be reported when."""

    def __init__(self, product: str, path: str, tenants: int) -> None:
        self._product = product
        self._path = path
        self.tenants: Iterator[str] = cycle([f"tenant-{number:05}" for number in range(tenants)])
        self.begin(Round(candidate="", failing=0.0))
        self.unsent: deque[Beacon] = deque()
        self._staying: list[tuple[float, int, Beacon]] = []
        self._count = 0

    def begin(self, begun: Round) -> None:
        """Begin a round."""
        self._round = begun
        self.seen = Seen(begun.candidate, time.time())

    def request(self, tenant: str) -> bytes:
        """What a tenant's page asks for."""
        return f"GET /t/{tenant}/{self._product}/{self._path} HTTP/1.1\r\nhost: origin\r\n\r\n".encode()

    def answered(self, tenant: str, head: bytes) -> None:
        """The page loads the build that this answer names, and it fails or does not."""
        seen, now = self.seen, time.time()
        seen.loads += 1
        location = _LOCATION.search(head)
        if location is None:
            seen.faults += 1
            return
        version = location[1].decode()
        is_candidate = version == self._round.candidate
        fails = random.random() < (self._round.failing if is_candidate else self._round.usual)
        if is_candidate:
            seen.bad += 1
            seen.broken += fails
            seen.last_bad_answer = now
        installation = secrets.token_urlsafe(16)
        outcome = "errored" if fails else "loaded"
        text = (
            f'{{"build":"{self._product}@{version}","tenant":"{tenant}",'
            f'"installation":"{installation}","outcome":"{outcome}"}}'
        )
        if fails:
            self._report(Beacon(text, is_candidate))
            return
        stays = min(_LOADED_AFTER_SECONDS, random.expovariate(1 / _MEAN_STAY_SECONDS))
        self._count += 1
        heapq.heappush(self._staying, (now + stays, self._count, Beacon(text, is_bad=False)))

    def report_due(self) -> None:
        """Report on the pages that have loaded and are left by now."""
        now = time.time()
        while self._staying and self._staying[0][0] <= now:
            self._report(heapq.heappop(self._staying)[2])

    def _report(self, beacon: Beacon) -> None:
        if len(self.unsent) < _MOST_UNSENT:
            self.unsent.append(beacon)
        else:
            self.seen.refused += 1


class Asking(asyncio.Protocol):
    """A connection to the origin, on which one page after another asks."""

    def __init__(self, pages: Pages, free: "deque[Asking]") -> None:
        self._pages = pages
        self._free = free
        self._answer = b""
        self._tenant = ""

    def connection_made(self, transport: Any) -> None:
        """It is free at once."""
        self._transport = transport
        self._free.append(self)

    def ask(self) -> None:
        """The next page asks."""
        self._tenant = next(self._pages.tenants)
        self._transport.write(self._pages.request(self._tenant))

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and length is not None and len(body) >= int(length[1]):
            self._answer = b""
            self._pages.answered(self._tenant, head)
            self._free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """The origin has ended it, which it never does under this load."""
        self._pages.seen.faults += 1


async def ask_all(pages: Pages, origin: Place, rate: int) -> None:
    """Have so many pages a second ask, as far as the origin's answers allow."""
    free: deque[Asking] = deque()
    loop = asyncio.get_running_loop()
    for _ in range(_CONNECTIONS):
        await loop.create_connection(lambda: Asking(pages, free), *origin)
    behind, last = 0.0, time.monotonic()
    while True:
        now = time.monotonic()
        behind = min(behind + (now - last) * rate, rate * _MOST_BEHIND_SECONDS)
        last = now
        while behind >= 1 and free:
            free.popleft().ask()
            behind -= 1
        pages.report_due()
        await asyncio.sleep(_TICK_SECONDS)


async def relay(pages: Pages, collector: Place) -> None:
    """Post what pages report, for ever; what is not taken is lost, as a page does not send again."""
    reader, writer = await asyncio.open_connection(*collector)
    while True:
        await asyncio.sleep(_GATHER_SECONDS)
        while pages.unsent:
            batch = [pages.unsent.popleft() for _ in range(min(_MOST_IN_A_BODY, len(pages.unsent)))]
            body = '{"beacons":[' + ",".join(beacon.text for beacon in batch) + "]}"
            head = (
                f"POST /v1/beacon HTTP/1.1\r\nhost: c\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}"
            )
            if pages.seen.first_bad_beacon is None and any(beacon.is_bad for beacon in batch):
                pages.seen.first_bad_beacon = time.time()
            writer.write(f"{head}\r\n\r\n{body}".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(answer)
            await reader.readexactly(0 if length is None else int(length[1]))
            if not answer.startswith(b"HTTP/1.1 202"):
                pages.seen.refused += len(batch)


async def tell(pages: Pages) -> None:
    """Write what was seen, for ever."""
    while True:
        await asyncio.sleep(_TELL_SECONDS)
        pages.seen.seconds = time.time() - pages.seen.began
        sys.stdout.buffer.write(msgspec.json.encode(pages.seen) + b"\n")
        sys.stdout.buffer.flush()


async def run(origin: str, collector: str, pages: Pages, rate: int) -> None:
    """Load, report and tell, until stdin ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as group:
        going = [group.create_task(ask_all(pages, _place(origin), rate)), group.create_task(tell(pages))]
        going += [group.create_task(relay(pages, _place(collector))) for _ in range(_RELAYS)]
        async for line in reader:
            pages.begin(msgspec.json.decode(line, type=Round))
        for task in going:
            task.cancel()


def _place(url: str) -> Place:
    where = urlsplit(url)
    return str(where.hostname), int(where.port or 80)


def main() -> None:
    """Read the command line, and load."""
    parser = argparse.ArgumentParser(prog="benchmarks.time_to_safety.load", description=__doc__)
    for name in ("origin", "collector", "product", "path"):
        parser.add_argument(name)
    parser.add_argument("--tenants", type=int, required=True)
    parser.add_argument("--rate", type=int, required=True)
    options = parser.parse_args()
    pages = Pages(options.product, options.path, options.tenants)
    uvloop.run(run(options.origin, options.collector, pages, options.rate))


if __name__ == "__main__":
    main()
