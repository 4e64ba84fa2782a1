"""Makes and stores all variants of a folder, once, in a process of its own; used by `benchmarks.compression`."""

import json
import resource
import sys
import tempfile
from pathlib import Path

import anyio

from bundles.adapters.directory import directory
from bundles.adapters.disk_store import DiskStore
from bundles.cores import Cores
from bundles.variants import store_artifacts


def main() -> None:
    """Print the peak memory of this process, in kB."""
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as store:

        async def run() -> None:
            await store_artifacts(DiskStore(Path(store)), directory(folder), Cores(), lambda _: None)

        anyio.run(run)
    print(json.dumps({"peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
