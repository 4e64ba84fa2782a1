"""Reads what was published."""

from collections.abc import Mapping, Sequence

from api.core.page import Page, first_page, open_cursor, page_of
from api.operations.builds import ListBuilds, ListProducts, ReadBuild, ReadErrors, ReadProvenance
from api.perform import Look, reads
from api.sources import Sources
from api.times import format_time
from api.views.build import (
    BuildView,
    ManifestView,
    ProductView,
    ProvenanceView,
    PublicationView,
    view_publication,
)
from api.views.error import ErrorsView, view_group
from beacons.core.beacon import Frame
from beacons.core.groups import ErrorGroup
from beacons.core.sources import Place, Unknown
from beacons.trace import trace
from bundles.attestations import verify_attestations
from bundles.core.errors import Failed, NotFound
from bundles.core.manifest import Manifest, manifest_digest
from bundles.core.names import Product, parse_product
from bundles.core.provenance import Provenance
from bundles.core.version import Version, parse_version, precedence
from bundles.load import load_build
from bundles.ports import BuildReader
from release.core.names import parse_environment
from release.publications import read_publication


@reads(ListProducts)
async def list_products(look: Look, asked: ListProducts) -> Page[ProductView]:
    """By name."""
    async with look.sources.builds() as builds:
        found = [product for product in await builds.products() if look.caller.grant.is_for_product(product)]
    return page_of(
        [ProductView(product) for product in found], lambda each: each.product, asked.cursor, asked.limit
    )


@reads(ListBuilds)
async def list_builds(look: Look, asked: ListBuilds) -> Page[BuildView]:
    """By precedence. Raises `NotFound` for a product without any."""
    product, last = parse_product(asked.product), open_cursor(asked.cursor, parse_version)
    async with look.sources.builds() as builds:
        published_at = await builds.published_at(product)
    if not published_at:
        raise NotFound(f"there is no build of {product}")
    before = None if last is None else precedence(last)
    versions = sorted(published_at, key=precedence, reverse=True)
    rest = [version for version in versions if before is None or precedence(version) < before]
    page = first_page(rest, str, asked.limit)
    return page.each(lambda version: BuildView(product, version, format_time(published_at[version])))


@reads(ReadBuild)
async def read_build(look: Look, asked: ReadBuild) -> ManifestView:
    """Its manifest, believed as its signature holds."""
    async with look.sources.builds() as builds:
        manifest = await _build(look.sources, builds, parse_product(asked.product), parse_version(asked.version))
    artifacts = page_of(manifest.artifacts, lambda artifact: artifact.path, asked.cursor, asked.limit)
    return ManifestView(manifest.product, manifest.version, manifest_digest(manifest), artifacts)


@reads(ReadProvenance)
async def read_provenance(look: Look, asked: ReadProvenance) -> ProvenanceView:
    """What the manifest has, and what the store has of attestations."""
    async with look.sources.builds() as builds:
        manifest = await _build(look.sources, builds, parse_product(asked.product), parse_version(asked.version))
        attested = await verify_attestations(builds, manifest, look.sources.builders())
    recorded = manifest.provenance or Provenance()
    published = await _publication(look.sources, manifest)
    return ProvenanceView(manifest.product, manifest.version, recorded, tuple(attested), published)


@reads(ReadErrors)
async def read_errors(look: Look, asked: ReadErrors) -> ErrorsView:
    """The groups of most units first."""
    product, version = parse_product(asked.product), parse_version(asked.version)
    environment = parse_environment(asked.environment)
    async with look.sources.errors() as reported:
        groups = await reported.groups(product, version, environment)
        places = await _places(look.sources, product, version, groups)
    return ErrorsView(product, version, environment, tuple(view_group(group, places) for group in groups))


async def _build(sources: Sources, builds: BuildReader, product: Product, version: Version) -> Manifest:
    manifest = await load_build(builds, sources.trusted(), product, version)
    if manifest is None:
        raise NotFound(f"there is no build {product}@{version}")
    return manifest


async def _publication(sources: Sources, manifest: Manifest) -> PublicationView | None:
    if not sources.has_ledger:
        return None
    async with sources.ledger() as ledger:
        found = await read_publication(ledger, manifest.product, manifest.version)
    return None if found is None or found.digest != manifest_digest(manifest) else view_publication(found)


async def _places(
    sources: Sources, product: Product, version: Version, groups: Sequence[ErrorGroup]
) -> Mapping[Frame, Place | Unknown]:
    """Where the groups' frames are in the sources; where the build can't be read, why they are not known."""
    frames = {frame for group in groups for frame in group.frames}
    try:
        async with sources.builds() as builds:
            manifest = await _build(sources, builds, product, version)
            return await trace(frames, manifest, builds, sources.open_source_map)
    except Failed as error:
        return dict.fromkeys(frames, Unknown(str(error)))
    except NotFound:
        if not groups:
            raise
        return dict.fromkeys(frames, Unknown("the build is not in the store"))
