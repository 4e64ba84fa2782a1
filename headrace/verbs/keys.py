"""`headrace keys …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundles.core.names import parse_scope
from headrace.options import DEFAULT_DATA, AsJson, Data, SigningKey, SnapshotDatabase, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from headrace.keys_run import KeyView, ResignedView

app = typer.Typer(help="The keys that sign builds and snapshots.", no_args_is_help=True, add_completion=False)


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
    from headrace.keys_run import create_pair

    pair = create_pair(file)
    show(
        pair,
        as_json,
        lambda console: console.print(f"{pair.key_id}  private: {pair.private}  public: {pair.public}"),
    )


@app.command(epilog=example("headrace keys rotate"))
def rotate(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Sign with a new key from now on; what the old one signed stays valid until it is distrusted."""
    from headrace import wiring

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
    from headrace.keys_run import resign_all

    view = resign_all(data, database, key)
    show(view, as_json, lambda console: _draw_resigned(console, view))


def _draw_resigned(console: "Console", view: "ResignedView") -> None:
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
    from headrace import wiring

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
    from headrace.keys_run import distrust_key

    distrust_key(data, database, key_id, force=force)
    _show_keys(data, as_json)


def _show_keys(data: Path, as_json: bool) -> None:
    from headrace.keys_run import view_keys

    views = view_keys(data)
    show(views, as_json, lambda console: _draw(console, views))


def _draw(console: "Console", views: "list[KeyView]") -> None:
    for view in views:
        console.print(view.key_id + ("  signs" if view.signs else "") + (f"  {view.scope}" if view.scope else ""))
    if not views:
        console.print("no keys: they are made by the first publish, or brought by `headrace keys trust`")
