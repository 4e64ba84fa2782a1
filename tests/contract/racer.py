"""One of several processes that race for changes: `python -m tests.contract.racer DATA DATABASE NUMBER PROCESSES`.

Prints as JSON which revisions its writers won, and how often they lost.
"""

import json
import sys
from pathlib import Path

import anyio

from bundles.core.errors import Conflict
from bundles.core.names import Product
from headrace import wiring
from release.change import Author, Control, Subject
from release.ports import Transaction
from tests.support.changes import change

RACES = 1_000
SDK = Product("sdk")


async def nothing(transaction: Transaction) -> None:
    """To be first is all that counts."""
    del transaction


class Racer:
    """The writers of one process."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self.won: list[int] = []
        self.lost = 0

    async def ask(self, revision: int) -> None:
        """Ask for the change after this revision."""
        try:
            await change(self._control, Subject("race", SDK, "stable"), Author("racer", "", revision), nothing)
        except Conflict:
            self.lost += 1
        else:
            self.won.append(revision)


async def main(data: Path, database: str, number: int, processes: int) -> None:
    """Race in each of the races with this process's part of its 2 to 16 writers."""
    async with wiring.control(data, database) as control:
        racer = Racer(control)
        for race in range(RACES):
            # Another process is first each time.
            mine = sum((writer + race) % processes == number for writer in range(2 + race % 15))
            async with anyio.create_task_group() as group:
                for _ in range(mine):
                    group.start_soon(racer.ask, race)
            while not mine and (await control.ledger.table()).revision == race:
                await anyio.sleep(0.002)
        sys.stdout.write(json.dumps({"won": racer.won, "lost": racer.lost}))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
