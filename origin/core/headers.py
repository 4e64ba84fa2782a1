"""The headers of each class of URL (the design's section 4)."""

from urllib.parse import quote

from bundles.core.compress import Encoding
from bundles.core.digest import Digest, repr_digest
from bundles.core.manifest import Artifact, Variant
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version

Headers = dict[str, str]

IMMUTABLE = "public, max-age=31536000, immutable"
# Together at most a minute: an edge that is never purged still forgets a rolled-back build by then. No
# `s-maxage`, `must-revalidate` or `no-cache` beside it: each turns stale-while-revalidate off at Cloudflare.
MOVING = "public, max-age=10, stale-while-revalidate=50"
# What a later publish adds must not stay hidden behind a cached error.
ERROR = "public, max-age=5"
NO_STORE = "no-store"

# Every answer may be read by every site: `*` and no echo of `Origin`, so that caches need not vary on it.
OPEN: Headers = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
    "x-content-type-options": "nosniff",
}
ALLOWED_METHODS = "GET, HEAD, OPTIONS"


def exact_url(product: Product, version: Version, path: ArtifactPath) -> str:
    """The URL path that names these bytes for ever."""
    return quote(f"/{product}@{version}/{path}", safe="/@")


def etag_of(digest: Digest) -> str:
    """A strong ETag. Variants have one each, since each has bytes of its own."""
    return f'"{digest}"'


def variant_headers(product: Product, version: Version, artifact: Artifact, variant: Variant) -> Headers:
    """Those of a 200 to an exact URL."""
    headers = {
        **OPEN,
        "cache-control": IMMUTABLE,
        "cache-tag": cache_tags(f"product:{product}", f"build:{product}@{version}"),
        "content-length": str(variant.size),
        "content-type": artifact.content_type,
        "etag": etag_of(variant.digest),
        "repr-digest": repr_digest(variant.digest),
    }
    if variant.encoding is not Encoding.IDENTITY:
        headers["content-encoding"] = variant.encoding
    if len(artifact.variants) > 1:
        headers["vary"] = "Accept-Encoding"
    return headers


def not_modified_headers(headers: Headers) -> Headers:
    """Those of the 304 in place of a 200 (RFC 9110, section 15.4.5): what describes a body is left out."""
    body = ("content-encoding", "content-length", "content-type", "repr-digest")
    return {name: value for name, value in headers.items() if name not in body}


def redirect_headers(location: str, *tags: str) -> Headers:
    """Those of a 302 from a moving URL."""
    return {**OPEN, "cache-control": MOVING, "cache-tag": cache_tags(*tags), "location": location}


def cache_tags(*tags: str) -> str:
    """The value of `Cache-Tag`: printable ASCII without spaces, comma-separated (Cloudflare's limits)."""
    return ",".join(tags)
