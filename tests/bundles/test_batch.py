"""A batch keeps sweepers out from its first build to its last."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio.from_thread
import pytest

from bundles.adapters.directory import directory
from bundles.adapters.disk_store import DiskStore
from bundles.adapters.key_files import KeyFiles
from bundles.batch import Outcome, State, publish_batch
from bundles.core.errors import Conflict
from bundles.core.listing import Listed
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource
from tests.support.cli import write_build

pytestmark = pytest.mark.anyio


async def test_no_sweep_begins_while_a_batch_runs(tmp_path: Path) -> None:
    keys, store = KeyFiles(tmp_path / "keys"), DiskStore(tmp_path / "store")
    publisher = Publisher(store, keys.signing_key(), keys.trusted_keys(), Cores())
    swept: list[bool] = []

    async def sweep() -> None:
        try:
            async with DiskStore(tmp_path / "store").sweeping():
                swept.append(True)
        except Conflict:
            swept.append(False)

    @contextmanager
    def opened(listed: Listed) -> Iterator[ArtifactSource]:
        anyio.from_thread.run(sweep)
        yield directory(write_build(tmp_path / listed.files, {"menu.json": listed.product}))

    line = '{"product": "@t/%d", "version": "1.0.0", "files": "%d"}'
    lines = ((number, (line % (number, number)).encode()) for number in range(5))
    outcomes: list[Outcome] = []
    await publish_batch(
        publisher, lines, lambda listed: Order(listed.product, listed.version), opened, outcomes.append
    )
    assert [outcome.state for outcome in outcomes] == [State.CREATED] * 5
    assert swept == [False] * 5
    await sweep()
    assert swept[-1]
