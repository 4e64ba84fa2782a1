"""Beacons as pages send them, and what was counted of them."""

import json
import secrets
import time
from pathlib import Path
from typing import Any

import anyio
import httpx

from beacons.core.beacon import Outcome
from bundles.core.names import Product
from bundles.core.version import Version
from headrace.health_wiring import health_store
from release.core.counts import Counts, Slot, slot_of
from release.core.names import PRODUCTION
from tests.support.processes import PATIENCE_SECONDS, CollectorProcess

PATH = "/v1/beacon"
TEXT = "text/plain;charset=UTF-8"
_DAY_OF_SLOTS = 8_640


def sent(**fields: Any) -> dict[str, Any]:
    """One beacon; of a new installation, unless it is named."""
    plain = {"build": "sdk@1.2.3", "tenant": "acme", "outcome": Outcome.LOADED}
    return {**plain, "installation": secrets.token_urlsafe(16), **fields}


def body(*beacons: Any) -> bytes:
    """What a page posts."""
    return json.dumps({"beacons": beacons}).encode()


def post(process: CollectorProcess, *beacons: Any, **headers: str) -> httpx.Response:
    """The answer to these beacons in one body."""
    return httpx.post(process.url + PATH, content=body(*beacons), headers={"content-type": TEXT, **headers})


def counted(data: Path, version: str = "1.2.3", database: str | None = None) -> dict[str, Counts]:
    """What each tenant's installations of the build have come to, by now."""

    async def read() -> dict[str, Counts]:
        async with health_store(data, database) as opened:
            now = slot_of(time.time())
            slots = await opened.health.slots(
                Product("sdk"), PRODUCTION, {Version(version)}, Slot(now - _DAY_OF_SLOTS), Slot(now + 2)
            )
        found: dict[str, Counts] = {}
        for builds in slots.values():
            for tenant, counts in builds[Version(version)].items():
                found[tenant] = _sum(found.get(tenant, Counts()), counts)
        return found

    return anyio.run(read)


def wait_until_written(process: CollectorProcess, count: float) -> None:
    """Until so many installations are in the database."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.count("written_total") < count:
        assert time.monotonic() < deadline, process.log
        time.sleep(0.05)


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(
        one.units + other.units,
        one.errored + other.errored,
        one.render_dropped + other.render_dropped,
        one.integrity_failed + other.integrity_failed,
    )
