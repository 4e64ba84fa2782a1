"""The headers of each class of URL (the design's section 4; docs/http.md has them as a table)."""

from bundles.core.digest import Digest, repr_digest

Headers = dict[str, str]

IMMUTABLE = "public, max-age=31536000, immutable"
# Together at most a minute: an edge that is never purged still forgets a rolled-back build by then. No
# `s-maxage`, `must-revalidate` or `no-cache` beside it: each turns stale-while-revalidate off at Cloudflare.
MOVING = "public, max-age=10, stale-while-revalidate=50"
# CDNs look at this one alone (RFC 9213): while the origin can't answer, they go on with what they know.
MOVING_AT_EDGE = MOVING + ", stale-if-error=86400"
# What a later publish adds must not stay hidden behind a cached error.
ERROR = "public, max-age=5"
NO_STORE = "no-store"

# Every answer may be read by every site: `*` and no echo of `Origin`, so that caches need not vary on it.
OPEN: Headers = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
    "x-content-type-options": "nosniff",
}
ALLOWED_METHODS = "GET, HEAD, OPTIONS"

MAX_CACHE_TAG_BYTES = 16 * 1024  # Cloudflare's limit for all of a response's tags

_OF_A_BODY = ("content-encoding", "content-length", "content-type", "repr-digest")


def preflight_headers() -> Headers:
    """Those of the answer to OPTIONS: every site may ask with GET and HEAD and any header (Fetch, section 3.3)."""
    return {
        **OPEN,
        "access-control-allow-methods": ALLOWED_METHODS,
        "access-control-allow-headers": "*",
        "access-control-max-age": "86400",
        "allow": ALLOWED_METHODS,
        "cache-control": ERROR,
    }


def representation_headers(digest: Digest, size: int, content_type: str) -> Headers:
    """Those that every 200 with a body has: who may read it, and what its bytes are."""
    return {
        **OPEN,
        "content-length": str(size),
        "content-type": content_type,
        "etag": f'"{digest}"',
        "repr-digest": repr_digest(digest),
    }


def moving_headers(*tags: str) -> Headers:
    """Those of what changes with the routing table."""
    return {
        **OPEN,
        "cache-control": MOVING,
        "cdn-cache-control": MOVING_AT_EDGE,
        "cache-tag": cache_tags(*tags),
    }


def not_modified_headers(headers: Headers) -> Headers:
    """Those of the 304 in place of a 200 (RFC 9110, section 15.4.5): what describes a body is left out."""
    return {name: value for name, value in headers.items() if name not in _OF_A_BODY}


def partial_headers(headers: Headers) -> Headers:
    """Those that a 206 has of the 200's: not the size, and not that the body may be used as a dictionary."""
    return {name: value for name, value in headers.items() if name not in ("content-length", "use-as-dictionary")}


def refusal_headers(headers: Headers) -> Headers:
    """Those that a 412 or 416 has of the 200's: what the client needs to ask again."""
    return {name: headers[name] for name in ("accept-ranges", "etag", "vary") if name in headers}


def cache_tags(*tags: str) -> str:
    """The value of `Cache-Tag`: printable ASCII without spaces, comma-separated, of at most 16 KB.

    The last tags are left out where they are too many; the first ones name what all of them belong to.
    """
    kept = ",".join(tags)
    return kept if len(kept) <= MAX_CACHE_TAG_BYTES else kept[: kept.rindex(",", 0, MAX_CACHE_TAG_BYTES + 1)]
