"""From a request's parts to an operation, and to the terms on which it is asked for."""

import math
import re
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

import msgspec

from api.core.operation import Operation, Route, Terms
from api.core.problems import Malformed
from bundles.core.errors import Invalid, Stale
from release.core.audit import MAX_KEY_LENGTH

DRY_RUN = "dry_run"
MAX_BODY_BYTES = 4 * 1024 * 1024
"""Of a JSON body. Archives have limits of their own."""
ARCHIVE_TYPES = ("application/gzip", "application/zip", "application/x-tar")
MAX_PARAMETERS = 200
KEY_PATTERN = f"[!-~]([ -~]{{0,{MAX_KEY_LENGTH - 2}}}[!-~])?"
"""Of an `Idempotency-Key`: spaces around a header's value are no part of it (RFC 9110, section 5.5)."""

_ETAG = re.compile(r'"([0-9]{1,18})(?:\.[0-9a-f]{16})?"')
_EXACT = 2**53  # up to it a float is the integer that was written
_BOOLEANS = {"true": True, "false": False}


def read_operation(
    route: Route, path: Mapping[str, str], query: Iterable[tuple[str, str]], body: bytes
) -> Operation[Any]:
    """The operation that is asked for. Raises `Malformed` or `Invalid` with the field that is not right."""
    found = _in_body(route, body, query) if route.has_body else _in_query(route, query)
    if twice := found.keys() & path.keys():
        raise Malformed(f"{min(twice)!r} is in the URL already")
    try:
        # What is in a URL is text, whatever it stands for.
        operation: Operation[Any] = msgspec.convert({**found, **path}, route.operation, strict=route.has_body)
    except msgspec.ValidationError as error:
        fault = Invalid if isinstance(error.__cause__, Invalid) else Malformed  # a rule that no schema tells
        raise fault(str(error)) from None
    if unfit := [name for name, value in path.items() if not value.isprintable()]:
        # No schema tells which letters are seen; and in Python's patterns `$` lets a last newline through.
        raise Invalid(f"{unfit[0]!r} is one line of letters that can be seen")
    return operation


def read_terms(route: Route, query: Iterable[tuple[str, str]], if_match: str | None, key: str | None) -> Terms:
    """The terms of a change. Raises `Malformed`, and `Stale` for an `If-Match` that no answer had."""
    if not route.is_change:
        return Terms()
    if key is not None and not re.fullmatch(KEY_PATTERN, key):
        raise Malformed(f"an Idempotency-Key has 1 to {MAX_KEY_LENGTH} printable ASCII characters")
    given = [value for name, value in query if name == DRY_RUN]
    if len(given) > 1 or any(value not in _BOOLEANS for value in given):
        raise Malformed(f"{DRY_RUN} is true or false, once")
    return Terms(_revision(if_match), key, is_preview=any(_BOOLEANS[value] for value in given))


def _revision(if_match: str | None) -> int | None:
    """The revision that an `If-Match` names (RFC 9110, section 13.1.1); `*` is any."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise Stale(f'If-Match has the ETag of one earlier answer, as in "12": {if_match[:80]!r} is none')
    return int(found[1])


def _in_body(route: Route, body: bytes, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    if unknown := [name for name, _ in query if name != DRY_RUN or not route.is_change]:
        raise Malformed(f"{unknown[0]!r} is no parameter of the URL here: it goes into the body")
    if not body:
        return {}
    try:
        found = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deep") from None
    if not isinstance(found, dict):
        raise Malformed("the body is a JSON object")
    return found


def _in_query(route: Route, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    lists = {field.name for field in msgspec.structs.fields(route.operation) if is_list(field.type)}
    found: dict[str, Any] = {}
    for count, (name, value) in enumerate(query, 1):
        if count > MAX_PARAMETERS:
            raise Malformed(f"the URL has more than {MAX_PARAMETERS} parameters")
        if name == DRY_RUN and route.is_change:
            continue
        if name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise Malformed(f"{name!r} is there twice")
        else:
            found[name] = value
    return found


def _number(text: str) -> int | float:
    """A number with a fraction of zero is an integer too (JSON Schema 2020-12, validation 6.1.1)."""
    number = float(text)
    if not math.isfinite(number):
        raise Malformed("a number of the body is too large")
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


_decode = msgspec.json.Decoder(float_hook=_number).decode


def is_list(kind: Any) -> bool:
    """True for a field that may be given several times in a query."""
    origin = get_origin(kind)
    if origin is Annotated:
        return is_list(get_args(kind)[0])
    if origin is UnionType:
        return any(is_list(each) for each in get_args(kind))
    return origin is tuple
