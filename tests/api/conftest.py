"""What the admin API works on: a real SQLite database and a real disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.perform import Plane
from api.ports import Access
from api.sources import OpenedSources
from headrace import wiring
from headrace.access_wiring import access_store
from release.change import Control


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def control(data: Path) -> AsyncIterator[Control]:
    """A control plane of nothing yet."""
    async with wiring.control(data) as opened:
        yield opened


@pytest.fixture
async def access(data: Path) -> AsyncIterator[Access]:
    """The access database beside it."""
    async with access_store(data, None) as opened:
        yield opened


@pytest.fixture
def plane(control: Control, access: Access) -> Plane:
    """What operations are performed on."""
    return Plane(control, access, OpenedSources(control))
