"""Makes and stores all variants of a folder, once, in a process of its own; used by `benchmarks.compression`."""

import json
import re
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
    # Not getrusage: its high-water mark is handed on from the parent through exec.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(json.dumps({"peak_kb": int(peak[1]) if peak else None}))
