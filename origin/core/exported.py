"""What an export is: the origin's answers to the URLs that a static host is to give in its place."""

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from bundles.core.compress import Encoding
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Range, Version, precedence
from origin.core.headers import Headers
from release.core.needs import needed_builds
from release.core.routing import ProductRoutes

FORMAT = 1


class Entry(msgspec.Struct, frozen=True):
    """The answer to GET of a URL's path, in one coding: its status, all its headers, and the file with its body.

    `file` is relative to the tree, and the object's key in S3; None where there is no body.
    """

    url: str
    coding: str
    status: int
    headers: Headers
    file: str | None


class Export(msgspec.Struct, frozen=True):
    """The entries, sorted by URL and coding, as of one revision of the routing table."""

    revision: int
    entries: tuple[Entry, ...]
    format: int = FORMAT


class StaticFile(msgspec.Struct, frozen=True, order=True):
    """One artifact of one build in one coding."""

    product: Product
    version: Version
    path: ArtifactPath
    coding: str

    @property
    def file(self) -> str:
        """Its place in the tree: the URL's own for identity, else below a folder named by the coding.

        The two never meet: the first segment of a URL holds an `@`, a coding's name none.
        """
        own = f"{self.product}@{self.version}/{self.path}"
        return own if self.coding == Encoding.IDENTITY else f"{self.coding}/{own}"


class MovingName(msgspec.Struct, frozen=True):
    """A channel or range of a product, and the build that it stands for now."""

    product: Product
    name: str
    version: Version

    def url(self, path: ArtifactPath) -> str:
        """The URL's path for this file."""
        return quote(f"/{self.product}@{self.name}/{path}", safe="/@")


def needed_now(routes: ProductRoutes, keep: int, now: int) -> set[Version]:
    """The builds that somebody may get now, or after one rollback, and that may be given."""
    return needed_builds(routes, keep, now).keys() - routes.blocks.keys() - routes.retired


def moving_names(routes: ProductRoutes, ranges: Iterable[Range]) -> list[str]:
    """Every channel, `MAJOR` and `MAJOR.MINOR` of what was released, and the ranges; each once."""
    return sorted({*routes.channels, *_lines(routes), *(wanted.text for wanted in ranges)})


def _lines(routes: ProductRoutes) -> Iterable[str]:
    for version in routes.released:
        parsed = precedence(version)
        yield f"{parsed.major}"
        yield f"{parsed.major}.{parsed.minor}"


def encode_export(export: Export) -> bytes:
    """JSON, with sorted keys."""
    return msgspec.json.encode(export, order="sorted")
