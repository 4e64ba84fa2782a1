"""What `headrace keys` does with keys, and with what they have signed."""

from pathlib import Path

import anyio
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.adapters.key_files import create_key_pair
from bundles.core.envelope import signers
from bundles.core.errors import Refused
from bundles.core.names import Scope
from bundles.core.trust import TrustedKeys, key_id_of
from bundles.dependents import dependents
from bundles.resign import Resigned
from bundles.resign import resign as resign_builds
from headrace import wiring
from release.core.snapshot import PAYLOAD_TYPE as SNAPSHOT
from release.snapshot import resign_snapshot


class KeyView(msgspec.Struct, frozen=True):
    """A trusted key; `signs` is true for the one that signs now. With a scope, it is that tenant's."""

    key_id: str
    signs: bool
    scope: Scope | None


class KeyPair(msgspec.Struct, frozen=True):
    """A key that was made, in two files."""

    key_id: str
    private: str
    public: str


class ResignedView(msgspec.Struct, frozen=True):
    """How many builds got the key's signature, had it already, and are not the key's to vouch for; and whether the
    snapshot got it.
    """

    signed: int
    unchanged: int
    left: int
    snapshot: bool


def view_keys(data: Path) -> list[KeyView]:
    """The keys whose signatures are believed."""
    keys = wiring.keys(data)
    signing = keys.signing_key_id()
    return [KeyView(key.key_id, key.key_id == signing, key.scope) for key in keys.trusted_keys()]


def create_pair(file: Path) -> KeyPair:
    """A new key in this file, and its public half beside it."""
    key_id, public = create_key_pair(file)
    return KeyPair(key_id, str(file), str(public))


def resign_all(data: Path, database: str | None, key: Path | None) -> ResignedView:
    """Builds and the snapshot, with the data folder's key or that in a file."""
    signing_key, trusted = wiring.publishing_keys(data, key)
    resigned, snapshot = anyio.run(_resign, data, database, signing_key, trusted)
    return ResignedView(resigned.signed, resigned.unchanged, resigned.left, snapshot)


async def _resign(
    data: Path, database: str | None, key: Ed25519PrivateKey, trusted: TrustedKeys
) -> tuple[Resigned, bool]:
    async with wiring.store(data) as store:
        resigned = await resign_builds(store, key, trusted)
    is_vendors = trusted.find(key_id_of(key.public_key()), None) is not None
    async with wiring.snapshot_store(data, database) as snapshots:
        return resigned, is_vendors and await resign_snapshot(snapshots, key, trusted)


def distrust_key(data: Path, database: str | None, key_id: str, *, force: bool) -> None:
    """Believe a key no longer. Raises `Refused` where documents depend on it, unless by force."""
    keys = wiring.keys(data)
    keys.check_distrust(key_id)
    dependent = [] if force else anyio.run(_signed_by_it_alone, data, database, key_id)
    if dependent:
        scopes = [key.scope for key in keys.trusted_keys() if key.key_id == key_id and key.scope]
        raise Refused(
            f"{len(dependent)} documents are signed by that key alone, the first is {dependent[0]}:"
            f" they would no longer be served. {_how_to_replace(scopes)}; --force does it all the same"
        )
    keys.distrust(key_id)


def _how_to_replace(scopes: list[Scope]) -> str:
    """How another key's signature is added first: the vendor's, or for these scopes a tenant's."""
    if not scopes:
        return "`headrace keys resign` adds the present key's signature first"
    trusted = ", ".join(f"`headrace keys trust FILE.pub --scope {scope}`" for scope in scopes)
    return (
        f"First the tenant needs a new key and its signature: `headrace keys create FILE`, {trusted},"
        " `headrace keys resign --key FILE`"
    )


async def _signed_by_it_alone(data: Path, database: str | None, key_id: str) -> list[str]:
    """The documents that nobody would believe without the key."""
    trusted = wiring.keys(data).trusted_keys()
    async with wiring.snapshot_store(data, database) as snapshots:
        snapshot = await snapshots.read()
    found = ["the snapshot"] if snapshot and signers(SNAPSHOT, snapshot, trusted) == {key_id} else []
    async with wiring.store(data) as store:
        return found + [f"{product}@{version}" for product, version in await dependents(store, trusted, key_id)]
