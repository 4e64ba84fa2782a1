"""What `headrace verify` finds."""

from collections.abc import Mapping
from pathlib import Path

import anyio
import msgspec

from bundles.attestations import Attested, Builders, verify_attestations
from bundles.core.errors import Failed, Invalid
from bundles.core.limits import MAX_KEEP
from bundles.core.names import Product, parse_product
from bundles.core.trust import TrustedKeys
from bundles.core.version import Version, parse_version, precedence
from bundles.load import load_build
from bundles.ports import BuildReader
from bundles.verify import Damage
from bundles.verify import verify as verify_build
from headrace import wiring
from headrace.terminal import progress
from release.adapters.system_clock import SystemClock
from release.core.needs import needed_builds
from release.core.routing import ProductRoutes


class Verified(msgspec.Struct, frozen=True):
    """What was found in one build; `fault` is set where the manifest itself is gone or can't be believed."""

    product: Product
    version: Version
    files: int
    damages: list[Damage]
    attestations: list[Attested]
    fault: str | None

    @property
    def is_well(self) -> bool:
        """True where nothing is damaged, and no attestation is wrong."""
        return not self.damages and self.fault is None and all(each.is_well for each in self.attestations)


def verify_builds(
    data: Path, database: str | None, product: str, version: str | None
) -> tuple[list[Verified], Failed | None]:
    """What was found in one build or in all of the product's; and why it is not known which of them are needed."""
    name = parse_product(product)
    wanted = None if version is None else parse_version(version)

    async def run() -> tuple[list[Verified], Failed | None]:
        trusted, builders = wiring.trusted_keys(data), wiring.builders(data)
        needs, fault = await _needs(data, database, trusted, name)
        async with wiring.store(data) as store:
            versions = {wanted} if wanted else needs.keys() | await store.versions(name)
            if not versions:
                raise Invalid(f"there is no build of {product!r}")
            in_order = sorted(versions, key=precedence)
            return [await _verify_one(store, trusted, builders, name, each, needs) for each in in_order], fault

    return anyio.run(run)


async def _needs(
    data: Path, database: str | None, trusted: TrustedKeys, product: Product
) -> tuple[dict[Version, str], Failed | None]:
    """What each build is that the routing table needs; or why that is not known."""
    try:
        table = await wiring.routing_table(data, database, trusted)
    except Failed as fault:
        return {}, fault
    routes = ProductRoutes() if table is None else table.products.get(product, ProductRoutes())
    return needed_builds(routes, MAX_KEEP, SystemClock().now()), None


async def _verify_one(
    store: BuildReader,
    trusted: TrustedKeys,
    builders: Builders,
    product: Product,
    version: Version,
    needs: Mapping[Version, str],
) -> Verified:
    try:
        manifest = await load_build(store, trusted, product, version)
    except Failed as error:
        return Verified(product, version, 0, [], [], str(error))
    if manifest is None:
        if version not in needs:
            raise Invalid(f"there is no build {product}@{version}")
        gone = f"its manifest is gone, but it is {needs[version]}: restore it from a backup"
        return Verified(product, version, 0, [], [], gone)
    with progress(f"{product}@{version}", len(manifest.artifacts)) as advance:
        damages = await verify_build(store, manifest, lambda _: advance())
    attested = await verify_attestations(store, manifest, builders)
    return Verified(product, version, len(manifest.artifacts), damages, attested, None)
