"""The head of a request as bytes: of the plain ones, all that their answers depend on."""

import re

from origin.core.edge_secret import SECRET_HEADER
from origin.core.framing import HOST, TOKEN
from origin.core.limits import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES
from origin.core.request import FIELDS

RequestKey = tuple[bytes, ...]
"""The method, the target, and the line of each header field that the origin looks at, as it was sent."""

# Each of these changes how the connection goes on, or tells of a body (RFC 9112, sections 6 and 9), or must be
# there exactly once. Their first letters come first: most fields begin with another, and cost no more than a look.
_FRAMING = (
    rb"[CEHPTUcehptu](?i:onnection:(?![\t ]*+keep-alive[\t ]*+\r)|ontent-length:|xpect:|ost:|roxy-connection:"
    rb"|ransfer-encoding:|pgrade:)"
)
_FIELD = rb"(?!" + _FRAMING + rb")" + TOKEN + rb":[\t\x20-\x7e]*+\r\n"
# On each side of `Host` half of what is allowed in all.
_FIELDS = rb"(?:%b){0,%d}+" % (_FIELD, (MAX_FIELDS - 1) // 2)
_PLAIN = re.compile(
    rb"(GET|HEAD) (/[!-~]{0,%d}+) HTTP/1\.1\r\n" % (MAX_TARGET_BYTES - 1)
    + _FIELDS
    + rb"(?i:host):[\t ]*+"
    + HOST
    + rb"[\t ]*+\r\n"
    + _FIELDS
    + rb"\r\n"
)
_TELLING_NAMES = (*FIELDS, SECRET_HEADER)
_FIRST_LETTERS = b"".join(name[:1].lower() + name[:1].upper() for name in _TELLING_NAMES)
# It begins with the end of the line before: a character that the search can skip to.
_TELLING = re.compile(
    rb"\n((?=[%b])(?i:%b):[^\r]*+)" % (_FIRST_LETTERS, b"|".join(map(re.escape, _TELLING_NAMES)))
)


def read_head(data: bytes) -> RequestKey | None:
    """The key of data that is one whole request, plain enough that its answer depends on the key alone.

    None for all else: any method but GET and HEAD, a body, a version, connection option or character out of the
    ordinary, less or more than one request, one beyond the limits. To the data plane, two requests of one key are
    one request.
    """
    plain = _PLAIN.fullmatch(data) if len(data) <= MAX_HEAD_BYTES else None
    return None if plain is None else (*plain.groups(), *_TELLING.findall(data))
