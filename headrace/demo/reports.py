"""Pages that report: each load of the SDK sends a beacon for the build that it got, some of failures."""

import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

_USUALLY_FAILING = 0.001
_MOST_IN_A_BODY = 50
_PAUSE_SECONDS = 0.1


class Reports:
    """What pages have to report, sent many in a body as a relay would; each page is left as soon as it has loaded.

    `loads` and `failures` count the pages of each version, and `first_failure` is when a failure of it was first
    sent, in seconds since the epoch. `faults` has what the collector did not take.
    """

    def __init__(self, collector: str, product: str) -> None:
        self._collector = collector
        self._product = product
        self._failing: dict[str, float] = {}
        self._waiting: list[dict[str, Any]] = []
        self.loads: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.first_failure: dict[str, float] = {}
        self.faults: list[str] = []

    def break_build(self, version: str, part: float) -> None:
        """From here on, this part of the pages with this version fails."""
        self._failing[version] = part

    def page(self, tenant: str, version: str) -> None:
        """A page of this tenant has loaded this version."""
        fails = random.random() < self._failing.get(version, _USUALLY_FAILING)  # noqa: S311 - no secret
        self.loads[version] += 1
        self.failures[version] += fails
        self._waiting.append(
            {
                "build": f"{self._product}@{version}",
                "tenant": tenant,
                "installation": secrets.token_urlsafe(16),
                "outcome": "errored" if fails else "loaded",
            }
        )

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Within it, what waits is sent."""
        async with httpx.AsyncClient(base_url=self._collector) as client, anyio.create_task_group() as group:
            group.start_soon(self._send_on, client)
            yield
            group.cancel_scope.cancel()

    async def _send_on(self, client: httpx.AsyncClient) -> None:
        while True:
            while self._waiting:
                body, self._waiting = self._waiting[:_MOST_IN_A_BODY], self._waiting[_MOST_IN_A_BODY:]
                await self._send(client, body)
            await anyio.sleep(_PAUSE_SECONDS)

    async def _send(self, client: httpx.AsyncClient, body: list[dict[str, Any]]) -> None:
        now = time.time()
        for beacon in body:
            if beacon["outcome"] == "errored":
                self.first_failure.setdefault(beacon["build"].rpartition("@")[2], now)
        try:
            answer = await client.post("/v1/beacon", json={"beacons": body})
        except httpx.HTTPError as error:
            self.faults.append(f"beacons: {type(error).__name__} {error}")
        else:
            if answer.status_code != httpx.codes.ACCEPTED:
                self.faults.append(f"beacons: {answer.status_code} {answer.text.strip()}")
