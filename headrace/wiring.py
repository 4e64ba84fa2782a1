"""Joins the use cases to their real parts, below one data folder.

keys/       the signing key and the trusted public keys
store/      builds: blobs and manifests
control.db  the control plane's ledger (SQLite)
snapshots/  the sealed routing table, for origins to follow
origin/     the origin's own copy of the last snapshot it verified
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bundles.adapters.disk_store import DiskStore
from bundles.adapters.key_files import KeyFiles
from bundles.core.envelope import TrustedKeys
from bundles.core.errors import Failed
from release.adapters.disk_snapshots import FILE_NAME, DiskSnapshots
from release.adapters.system_clock import SystemClock
from release.change import Control


def keys(data: Path) -> KeyFiles:
    """The data folder's keys."""
    return KeyFiles(data / "keys")


def store(data: Path) -> DiskStore:
    """The data folder's builds."""
    return DiskStore(data / "store")


def snapshots(data: Path) -> DiskSnapshots:
    """Where the control plane puts snapshots."""
    return DiskSnapshots(data / "snapshots")


def snapshot_file(data: Path) -> Path:
    """The snapshot that origins follow."""
    return data / "snapshots" / FILE_NAME


def kept_snapshot_file(data: Path) -> Path:
    """The origin's own copy."""
    return data / "origin" / FILE_NAME


def trusted_keys(data: Path) -> TrustedKeys:
    """The public keys, for who only reads. Raises `Failed` where there are none."""
    trusted = keys(data).trusted_keys()
    if not trusted:
        raise Failed(f"{data} has no public keys: publish a build there first, or name another folder with --data")
    return trusted


@asynccontextmanager
async def control(data: Path) -> AsyncIterator[Control]:
    """The control plane on SQLite and local disk."""
    from release.adapters.sql_ledger import SqlLedger  # SQLAlchemy is slow to load, and few verbs need it

    signing_key = keys(data).signing_key()
    async with SqlLedger.open(data / "control.db") as ledger:
        yield Control(
            ledger=ledger,
            snapshots=snapshots(data),
            builds=store(data),
            clock=SystemClock(),
            signing_key=signing_key,
            trusted=keys(data).trusted_keys(),
        )
