"""Names as users write them: products and artifact paths. Parsed at the edge, trusted inside."""

import re
from collections.abc import Iterable
from typing import NewType

from bundles.core.errors import Invalid

Product = NewType("Product", str)
Scope = NewType("Scope", str)
ArtifactPath = NewType("ArtifactPath", str)

MAX_PATH_BYTES = 512
MAX_PATH_DEPTH = 32

_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_PRODUCT = re.compile(rf"(?:@{_NAME}/)?{_NAME}")
_SCOPE = re.compile(rf"@{_NAME}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


def parse_product(text: str) -> Product:
    """An SDK's name (`posthog-js`) or a tenant's content bundle (`@tenant/name`).

    `.json` at the end is refused, since `/t/{tenant}/{product}.json` is the resolution's URL.
    """
    if not _is_product(text):
        raise Invalid(
            f"{text!r} is not a product name: use 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning and ending"
            " with a letter or digit and not ending in '.json', optionally after '@tenant/'"
        )
    return Product(text)


def are_products(texts: Iterable[str]) -> list[Product]:
    """Those of the texts that are product names, sorted, each once."""
    return sorted({Product(text) for text in texts if _is_product(text)})


def parse_scope(text: str) -> Scope:
    """What all of a tenant's products begin with (`@tenant`)."""
    if not _SCOPE.fullmatch(text):
        raise Invalid(
            f"{text!r} is not a scope: write '@' and 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning and ending"
            " with a letter or digit, as in @acme"
        )
    return Scope(text)


def scope_of(product: Product) -> Scope | None:
    """The tenant's scope that a content bundle is in; None for an SDK."""
    scope, slash, _ = product.partition("/")
    return Scope(scope) if slash else None


def parse_artifact_path(text: str) -> ArtifactPath:
    """A file's place inside its build: relative, with '/' between segments, and never out of the build."""
    segments = text.split("/")
    fault = None
    if not text:
        fault = "it is empty"
    elif text.startswith("/"):
        fault = "it is absolute"
    elif "\\" in text:
        fault = "it holds a backslash"
    elif _CONTROL.search(text):
        fault = "it holds a control character"
    elif any(segment in ("", ".", "..") for segment in segments):
        fault = "it has an empty, '.' or '..' segment"
    elif len(segments) > MAX_PATH_DEPTH or len(text.encode("utf-8", "replace")) > MAX_PATH_BYTES:
        fault = f"it is longer than {MAX_PATH_BYTES} bytes or deeper than {MAX_PATH_DEPTH} folders"
    elif not _is_encodable(text):
        fault = "it is not valid UTF-8"
    if fault:
        raise Invalid(f"{text!r} can't be an artifact's path: {fault}")
    return ArtifactPath(text)


def _is_product(text: str) -> bool:
    return bool(_PRODUCT.fullmatch(text)) and not text.endswith(".json")


def _is_encodable(text: str) -> bool:
    """False for the lone surrogates that Python makes of a file name that is not UTF-8."""
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)
