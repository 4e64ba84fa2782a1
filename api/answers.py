"""Answers and problems as HTTP responses."""

from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.core.limits import Busy, TooMany
from api.core.problems import CONTENT_TYPE, NoSuchMethod, kind_of, problem_of
from bundles.core.errors import HeadraceError, NotAuthenticated

COMMON_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
REQUEST_ID = "x-request-id"


def answer_to(request: Request, answer: Any, status: int) -> Response:
    """The answer in JSON, or 304 where the client has it (RFC 9110, section 13.1.2).

    Its ETag begins with the revision of the routing table, where the answer is of one, for a later `If-Match`.
    What follows is of all its bytes: an answer also tells of what has no revision, as what a gate has seen.
    """
    body = msgspec.json.encode(answer)
    digest = sha256(body).hexdigest()[:16]
    revision = getattr(answer, "revision", None)
    etag = f'"{digest}"' if revision is None else f'"{revision}.{digest}"'
    if request.method in ("GET", "HEAD") and _knows(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**COMMON_HEADERS, "etag": etag})
    return Response(body, status, {**COMMON_HEADERS, "etag": etag}, "application/json")


def problem_response(fault: HeadraceError, request_id: str) -> Response:
    """The fault as a problem (RFC 9457)."""
    body = msgspec.json.encode(problem_of(fault, request_id))
    return Response(body, kind_of(fault).status, fault_headers(fault, request_id), CONTENT_TYPE)


def fault_headers(fault: HeadraceError, request_id: str) -> dict[str, str]:
    """The header of what tells of a fault, in whatever form."""
    headers = {**COMMON_HEADERS, REQUEST_ID: request_id}
    match fault:
        case NotAuthenticated():
            headers["www-authenticate"] = 'Bearer realm="headrace"'
        case TooMany() | Busy():
            headers["retry-after"] = str(fault.retry_after)
        case NoSuchMethod():
            headers["allow"] = ", ".join(fault.allowed)
    return headers


def _knows(request: Request, etag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    return any(each.strip().removeprefix("W/") in (etag, "*") for each in given.split(","))
