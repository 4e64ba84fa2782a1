"""`headrace keys …`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from bundles.adapters.key_files import create_key_pair
from bundles.core.envelope import signers
from bundles.core.errors import Refused
from bundles.core.names import Scope, parse_scope
from bundles.core.trust import TrustedKeys, key_id_of
from bundles.dependents import dependents
from bundles.resign import Resigned
from bundles.resign import resign as resign_builds
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, SigningKey, SnapshotDatabase, example
from headrace.terminal import show
from release.core.snapshot import PAYLOAD_TYPE as SNAPSHOT
from release.snapshot import resign_snapshot

app = typer.Typer(help="The keys that sign builds and snapshots.", no_args_is_help=True, add_completion=False)


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


@app.command("list", epilog=example("headrace keys list"))
def list_(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """List the keys whose signatures are believed."""
    _show_keys(data, as_json)


@app.command(epilog=example("headrace keys create acme.pem", "headrace keys trust acme.pem.pub --scope @acme"))
def create(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes, in PEM.")],
    as_json: AsJson = False,
) -> None:
    """Make a key to publish with elsewhere: FILE stays where it signs, FILE.pub is for the vendor to trust."""
    key_id, public = create_key_pair(file)
    pair = KeyPair(key_id, str(file), str(public))
    show(
        pair,
        as_json,
        lambda console: console.print(f"{key_id}  private: {file}  public: {public}"),
    )


@app.command(epilog=example("headrace keys rotate"))
def rotate(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Sign with a new key from now on; what the old one signed stays valid until it is distrusted."""
    wiring.keys(data).rotate()
    _show_keys(data, as_json)


@app.command(epilog=example("headrace keys rotate", "headrace keys resign", "headrace keys distrust 5f0c…"))
def resign(
    key: SigningKey = None,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Add the present key's signature to what the owner's earlier keys signed, to distrust those then."""
    signing_key, trusted = wiring.publishing_keys(data, key)
    resigned, snapshot = anyio.run(_resign, data, database, signing_key, trusted)
    view = ResignedView(resigned.signed, resigned.unchanged, resigned.left, snapshot)
    show(view, as_json, lambda console: _draw_resigned(console, view))


async def _resign(
    data: Path, database: str | None, key: Ed25519PrivateKey, trusted: TrustedKeys
) -> tuple[Resigned, bool]:
    async with wiring.store(data) as store:
        resigned = await resign_builds(store, key, trusted)
    is_vendors = trusted.find(key_id_of(key.public_key()), None) is not None
    async with wiring.snapshot_store(data, database) as snapshots:
        return resigned, is_vendors and await resign_snapshot(snapshots, key, trusted)


def _draw_resigned(console: Console, view: ResignedView) -> None:
    console.print(
        f"builds: {view.signed} signed, {view.unchanged} had the signature, {view.left} left;"
        f" snapshot: {'signed' if view.snapshot else 'unchanged'}"
    )


@app.command(epilog=example("headrace keys trust publisher.pem", "headrace keys trust acme.pem.pub --scope @acme"))
def trust(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A public Ed25519 key in PEM.")],
    scope: Annotated[
        str | None, typer.Option("--scope", metavar="@TENANT", help="For builds of this tenant's products alone.")
    ] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Believe the signatures of another public key, as an origin does for its publisher's."""
    wiring.keys(data).trust(file, None if scope is None else parse_scope(scope))
    _show_keys(data, as_json)


@app.command(epilog=example("headrace keys distrust 5f0c…"))
def distrust(
    key_id: Annotated[str, typer.Argument(metavar="KEYID", help="As `headrace keys list` shows it.")],
    force: Annotated[
        bool, typer.Option("--force", help="Even if builds or the snapshot are signed by no other key.")
    ] = False,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Believe a key's signatures no longer: what only it has signed is not served any more."""
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
    _show_keys(data, as_json)


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


def _show_keys(data: Path, as_json: bool) -> None:
    keys = wiring.keys(data)
    signing = keys.signing_key_id()
    views = [KeyView(key.key_id, key.key_id == signing, key.scope) for key in keys.trusted_keys()]
    show(views, as_json, lambda console: _draw(console, views))


def _draw(console: Console, views: list[KeyView]) -> None:
    for view in views:
        console.print(view.key_id + ("  signs" if view.signs else "") + (f"  {view.scope}" if view.scope else ""))
    if not views:
        console.print("no keys: they are made by the first publish, or brought by `headrace keys trust`")
