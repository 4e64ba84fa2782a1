"""Live traffic: tenants that ask the origin all the time, and an eye on each answer."""

import base64
import hashlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import cycle

import anyio
import httpx

from headrace.demo.reports import Reports

_CLIENTS = 8
_FOLLOW_EACH = 50
_LOCATION = re.compile(r"/(?P<product>.+)@(?P<version>[^@/]+)/(?P<path>.+)")


class Traffic:
    """What a number of tenants were last answered, and whether any request failed.

    `integrity` has each version's expected SRI value of the entry file: of each fiftieth answer, the file behind
    the redirect is fetched, decoded and checked. `reports` is told of each page that has loaded.
    """

    def __init__(
        self,
        origin: str,
        product: str,
        entry: str,
        tenants: int,
        integrity: Mapping[str, str],
        reports: Reports,
    ) -> None:
        self._origin = origin
        self._path = f"{product}/{entry}"
        self._integrity = integrity
        self._reports = reports
        self.tenants = [f"tenant-{number:04}" for number in range(tenants)]
        self._queue = cycle(self.tenants)
        self.answers: dict[str, str] = {}
        self.last_answered: dict[str, float] = {}
        self.asked = 0
        self.faults: list[str] = []

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Within it, the tenants ask in turn, without a pause."""
        limits = httpx.Limits(max_connections=_CLIENTS, max_keepalive_connections=_CLIENTS)
        async with (
            httpx.AsyncClient(base_url=self._origin, limits=limits) as client,
            anyio.create_task_group() as group,
        ):
            for _ in range(_CLIENTS):
                group.start_soon(self._ask_on, client)
            yield
            group.cancel_scope.cancel()

    async def sweep(self) -> None:
        """Wait until every tenant has been answered a question that was put after this call."""
        target = self.asked + len(self.tenants) + _CLIENTS
        while self.asked < target:  # noqa: ASYNC110 - an event would cost each request more than this costs
            await anyio.sleep(0.02)

    def builds(self) -> Counter[str]:
        """How many tenants were last answered each version."""
        return Counter(self.answers.values())

    async def _ask_on(self, client: httpx.AsyncClient) -> None:
        for tenant in self._queue:
            try:
                await self._ask(client, tenant)
            except httpx.HTTPError as error:
                self.faults.append(f"{tenant}: {type(error).__name__} {error}")
            self.asked += 1

    async def _ask(self, client: httpx.AsyncClient, tenant: str) -> None:
        response = await client.get(f"/t/{tenant}/{self._path}")
        match = _LOCATION.fullmatch(response.headers.get("location", ""))
        if response.status_code != httpx.codes.FOUND or match is None:
            self.faults.append(f"{tenant}: {response.status_code} {response.text.strip()}")
            return
        version = match["version"]
        self.answers[tenant] = version
        self.last_answered[version] = time.time()
        self._reports.page(tenant, version)
        if self.asked % _FOLLOW_EACH == 0:
            await self._follow(client, match[0], version)

    async def _follow(self, client: httpx.AsyncClient, location: str, version: str) -> None:
        file = await client.get(location)
        found = "sha384-" + base64.b64encode(hashlib.sha384(file.content).digest()).decode()
        if file.status_code != httpx.codes.OK or found != self._integrity[version]:
            self.faults.append(f"{location}: {file.status_code}, integrity {found}")
