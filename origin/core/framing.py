"""Where one request ends and the next begins, so strictly that nobody on the way can see it otherwise.

The data plane takes no bodies: a request is a head, to its empty line. Whatever could be read in two ways
(RFC 9112, section 11.2) is refused, and the connection ends with it.
"""

import re
from enum import StrEnum
from http import HTTPStatus

import msgspec

from origin.core.faults import HttpFault
from origin.core.headers import NO_STORE
from origin.core.limits import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES

HEAD_END = b"\r\n\r\n"
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
HOST = rb"[\w.~!$&'()*+,;=%:\[\]-]*+"
"""The value of `Host`, and the authority of a URL: without a user's name."""

_LINE = re.compile(rb"(" + TOKEN + rb") ([!-~]++) HTTP/1\.([01])")
_TARGET = re.compile(rb"(?:(?i:https?)://(?!/)" + HOST + rb")?/.*+")
_FIELDS = re.compile(rb"(?:" + TOKEN + rb":[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n")
_FRAMING = re.compile(rb"(?:^|\n)((?i:host|content-length|transfer-encoding)):([^\r]*+)")
_HOST = re.compile(HOST)
_DIGITS = re.compile(rb"[0-9]++")
# In no part of a head: what is neither text nor a line's end, and a line's end that is only half there.
_ODD = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n|\Z)")
_LINE_BESIDE_TARGET = 64  # bytes: the longest method and the version


class Reason(StrEnum):
    """Why a request or a connection was refused, as metrics name it."""

    HEAD = "head"
    TARGET = "target"
    FIELDS = "fields"
    MALFORMED = "malformed"
    BODY = "body"
    SLOW_HEAD = "slow-head"
    SLOW_READER = "slow-reader"
    FULL = "full"
    MADE_ROOM = "made-room"


class Refusal(msgspec.Struct, frozen=True):
    """Why, and the answer. The connection ends after it."""

    reason: Reason
    fault: HttpFault


def refusal_of_head(head: bytes) -> Refusal | None:
    """Why this whole head, to its empty line, is no request that the data plane takes."""
    if len(head) > MAX_HEAD_BYTES:
        return _too_large(head)
    line, _, fields = head.partition(b"\r\n")
    requested = _LINE.fullmatch(line)
    if requested is None:
        return (
            _too_large(head) if len(line) > MAX_TARGET_BYTES + _LINE_BESIDE_TARGET else _malformed("request line")
        )
    method, target, minor_version = requested.groups()
    if len(target) > MAX_TARGET_BYTES:
        return _too_large(head)
    is_of_the_server = method == b"OPTIONS" and target == b"*"  # RFC 9110, section 9.3.7
    if not is_of_the_server and not _TARGET.fullmatch(target):
        return _malformed("target: ask for /path")
    if fields.count(b"\n") - 1 > MAX_FIELDS:
        return _refusal(
            Reason.FIELDS,
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"more than {MAX_FIELDS} header fields",
        )
    if not _FIELDS.fullmatch(fields):
        return _malformed("header field")
    return _refusal_of_framing(fields, is_host_needed=minor_version == b"1")


def refusal_of_part(part: bytearray, seen: int) -> Refusal | None:
    """Why this beginning of a head can't become one; its first `seen` bytes were looked at before."""
    if _ODD.search(part, max(0, seen - 1)):
        return _malformed("request: control characters, or lines that do not end with CR LF")
    line_end = part.find(b"\r\n", 0, MAX_TARGET_BYTES + _LINE_BESIDE_TARGET)
    if len(part) > MAX_HEAD_BYTES or (line_end < 0 and len(part) > MAX_TARGET_BYTES + _LINE_BESIDE_TARGET):
        return _too_large(part)
    return None


def too_slow(seconds: float) -> Refusal:
    """408: a head that does not become whole in time."""
    return _refusal(
        Reason.SLOW_HEAD, HTTPStatus.REQUEST_TIMEOUT, f"the request was not whole within {seconds:g} seconds"
    )


def unreadable() -> Refusal:
    """400: what passed as a head, and yet is none to the parser, as of a method that it does not know."""
    return _malformed("request")


def _refusal_of_framing(fields: bytes, *, is_host_needed: bool) -> Refusal | None:
    """Of `Host`, exactly one (RFC 9112, section 3.2); and no body (section 6)."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in _FRAMING.findall(fields):
        found.setdefault(name.lower(), []).append(value.strip(b"\t "))
    hosts, lengths = found.get(b"host", []), found.get(b"content-length", [])
    if len(hosts) > 1 or (is_host_needed and not hosts) or not all(map(_HOST.fullmatch, hosts)):
        return _malformed("Host: send exactly one")
    if len(lengths) > 1 or not all(map(_DIGITS.fullmatch, lengths)):
        return _malformed("Content-Length")
    if b"transfer-encoding" in found and lengths:
        return _malformed("request: Content-Length and Transfer-Encoding")
    if b"transfer-encoding" in found or any(length.strip(b"0") for length in lengths):
        return _refusal(
            Reason.BODY, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "this origin takes no request with a body"
        )
    return None


def _too_large(part: bytes | bytearray) -> Refusal:
    line_end = part.find(b"\r\n")
    if line_end < 0 or line_end > MAX_TARGET_BYTES:
        return _refusal(
            Reason.TARGET, HTTPStatus.REQUEST_URI_TOO_LONG, f"the target has more than {MAX_TARGET_BYTES} bytes"
        )
    return _refusal(
        Reason.HEAD,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"the request's head has more than {MAX_HEAD_BYTES} bytes",
    )


def _malformed(what: str) -> Refusal:
    return _refusal(Reason.MALFORMED, HTTPStatus.BAD_REQUEST, f"malformed {what}")


def _refusal(reason: Reason, status: HTTPStatus, message: str) -> Refusal:
    """Nobody keeps it: it tells of a connection's bytes, not of a URL."""
    return Refusal(reason, HttpFault(status, message, {"cache-control": NO_STORE, "connection": "close"}))
