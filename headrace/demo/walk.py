"""The demo's steps, each a real command against real processes under live traffic."""

import time
from pathlib import Path
from typing import Any

import anyio
import msgspec

from bundles.core.errors import Failed
from bundles.core.names import Product
from headrace import wiring
from headrace.demo.board import Board
from headrace.demo.parts import run_verb
from headrace.demo.traffic import Traffic
from release.change import Control
from release.core.names import STABLE
from release.rollouts import ChannelAt, read_channel

LOOK_SECONDS = 0.05


class Undone(msgspec.Struct, frozen=True):
    """How long the last answer of a rolled-back build came after the command began and after the flip, in ms."""

    ms_from_command: int
    ms_from_flip: int


class Walk:
    """What a release engineer does in the demo."""

    def __init__(self, data: Path, product: str, control: Control, traffic: Traffic, board: Board) -> None:
        self._data = data
        self.product = product
        self._control = control
        self._traffic = traffic
        self._board = board

    async def verb(self, *arguments: str) -> Any:
        """Run a verb, and show it as it would be typed."""
        self._board.say(f"\n$ headrace {' '.join(arguments)}")
        return await run_verb(self._data, *arguments)

    async def why(self, tenant: str, *options: str) -> None:
        """Ask why a tenant gets what it gets."""
        answer = await self.verb("why", tenant, self.product, *options)
        self._board.say(f"{answer['version']}: {answer['rule']}")

    async def watch(self, version: str) -> dict[str, int]:
        """Watch the controller walk a rollout to its end. How many tenants had the build at each stage's end.

        At the last stage's end each is asked once more.
        """
        reached: dict[str, int] = {}
        state = (await self.channel()).state
        while (rollout := state.rollout) is not None:
            stage = str(rollout.stage)
            self._board.begin(f"{version} at stage {stage}")
            while state.rollout == rollout:
                reached[stage] = self._traffic.builds()[version]
                self._board.note()
                await anyio.sleep(LOOK_SECONDS)
                state = (await self.channel()).state
            if state.rollout is None:
                await self._traffic.sweep()
                reached[stage] = self._traffic.builds()[version]
            self._board.end()
        if state.stable != version:
            raise Failed(f"the rollout of {version} ended without making it the stable build")
        self._board.begin(f"{version} is the stable build")
        return reached

    async def roll_back(self, version: str, to: str) -> Undone:
        """Roll a stable build back under traffic, and watch for its last answer."""
        self._board.begin(f"{version} is rolled back to {to}")
        asked = time.time()
        await self.verb("rollback", self.product, "--reason", "errors on checkout")
        flipped = wiring.snapshot_file(self._data).stat().st_mtime
        await self._traffic.sweep()
        last = self._traffic.last_answered[version]
        self._board.note()
        self._board.end()
        if version in self._traffic.builds():
            raise Failed(f"a tenant still gets {version} after its rollback")
        return Undone(round((last - asked) * 1000), round((last - flipped) * 1000))

    async def channel(self) -> ChannelAt:
        """The channel as it is now."""
        return await read_channel(self._control, Product(self.product), STABLE)
