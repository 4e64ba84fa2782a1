"""Of a request, all that its answer may depend on."""

from collections.abc import Iterable

import msgspec


class RequestView(msgspec.Struct, frozen=True):
    """The method, the percent-decoded path, and the header fields that the data plane looks at.

    A field that came on several lines is joined with commas (RFC 9110, section 5.3); None where it is absent.
    """

    method: str
    path: str
    accept_encoding: str | None = None
    available_dictionary: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None
    range: str | None = None


FIELDS = {
    name.replace("_", "-").encode(): name
    for name in RequestView.__struct_fields__
    if name not in ("method", "path")
}
"""The view's fields by their names in HTTP, in lower case."""


def view_request(method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> RequestView:
    """The view of a request whose header fields come with lower-case names."""
    seen: dict[str, str] = {}
    for name, value in headers:
        field = FIELDS.get(name)
        if field is not None:
            text = value.decode("latin-1")
            seen[field] = f"{seen[field]}, {text}" if field in seen else text
    return RequestView(method=method, path=path, **seen)
