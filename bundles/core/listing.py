"""A list of builds to publish in one run: JSON lines, each one build."""

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import Product, parse_product
from bundles.core.version import Version, parse_version

MAX_LINE_BYTES = 16 * 1024


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One build: its files are in a folder or an archive, whose path is relative to the list's own folder."""

    product: Product
    version: Version
    files: str

    def __post_init__(self) -> None:
        parse_product(self.product)
        parse_version(self.version)
        if not self.files or "\0" in self.files:
            raise Invalid("'files' names a folder or an archive")
        if self.files.startswith("/") or ".." in self.files.split("/"):
            raise Invalid(f"{self.files!r} leaves the list's own folder: 'files' is relative to it, without '..'")


def parse_listed(line: bytes) -> Listed:
    """The build of one line, `{"product": …, "version": …, "files": …}`. Raises `Invalid`."""
    if len(line) > MAX_LINE_BYTES:
        raise Invalid(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        return msgspec.json.decode(line, type=Listed)
    except msgspec.MsgspecError as error:
        raise Invalid(
            f'{error}: a line is {{"product": "@tenant/name", "version": "1.0.0", "files": "a/folder"}}'
        ) from None
