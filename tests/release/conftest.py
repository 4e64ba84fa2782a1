"""A control plane on a real SQLite database and a real disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bundles.adapters.directory import directory
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.publish import publish
from headrace import wiring
from release.change import Control
from tests.support.cli import write_build

SDK = Product("sdk")
BUILDS = (Version("1.0.0"), Version("1.1.0"), Version("1.2.0"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def control(data: Path, tmp_path: Path) -> AsyncIterator[Control]:
    """A control plane with three published builds."""
    async with wiring.control(data) as opened:
        for version in BUILDS:
            source = directory(write_build(tmp_path / version, {"sdk.js": f"// {version}"}))
            key = wiring.keys(data).signing_key()
            async with wiring.store(data) as store:
                publisher = Publisher(store, key, opened.trusted, Cores())
                await publish(publisher, Order(SDK, version), source, lambda _: None)
        yield opened


class Clock:
    """A clock that stands still."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now


def at(control: Control, now: int) -> Control:
    """The same control plane, at this time."""
    return msgspec.structs.replace(control, clock=Clock(now))
