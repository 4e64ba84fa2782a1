"""A query in PromQL with placeholders, as in `errors{version="{candidate}"}`, and what stands in their place."""

import re
from collections.abc import Iterator, Mapping

from bundles.core.errors import Invalid

PLACEHOLDERS = ("product", "channel", "candidate", "stable", "stage")
MAX_QUERY_LENGTH = 4_000

_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<other>`[^`]*`|\#[^\n]*|[^"'`\#]+)""", re.VERBOSE
)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_PLAIN = re.compile(r"[A-Za-z0-9 @/.+%_:~-]")


def check_query(query: str) -> None:
    """Raises `Invalid` for a quoted string without an end, and for a placeholder that is unknown or stands outside
    of "…" and '…': only there nothing that takes its place can mean anything else.
    """
    if not query.strip() or len(query) > MAX_QUERY_LENGTH:
        raise Invalid(f"a query has 1 to {MAX_QUERY_LENGTH} characters")
    if not all(letter.isprintable() or letter in "\n\t" for letter in query):
        raise Invalid("a query has no control characters")
    for is_quoted, text in _tokens(query):
        for name in _PLACEHOLDER.findall(text):
            if name not in PLACEHOLDERS:
                known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
                raise Invalid(f"a query's placeholders are {known}, not {{{name}}}")
            if not is_quoted:
                raise Invalid(f"a query has {{{name}}} within \"…\" or '…' only, as a label's value")


def fill(query: str, values: Mapping[str, str]) -> str:
    """The checked query with a value for each placeholder, none of which ends its string or is an escape in it."""

    def value(found: re.Match[str]) -> str:
        return _escaped(values[found[1]])

    return "".join(_PLACEHOLDER.sub(value, text) if is_quoted else text for is_quoted, text in _tokens(query))


def _tokens(query: str) -> Iterator[tuple[bool, str]]:
    """The query's parts, each with whether it is a string in which escapes are known."""
    place = 0
    while place < len(query):
        token = _TOKEN.match(query, place)
        if token is None:
            raise Invalid(f"a query's string has no end: {query[place : place + 40]!r}")
        yield token.lastgroup == "quoted", token[0]
        place = token.end()


def _escaped(text: str) -> str:
    """The text within quotes of either kind; PromQL has Go's escapes."""
    return "".join(each if _PLAIN.fullmatch(each) else f"\\U{ord(each):08x}" for each in text)
