"""`headrace builders …`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from bundles.core.builders import identity_of
from bundles.core.errors import Invalid
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, example
from headrace.terminal import show

app = typer.Typer(
    help="The builders whose attestations of builds are believed.", no_args_is_help=True, add_completion=False
)


class BuilderView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A trusted builder: by the id of its key, or by its repository and who vouches for that."""

    key_id: str | None = None
    repository: str | None = None
    issuer: str | None = None


@app.command("list", epilog=example("headrace builders list"))
def list_(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """List the builders that are trusted."""
    _show(data, as_json)


@app.command(
    epilog=example("headrace builders trust builder.pem", "headrace builders trust https://github.com/acme/sdk")
)
def trust(
    builder: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL", help="A public key in PEM (Ed25519 or ECDSA P-256), or a repository's URL."
        ),
    ],
    issuer: Annotated[
        str | None,
        typer.Option(
            "--issuer", metavar="URL", help="Who vouches for its workflows; known for GitHub and GitLab."
        ),
    ] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Believe what a builder's key, or the workflows of a repository by Sigstore, attest of builds."""
    if "://" in builder:
        wiring.builder_files(data).trust_identity(identity_of(builder, issuer))
    elif issuer is not None:
        raise Invalid("--issuer vouches for a repository: name its URL, not a key's file")
    else:
        wiring.builder_files(data).trust_key(Path(builder))
    _show(data, as_json)


@app.command(epilog=example("headrace builders distrust https://github.com/acme/sdk"))
def distrust(
    builder: Annotated[str, typer.Argument(metavar="KEYID|URL", help="As `headrace builders list` shows it.")],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Believe a builder no longer. What it attested is kept, as unverified."""
    wiring.builder_files(data).distrust(builder)
    _show(data, as_json)


def _show(data: Path, as_json: bool) -> None:
    files = wiring.builder_files(data)
    keys = [BuilderView(key_id=key_id) for key_id in files.trusted_keys()]
    identities = [BuilderView(repository=each.repository, issuer=each.issuer) for each in files.identities()]
    views = keys + identities
    show(views, as_json, lambda console: _draw(console, views))


def _draw(console: Console, views: list[BuilderView]) -> None:
    for view in views:
        console.print(view.key_id or f"{view.repository}  by {view.issuer}")
    if not views:
        console.print("no builders: attestations are kept, but stay unverified")
