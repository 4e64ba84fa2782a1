"""The answers that are not what was asked for: small, readable by every site, kept for seconds or not at all."""

from collections.abc import Iterable
from http import HTTPStatus

from origin.core.answer import Answer
from origin.core.headers import ALLOWED_METHODS, ERROR, NO_STORE, OPEN, Headers


class HttpFault(Exception):
    """An error response: its status, one line that says what was wrong and what to do, and headers of its own."""

    def __init__(self, status: HTTPStatus, message: str, headers: Headers | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def error_answer(fault: HttpFault) -> Answer:
    """The response to send for a fault."""
    body = (fault.message + "\n").encode()
    headers = {
        **OPEN,
        "cache-control": ERROR,
        "content-length": str(len(body)),
        "content-type": "text/plain; charset=utf-8",
        **fault.headers,
    }
    return Answer(fault.status, headers, body)


def forbidden() -> HttpFault:
    """403: who asks is not the edge. Nobody keeps this: the edge gets another answer by the same URL."""
    own = {"cache-control": NO_STORE}
    return HttpFault(HTTPStatus.FORBIDDEN, "this origin answers its edge alone: ask at the public address", own)


def not_found(message: str) -> HttpFault:
    """404: there is no such thing, yet."""
    return HttpFault(HTTPStatus.NOT_FOUND, message)


def method_not_allowed() -> HttpFault:
    """405: the data plane only reads."""
    return HttpFault(HTTPStatus.METHOD_NOT_ALLOWED, f"ask with {ALLOWED_METHODS}", {"allow": ALLOWED_METHODS})


def not_acceptable(codings: Iterable[str]) -> HttpFault:
    """406: the client rules out every coding that there is."""
    return HttpFault(
        HTTPStatus.NOT_ACCEPTABLE,
        f"Accept-Encoding takes none of this file's encodings: {', '.join(codings)}",
        {"vary": "Accept-Encoding"},
    )


def gone(message: str) -> HttpFault:
    """410: there was such a thing, and nobody may have it."""
    return HttpFault(HTTPStatus.GONE, message)


def precondition_failed(headers: Headers) -> HttpFault:
    """412: the client wants another representation. Nobody keeps this: no cache keys on `If-Match`."""
    message = f"If-Match names another representation than this one, {headers['etag']}"
    return HttpFault(HTTPStatus.PRECONDITION_FAILED, message, {**headers, "cache-control": NO_STORE})


def range_not_satisfiable(size: int, headers: Headers) -> HttpFault:
    """416: nothing of the ranges is in the body. Nobody keeps this: no cache keys on `Range`."""
    own = {"content-range": f"bytes */{size}", "cache-control": NO_STORE}
    message = f"none of the ranges is in a body of {size} bytes"
    return HttpFault(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, message, {**headers, **own})


def unavailable(message: str) -> HttpFault:
    """503: what is needed to answer is away; ask again."""
    own = {"cache-control": NO_STORE, "retry-after": "1"}
    return HttpFault(HTTPStatus.SERVICE_UNAVAILABLE, message, own)
