"""One of several collectors that count at once: `python -m tests.contract.reporter DATA DATABASE SEED BATCHES`.

Prints a line for each batch that was counted: how many of its beacons were new.
"""

import random
import sys
from pathlib import Path

import anyio

from beacons.core.beacon import Beacon, FirstError, Outcome
from bundles.core.names import Product
from bundles.core.version import Version
from headrace.health_wiring import health_store
from release.core.counts import Slot
from release.core.names import PRODUCTION, Tenant

SDK, BUILD, OTHER_BUILD = Product("sdk"), Version("1.0.0"), Version("1.1.0")
SLOT = Slot(170_000_000)
INSTALLATIONS = 500
BATCH = 40


def report(number: int) -> Beacon:
    """The one report of an installation, of a tenant and with an error of its own kind."""
    version = BUILD if number % 2 else OTHER_BUILD
    installation = number.to_bytes(16)
    error = FirstError("Error", str(number), ())
    return Beacon(SDK, version, Tenant(f"t{number % 7}"), PRODUCTION, installation, Outcome.ERRORED, error)


async def main(data: Path, database: str, seed: int, batches: int) -> None:
    """Count batches of installations that others count too, each in an order and a slot of its own."""
    chance = random.Random(seed)
    async with health_store(data, database) as store:
        for _ in range(batches):
            beacons = [report(number) for number in chance.sample(range(INSTALLATIONS), BATCH)]
            new = await store.counting.add(beacons, Slot(SLOT + chance.randrange(12)))
            sys.stdout.write(f"{new}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
