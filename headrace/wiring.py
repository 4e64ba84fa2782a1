"""Joins the use cases to their real parts, below one data folder.

keys/       the signing key, the trusted public keys, and the builders whose attestations are believed
store/      builds: blobs and manifests, unless HEADRACE_STORE names a place in S3
control.db  the control plane's ledger (SQLite), unless another database is named
health.db   what SDKs have reported (SQLite), unless another database is named (see health_wiring)
access.db   who asks the admin API (SQLite), unless the control database is PostgreSQL (see access_wiring)
snapshots/  the routing table as a sealed root and its shards, for origins to follow, unless in PostgreSQL
origin/     the origin's own copies, of its last snapshot and of builds, and its reload socket (see origin_wiring)
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import TypeGuard

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.adapters.builder_files import BuilderFiles
from bundles.adapters.disk_store import DiskStore
from bundles.adapters.key_files import KeyFiles, load_private_key, read_private
from bundles.attestations import Builders
from bundles.core.errors import Failed, Invalid
from bundles.core.trust import KeyRing, TrustedKey, TrustedKeys
from bundles.ports import Store
from release.adapters.backup_file import BackupFile
from release.adapters.disk_snapshots import FILE_NAME, DiskSnapshots
from release.adapters.file_leadership import FileLeadership
from release.adapters.system_clock import SystemClock
from release.change import Control
from release.core.routing import RoutingTable
from release.ports import Leadership, Ledger, SnapshotStore
from release.snapshot import read_table, refuse_strangers, refuse_to_begin_anew

STORE_VARIABLE = "HEADRACE_STORE"
BACKUP_VARIABLE = "HEADRACE_BACKUP_SECRET"
_MEANT_AS_URL = re.compile(r"^postgres(ql)?:|^[^/]*:[^/]*@|\b(host|user|password|dbname|service)\s*=")


def keys(data: Path) -> KeyFiles:
    """The data folder's keys."""
    return KeyFiles(data / "keys")


def publishing_keys(data: Path, key_file: Path | None) -> tuple[Ed25519PrivateKey, TrustedKeys]:
    """The key to publish with, the data folder's own unless another is named, and the keys to believe.

    Where the folder has no keys, as in a tenant's pipeline, a named key is the only one that is believed.
    """
    folder = keys(data)
    if key_file is None:
        return folder.signing_key(), folder.trusted_keys()
    key, trusted = load_private_key(key_file), folder.trusted_keys()
    return key, trusted if any(trusted) else KeyRing(TrustedKey(key.public_key()))


def builder_files(data: Path) -> BuilderFiles:
    """The builders whose attestations are believed."""
    return BuilderFiles(data / "keys" / "builders")


def builders(data: Path) -> Builders:
    """The same, with what verifies their signatures."""
    from bundles.adapters.sigstore_certificates import SigstoreCertificates  # X.509 is slow to load

    files = builder_files(data)
    certificates = SigstoreCertificates(data / "keys" / "builders" / "trusted_root.json")
    return Builders(files.trusted_keys(), files.identities(), certificates)


@asynccontextmanager
async def store(data: Path) -> AsyncIterator[Store]:
    """The builds: in the place in S3 that HEADRACE_STORE names, else in the data folder."""
    place = os.environ.get(STORE_VARIABLE)
    if not place:
        yield DiskStore(data / "store")
        return
    from bundles.adapters.s3_bucket import parse_s3_location  # aiobotocore is slow to load
    from bundles.adapters.s3_store import S3Store

    async with S3Store.open(parse_s3_location(place)) as opened:
        yield opened


@asynccontextmanager
async def snapshot_store(data: Path, database: str | None) -> AsyncIterator[SnapshotStore]:
    """Where the control plane puts snapshots: in PostgreSQL, where the control database is that, else in files.

    Who only reads them may have no right to anything else in the database.
    """
    if not is_postgresql(database):
        yield snapshots(data)
        return
    from release.adapters.postgresql_database import open_for_snapshots  # SQLAlchemy is slow to load
    from release.adapters.postgresql_snapshots import PostgresqlSnapshots

    async with open_for_snapshots(database) as opened:
        yield PostgresqlSnapshots(opened)


async def routing_table(data: Path, database: str | None, trusted: TrustedKeys) -> RoutingTable | None:
    """The table that origins serve by; None before the first. Raises `Failed` for a damaged snapshot."""
    async with snapshot_store(data, database) as opened:
        return await read_table(opened, trusted)


def check_database(database: str | None) -> None:
    """Raise `Invalid` for a URL that no control database can have, before anything is begun."""
    if is_postgresql(database):
        from bundles.adapters.postgresql import database_name

        database_name(database)


def is_postgresql(database: str | None, owner: str = "control database") -> TypeGuard[str]:
    """Whether the owner's database is PostgreSQL. Raises `Invalid` for a URL of anything else, and for what was
    meant as one: as a file's name it would begin an empty database, with the password in its name.
    """
    scheme, is_url, _ = (database or "").partition("://")
    if not is_url and _MEANT_AS_URL.search(database or ""):
        raise Invalid(
            f"the {owner}'s name looks like a URL or parameters of PostgreSQL's (it is not shown, since it may"
            " hold a password): write postgresql://USER@HOST:PORT/NAME"
        )
    if is_url and scheme not in ("postgresql", "postgres"):
        raise Invalid(f"{scheme!r} is no kind of {owner}: name postgresql://… or a SQLite file")
    return bool(is_url)


def snapshots(data: Path) -> DiskSnapshots:
    """The data folder's snapshots."""
    return DiskSnapshots(data / "snapshots")


def snapshot_file(data: Path) -> Path:
    """The data folder's sealed root, for origins to follow."""
    return data / "snapshots" / FILE_NAME


def trusted_keys(data: Path) -> TrustedKeys:
    """The public keys, for who only reads. Raises `Failed` where there are none."""
    trusted = keys(data).trusted_keys()
    if not any(trusted):
        raise Failed(f"{data} has no public keys: publish a build there first, or name another folder with --data")
    return trusted


@asynccontextmanager
async def ledger(data: Path, database: str | None) -> AsyncIterator[Ledger]:
    """The control plane's state, in PostgreSQL or a SQLite file; without a name, in the data folder's own file.

    Raises `Invalid` for a URL of anything else.
    """
    from release.adapters.sql_ledger import SqlLedger  # SQLAlchemy is slow to load, and few verbs need it

    async with AsyncExitStack() as stack:
        if is_postgresql(database):
            from release.adapters.postgresql_database import open_postgresql

            opened = await stack.enter_async_context(open_postgresql(database))
        else:
            from release.adapters.sql_schema import CONTROL
            from release.adapters.sqlite_database import open_sqlite

            file = Path(database or data / "control.db")
            opened = await stack.enter_async_context(open_sqlite(file, CONTROL))
        yield SqlLedger(opened)


def has_ledger(data: Path, database: str | None) -> bool:
    """False where to open the control plane's state would begin an empty one."""
    return is_postgresql(database) or Path(database or data / "control.db").exists()


def backup_file(path: Path, secret_file: Path | None) -> BackupFile:
    """A backup in this file, sealed by what the secret's file holds, or else by HEADRACE_BACKUP_SECRET."""
    if secret_file is not None:
        secret = read_private(secret_file, "the backup's secret").removesuffix(b"\n")
    else:
        secret = os.environ.get(BACKUP_VARIABLE, "").encode()
    if not secret:
        raise Invalid(f"a backup is sealed by a secret: name its --secret-file, or set {BACKUP_VARIABLE}")
    return BackupFile(path, secret)


@asynccontextmanager
async def control(data: Path, database: str | None = None) -> AsyncIterator[Control]:
    """The control plane on its ledger, its snapshots and the builds."""
    async with (
        ledger(data, database) as opened,
        snapshot_store(data, database) as written,
        store(data) as builds,
    ):
        if is_postgresql(database):
            await refuse_strangers(written, keys(data).trusted_keys())
            await refuse_to_begin_anew(opened, snapshots(data), keys(data).trusted_keys())
        yield Control(
            ledger=opened,
            snapshots=written,
            builds=builds,
            clock=SystemClock(),
            signing_key=keys(data).signing_key(),
            trusted=keys(data).trusted_keys(),
        )


@asynccontextmanager
async def leadership(data: Path, database: str | None) -> AsyncIterator[Leadership]:
    """Which of the controllers on one control database leads; given up at the end."""
    if is_postgresql(database):
        from release.adapters.postgresql_leadership import PostgresqlLeadership

        async with PostgresqlLeadership.open(database) as opened:
            yield opened
        return
    file = Path(database or data / "control.db")
    with closing(FileLeadership(file.with_name(f"{file.name}-leader"))) as held:
        yield held
