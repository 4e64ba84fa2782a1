"""Joins the origin to its real parts, below one data folder: the snapshots it follows, and its own copies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from headrace import wiring
from origin.ports import Feed, Shards
from release.adapters.disk_snapshots import DiskSnapshots
from release.core.snapshot import MAX_SEALED_BYTES


@asynccontextmanager
async def snapshot_feed(data: Path, database: str | None) -> AsyncIterator[tuple[Feed, Shards]]:
    """What origins follow: a root, and where its shards are, be it in PostgreSQL or in files."""
    if not wiring.is_postgresql(database):
        from origin.adapters.followed_file import FollowedFile

        yield FollowedFile(wiring.snapshot_file(data), MAX_SEALED_BYTES), wiring.snapshots(data)
        return
    from origin.adapters.postgresql_feed import PostgresqlFeed

    feed = PostgresqlFeed(database, MAX_SEALED_BYTES)
    try:
        yield feed, feed
    finally:
        await feed.close()


def kept_snapshot(data: Path) -> DiskSnapshots:
    """The origin's own copy."""
    return DiskSnapshots(data / "origin")


def copies_folder(data: Path) -> Path:
    """The origin's own copies of manifests and bodies."""
    return data / "origin" / "copies"


def reload_socket(data: Path, host: str, port: int) -> Path:
    """Where the origin that listens there is asked to renew its workers."""
    return data / "origin" / f"{host}:{port}.sock"
