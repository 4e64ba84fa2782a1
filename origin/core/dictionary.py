"""Dictionary transport (RFC 9842): a build's file is the dictionary for the next build's."""

import base64
import binascii
import re

from bundles.core.content_type import is_source_map
from bundles.core.digest import Digest
from bundles.core.manifest import Artifact
from bundles.core.names import Product
from origin.core.urls import any_version_url

DCZ = "dcz"
"""The coding of a delta: zstd with a dictionary that the client holds."""

# A byte sequence as a structured field (RFC 9651, section 3.3.5); any parameters mean nothing here.
_BYTE_SEQUENCE = re.compile(r" *:([A-Za-z0-9+/]*={0,2}):(?: *;[^:,]*)? *")
_SHA256_BYTES = 32


def parse_available_dictionary(header: str | None) -> Digest | None:
    """The digest of the dictionary that the client holds; None without one and for what is not of that form."""
    match = None if header is None else _BYTE_SEQUENCE.fullmatch(header)
    if match is None:
        return None
    try:
        digest = base64.b64decode(match[1] + "=" * (-len(match[1]) % 4), validate=True)
    except binascii.Error:
        return None
    return Digest(digest.hex()) if len(digest) == _SHA256_BYTES else None


def use_as_dictionary(product: Product, artifact: Artifact) -> str | None:
    """The value of `Use-As-Dictionary` (section 2.1): for this file of every other build of the product.

    None for what gets no deltas: an empty file, one that does not compress, and a source map.
    """
    if len(artifact.variants) == 1 or is_source_map(artifact.path):
        return None
    return f'match="{any_version_url(product, artifact.path)}"'
