"""Several spans of a body in one answer: `multipart/byteranges` (RFC 9110, section 14.6)."""

from collections.abc import Sequence

import msgspec

from bundles.core.digest import Digest
from bundles.core.span import Span

Parts = tuple[bytes | Span, ...]


class Multipart(msgspec.Struct, frozen=True):
    """Its media type, its size in bytes, and its spans with what stands around each."""

    content_type: str
    size: int
    parts: Parts


def make_multipart(spans: Sequence[Span], digest: Digest, size: int, content_type: str) -> Multipart:
    """The spans of the body that has this digest and size.

    The boundary is the digest: no body holds its own, and each answer to the same request is the same.
    """
    parts: list[bytes | Span] = []
    for span in spans:
        head = f"--{digest}\r\nContent-Type: {content_type}\r\nContent-Range: {content_range(span, size)}\r\n\r\n"
        parts += [(("\r\n" if parts else "") + head).encode(), span]
    parts.append(f"\r\n--{digest}--\r\n".encode())
    return Multipart(
        content_type=f"multipart/byteranges; boundary={digest}",
        size=sum(part.size if isinstance(part, Span) else len(part) for part in parts),
        parts=tuple(parts),
    )


def content_range(span: Span, size: int) -> str:
    """The value of `Content-Range` (RFC 9110, section 14.4); positions there are inclusive."""
    return f"bytes {span.start}-{span.end - 1}/{size}"
