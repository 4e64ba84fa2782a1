"""`headrace keys …`."""

from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from bundles.core.envelope import signed_by
from bundles.core.errors import Refused
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, example
from headrace.terminal import show

app = typer.Typer(help="The keys that sign builds and snapshots.", no_args_is_help=True)


class KeyView(msgspec.Struct, frozen=True):
    """A trusted key; `signs` is true for the one that signs now."""

    key_id: str
    signs: bool


@app.command("list", epilog=example("headrace keys list"))
def list_(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """List the keys whose signatures are believed."""
    _show_keys(data, as_json)


@app.command(epilog=example("headrace keys rotate"))
def rotate(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Sign with a new key from now on; what the old one signed stays valid until it is distrusted."""
    wiring.keys(data).rotate()
    _show_keys(data, as_json)


@app.command(epilog=example("headrace keys trust publisher.pem"))
def trust(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A public Ed25519 key in PEM.")],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Believe the signatures of another public key, as an origin does for its publisher's."""
    wiring.keys(data).trust(file)
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
    documents = {"the snapshot": await wiring.snapshots(data).read()}
    async with wiring.store(data) as store:
        for product in await store.products():
            for version in await store.versions(product):
                documents[f"{product}@{version}"] = await store.read_manifest(product, version)
    trusted = set(wiring.keys(data).trusted_keys())
    return [name for name, sealed in documents.items() if sealed and signed_by(sealed) & trusted == {key_id}]


def _show_keys(data: Path, as_json: bool) -> None:
    keys = wiring.keys(data)
    signing = keys.signing_key_id()
    views = [KeyView(key_id, key_id == signing) for key_id in keys.trusted_keys()]
    show(views, as_json, lambda console: _draw(console, views))


def _draw(console: Console, views: list[KeyView]) -> None:
    for view in views:
        console.print(view.key_id + ("  signs" if view.signs else ""))
    if not views:
        console.print("no keys: they are made by the first publish, or brought by `headrace keys trust`")
