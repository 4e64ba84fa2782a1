"""`headrace provenance`."""

import anyio
import msgspec
import typer
from rich.console import Console

from bundles.attestations import Attested, verify_attestations
from bundles.core.errors import Invalid
from bundles.core.names import Product, parse_product
from bundles.core.provenance import Provenance
from bundles.core.version import Version, parse_version
from bundles.load import load_build
from headrace import wiring
from headrace.options import DEFAULT_DATA, AsJson, Data, ProductName, VersionText, example
from headrace.terminal import show

app = typer.Typer(add_completion=False)


class ProvenanceView(msgspec.Struct, frozen=True):
    """What is recorded of how a build was made, and what is known of each attestation now."""

    product: Product
    version: Version
    recorded: Provenance
    attestations: list[Attested]


@app.command(epilog=example("headrace provenance posthog-js 1.4.2"))
def provenance(
    product: ProductName, version: VersionText, data: Data = DEFAULT_DATA, as_json: AsJson = False
) -> None:
    """Say how a build was made, and who attests that. Exit code 1 where an attestation is damaged or wrong."""
    name, wanted = parse_product(product), parse_version(version)

    async def run() -> ProvenanceView:
        async with wiring.store(data) as store:
            manifest = await load_build(store, wiring.trusted_keys(data), name, wanted)
            if manifest is None:
                raise Invalid(f"there is no build {name}@{wanted}")
            attested = await verify_attestations(store, manifest, wiring.builders(data))
            return ProvenanceView(name, wanted, manifest.provenance or Provenance(), attested)

    view = anyio.run(run)
    show(view, as_json, lambda console: _draw(console, view))
    if not all(attested.is_well for attested in view.attestations):
        raise typer.Exit(1)


def _draw(console: Console, view: ProvenanceView) -> None:
    recorded = view.recorded
    lines = [
        f"{view.product}@{view.version}",
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
