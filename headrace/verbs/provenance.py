"""`headrace provenance`."""

from typing import TYPE_CHECKING

import typer

from api.core.plain import plain
from headrace.asking import Asking, send
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, ProductName, VersionText, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

    from api.views.build import ProvenanceView, PublicationView

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace provenance posthog-js 1.4.2"))
def provenance(
    product: ProductName,
    version: VersionText,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Say how a build was made, and who attests that. Exit code 1 where an attestation is damaged or wrong.

    Who published it is told where the audit trail has that.
    """
    from api.operations.builds import ReadProvenance

    view = send(ReadProvenance(product=product, version=version), Asking(data, database))
    show(view, as_json, lambda console: _draw(console, view))
    if not all(attested.is_well for attested in view.attestations):
        raise typer.Exit(1)


def _draw(console: "Console", view: "ProvenanceView") -> None:
    recorded = view.recorded
    lines = [
        f"{view.product}@{view.version}",
        f"  published   {_told(view.published)}",
        f"  repository  {recorded.source.repository or 'not recorded'}",
        f"  commit      {recorded.source.commit or 'not recorded'}",
        f"  builder     {recorded.builder or 'not recorded'}",
        *(f"  input       {given.name} sha256:{given.digest}" for given in recorded.inputs),
    ]
    if recorded.sbom is not None:
        digest = f" sha256:{recorded.sbom.digest}" if recorded.sbom.digest else ""
        lines.append(f"  SBOM        {recorded.sbom.url}{digest}")
    for attested in view.attestations:
        lines.append(f"  attested    {attested.predicate_type}: {attested}")
        if attested.source.repository or attested.source.commit:
            lines.append(f"              of {attested.source.repository} at {attested.source.commit}")
    if not view.attestations:
        lines.append("  attested    by nobody")
    for line in lines:
        console.print(line)


def _told(published: "PublicationView | None") -> str:
    if published is None:
        return "by whom is not in the audit trail"
    row = f"by {plain(published.actor)} at {published.at}, revision {published.revision}"
    return f"before it was published again {row}" if published.was_there else row
