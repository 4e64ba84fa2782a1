"""`headrace keys …`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from bundles.adapters.key_files import create_key_pair
from bundles.core.envelope import signers
from bundles.core.errors import Refused
from bundles.core.manifest import PAYLOAD_TYPE as MANIFEST
from bundles.core.names import Scope, parse_scope
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, example
from headrace.terminal import show
from release.core.snapshot import PAYLOAD_TYPE as SNAPSHOT

app = typer.Typer(help="The keys that sign builds and snapshots.", no_args_is_help=True)


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
    as_json: AsJson = False,
) -> None:
    """Believe a key's signatures no longer: what only it has signed is not served any more."""
    dependent = [] if force else anyio.run(_signed_by_it_alone, data, key_id)
    if dependent:
        raise Refused(
            f"{len(dependent)} documents are signed by that key alone, the first is {dependent[0]}:"
            " they would no longer be served; --force does it all the same"
        )
    wiring.keys(data).distrust(key_id)
    _show_keys(data, as_json)


async def _signed_by_it_alone(data: Path, key_id: str) -> list[str]:
    """The documents that nobody would believe without the key."""
    trusted, alone = wiring.keys(data).trusted_keys(), {key_id}
    snapshot = await wiring.snapshots(data).read()
    found = ["the snapshot"] if snapshot and signers(SNAPSHOT, snapshot, trusted) == alone else []
    async with wiring.store(data) as store:
        for product in await store.products():
            for version in await store.versions(product):
                sealed = await store.read_manifest(product, version)
                if sealed and signers(MANIFEST, sealed, trusted, product) == alone:
                    found.append(f"{product}@{version}")
    return found


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
