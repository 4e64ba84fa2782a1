"""An answer as a value: what to send, where the bytes may still be in the store."""

from http import HTTPStatus

import msgspec

from bundles.core.digest import Digest
from bundles.core.span import Span
from origin.core.common import Common
from origin.core.headers import Headers


class BlobBody(msgspec.Struct, frozen=True):
    """Spans of one blob, of this digest and size in bytes, in the order to send them, with what stands between."""

    digest: Digest
    size: int
    parts: tuple[bytes | Span, ...]


class Answer(msgspec.Struct, frozen=True):
    """A response: status, headers with lower-case names, and body.

    `until` is when another answer may be due to the same request, though the routing table is the same: in
    seconds since the epoch, 0 where that may be at any time. `common` is set where it is shared.
    """

    status: HTTPStatus
    headers: Headers
    body: bytes | BlobBody = b""
    until: float = 0
    common: Common | None = None
