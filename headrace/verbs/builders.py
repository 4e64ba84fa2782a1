"""`headrace builders …`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from bundles.core.errors import Invalid
from headrace.options import DEFAULT_DATA, AsJson, Data, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

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
    from bundles.core.builders import identity_of
    from headrace import wiring

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
    from headrace import wiring

    wiring.builder_files(data).distrust(builder)
    _show(data, as_json)


def _show(data: Path, as_json: bool) -> None:
    from headrace import wiring

    files = wiring.builder_files(data)
    keys = [BuilderView(key_id=key_id) for key_id in files.trusted_keys()]
    identities = [BuilderView(repository=each.repository, issuer=each.issuer) for each in files.identities()]
    views = keys + identities
    show(views, as_json, lambda console: _draw(console, views))


def _draw(console: "Console", views: list[BuilderView]) -> None:
    for view in views:
        console.print(view.key_id or f"{view.repository}  by {view.issuer}")
    if not views:
        console.print("no builders: attestations are kept, but stay unverified")
