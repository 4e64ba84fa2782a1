"""From a request and a representation to the answer: conditions, ranges and methods (RFC 9110)."""

import math
from http import HTTPStatus

from bundles.core.span import Span
from origin.core.answer import Answer, BlobBody
from origin.core.conditional import Outcome, evaluate, may_send_range
from origin.core.dictionary import parse_available_dictionary
from origin.core.faults import not_acceptable, precondition_failed, range_not_satisfiable
from origin.core.headers import Headers, not_modified_headers, partial_headers, refusal_headers
from origin.core.multipart import content_range, make_multipart
from origin.core.prepared import PreparedArtifact, PreparedVariant
from origin.core.ranges import requested_spans
from origin.core.request import RequestView


def answer_file(request: RequestView, artifact: PreparedArtifact) -> Answer:
    """The answer to a GET or HEAD of an artifact. Raises `HttpFault` for 406, 412 and 416."""
    dictionary = parse_available_dictionary(request.available_dictionary)
    variant = artifact.choose(request.accept_encoding, dictionary)
    if variant is None:
        raise not_acceptable(artifact.sizes)
    if _is_known(request, variant.headers):
        return Answer(HTTPStatus.NOT_MODIFIED, not_modified_headers(variant.headers), until=math.inf)
    if may_send_range(request, variant.headers["etag"]):
        spans = requested_spans(request.range or "", variant.size)
        if spans == ():
            raise range_not_satisfiable(variant.size, refusal_headers(variant.headers))
        # A `Content-Encoding` beside several parts would say that the envelope is encoded: the whole is sent.
        if spans is not None and (len(spans) == 1 or "content-encoding" not in variant.headers):
            return _partial(variant, spans)
    whole = (Span(0, variant.size),) if variant.size else ()
    return Answer(HTTPStatus.OK, variant.headers, BlobBody(variant.digest, variant.size, whole), math.inf)


def answer_document(request: RequestView, headers: Headers, body: bytes) -> Answer:
    """The answer to a GET or HEAD of a document made for it. Raises `HttpFault` for 412."""
    if _is_known(request, headers):
        return Answer(HTTPStatus.NOT_MODIFIED, not_modified_headers(headers))
    return Answer(HTTPStatus.OK, headers, body)


def _is_known(request: RequestView, headers: Headers) -> bool:
    """True where the client holds the representation that has these headers. Raises `HttpFault` for 412."""
    outcome = evaluate(request, headers["etag"])
    if outcome is Outcome.FAILED:
        raise precondition_failed(refusal_headers(headers))
    return outcome is Outcome.NOT_MODIFIED


def _partial(variant: PreparedVariant, spans: tuple[Span, ...]) -> Answer:
    headers = partial_headers(variant.headers)
    if len(spans) == 1:
        own = {"content-range": content_range(spans[0], variant.size), "content-length": str(spans[0].size)}
        body = BlobBody(variant.digest, variant.size, spans)
        return Answer(HTTPStatus.PARTIAL_CONTENT, {**headers, **own}, body, math.inf)
    multipart = make_multipart(spans, variant.digest, variant.size, headers["content-type"])
    own = {"content-type": multipart.content_type, "content-length": str(multipart.size)}
    body = BlobBody(variant.digest, variant.size, multipart.parts)
    return Answer(HTTPStatus.PARTIAL_CONTENT, {**headers, **own}, body, math.inf)
