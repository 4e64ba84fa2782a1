"""The head of a request as bytes: of the plain ones, all that their answers depend on."""

import re

from origin.core.edge_secret import SECRET_HEADER
from origin.core.request import FIELDS

RequestKey = tuple[bytes, ...]
"""The method, the target, and the line of each header field that the origin looks at, as it was sent."""

# Each of these changes how the connection goes on, or tells of a body (RFC 9112, sections 6 and 9).
_FRAMING = (
    rb"(?i:connection:(?![\t ]*+keep-alive[\t ]*+\r)|content-length:|expect:|proxy-connection:|transfer-encoding:"
    rb"|upgrade:)"
)
_FIELD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e]*+\r\n"
_PLAIN = re.compile(rb"(GET|HEAD) (/[!-~]*+) HTTP/1\.1\r\n(?:(?!" + _FRAMING + rb")" + _FIELD + rb")*+\r\n")
# It begins with the end of the line before: a character that the search can skip to.
_TELLING = re.compile(rb"\n((?i:" + b"|".join(map(re.escape, (*FIELDS, SECRET_HEADER))) + rb"):[^\r]*+)")


def read_head(data: bytes) -> RequestKey | None:
    """The key of data that is one whole request, plain enough that its answer depends on the key alone.

    None for all else: any method but GET and HEAD, a body, a version, connection option or character out of the
    ordinary, less or more than one request. To the data plane, two requests of one key are one request.
    """
    plain = _PLAIN.fullmatch(data)
    return None if plain is None else (*plain.groups(), *_TELLING.findall(data))
