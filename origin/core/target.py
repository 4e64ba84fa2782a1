"""What a URL's path asks for (the design's section 4)."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import TypeVar

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import ArtifactPath, Product, parse_artifact_path, parse_product
from bundles.core.version import Range, Version, parse_version
from release.core.names import (
    PRODUCTION,
    Channel,
    Environment,
    Tenant,
    parse_channel,
    parse_environment,
    parse_tenant,
)


class ExactFile(msgspec.Struct, frozen=True):
    """`/{product}@{x.y.z}/{path}`: one artifact of one build, the same for ever."""

    product: Product
    version: Version
    path: ArtifactPath


class MovingFile(msgspec.Struct, frozen=True):
    """`/{product}@{range or channel}/{path}`. `2` may be either; a channel of that name comes first."""

    product: Product
    channel: Channel | None
    range: Range | None
    path: ArtifactPath


class TenantFile(msgspec.Struct, frozen=True):
    """`/t/{tenant}[~{environment}]/{product}/{path}`."""

    tenant: Tenant
    environment: Environment
    product: Product
    path: ArtifactPath


class TenantResolution(msgspec.Struct, frozen=True):
    """`/t/{tenant}[~{environment}]/{product}.json`."""

    tenant: Tenant
    environment: Environment
    product: Product


Target = ExactFile | MovingFile | TenantFile | TenantResolution

T = TypeVar("T")

_EXACT = re.compile(r"/(@[^/]+/)?[^/@]+@\d+\.\d+\.\d+")


class UrlClass(StrEnum):
    """The kinds of URL, as metrics name them: by their form alone, whether they name something or not."""

    EXACT = "exact"
    MOVING = "moving"
    TENANT = "tenant"
    OTHER = "other"


def url_class(path: str) -> UrlClass:
    """The kind of a percent-decoded path."""
    if path.startswith(_TENANT_PREFIX):
        return UrlClass.TENANT
    if _EXACT.match(path):
        return UrlClass.EXACT
    return UrlClass.MOVING if "@" in path else UrlClass.OTHER


_TENANT_PREFIX = "/t/"
_RESOLUTION_SUFFIX = ".json"


def parse_target(path: str) -> Target:
    """The target of a percent-decoded path. Raises `Invalid` for a path of no known form."""
    if path.startswith(_TENANT_PREFIX):
        return _parse_tenant_target(path.removeprefix(_TENANT_PREFIX))
    name, rest = _split_product(path.removeprefix("/"))
    product, at, wanted = name.rpartition("@")
    if not at or not rest:
        raise Invalid(f"{path!r} is no URL of this origin: ask for /product@version/path")
    return _parse_build_target(parse_product(product), wanted, parse_artifact_path(rest))


def _parse_tenant_target(text: str) -> Target:
    who, _, what = text.partition("/")
    tenant, tilde, environment = who.partition("~")
    whose = parse_tenant(tenant), parse_environment(environment) if tilde else PRODUCTION
    product, rest = _split_product(what)
    if rest:
        return TenantFile(*whose, parse_product(product), parse_artifact_path(rest))
    if not product.endswith(_RESOLUTION_SUFFIX):
        raise Invalid(f"{product!r} lacks a path: ask for /t/tenant/product/path or /t/tenant/product.json")
    return TenantResolution(*whose, parse_product(product.removesuffix(_RESOLUTION_SUFFIX)))


def _parse_build_target(product: Product, wanted: str, path: ArtifactPath) -> Target:
    try:
        return ExactFile(product, parse_version(wanted), path)
    except Invalid:
        channel, range_ = _or_none(parse_channel, wanted), _or_none(Range, wanted)
    if not wanted or (channel is None and range_ is None):
        raise Invalid(f"{wanted!r} is no version, range or channel")
    return MovingFile(product, channel, range_, path)


def _split_product(text: str) -> tuple[str, str]:
    """The product's one segment (two where it is scoped, `@tenant/name`) and what follows it."""
    count = 2 if text.startswith("@") else 1
    segments = text.split("/", count)
    return "/".join(segments[:count]), "/".join(segments[count:])


def _or_none(parse: Callable[[str], T], text: str) -> T | None:
    try:
        return parse(text)
    except Invalid:
        return None
