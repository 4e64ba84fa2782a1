"""From a request to its answer: what the routing table, the library and the bodies make of a target."""

from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.datastructures import Headers as RequestHeaders
from starlette.responses import Response, StreamingResponse

from bundles.core.digest import digest_of
from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from origin.bodies import Bodies
from origin.core.conditional import is_known
from origin.core.faults import HttpFault, not_found
from origin.core.headers import MOVING, OPEN, Headers, cache_tags, etag_of, not_modified_headers, redirect_headers
from origin.core.prepared import PreparedBuild
from origin.core.routes import (
    redirect,
    refuse_blocked,
    resolution,
    resolution_document,
    tenant_tags,
)
from origin.core.target import ExactFile, TenantResolution, parse_target
from origin.library import Library
from origin.ports import Clock
from origin.routing import Routing


class Service:
    """Answers GET and HEAD. Raises `HttpFault` for an error response, `Failed` where the store does not work."""

    def __init__(self, routing: Routing, library: Library, bodies: Bodies, clock: Clock) -> None:
        self._routing = routing
        self._library = library
        self._bodies = bodies
        self._clock = clock

    async def answer(self, path: str, headers: RequestHeaders, *, is_head: bool) -> Response:
        """The response to a percent-decoded path."""
        try:
            target = parse_target(path)
        except Invalid as error:
            raise not_found(str(error)) from None
        if isinstance(target, ExactFile):
            return await self._exact_file(target, headers, is_head=is_head)
        if isinstance(target, TenantResolution):
            return await self._resolution(target, headers, is_head=is_head)
        moved = redirect(self._routing.table, target, self._clock.now())
        return Response(status_code=HTTPStatus.FOUND, headers=redirect_headers(moved.location, *moved.tags))

    async def _exact_file(self, target: ExactFile, headers: RequestHeaders, *, is_head: bool) -> Response:
        refuse_blocked(self._routing.table, target)
        build = await self._build(target.product, target.version)
        artifact = build.artifacts.get(target.path)
        if artifact is None:
            raise not_found(f"{target.product}@{target.version} has no file {target.path!r}")
        variant = artifact.choose(_joined(headers, "accept-encoding"))
        if variant is None:
            raise HttpFault(
                HTTPStatus.NOT_ACCEPTABLE,
                f"Accept-Encoding takes none of this file's encodings: {', '.join(artifact.sizes)}",
            )
        if is_known(_joined(headers, "if-none-match"), variant.headers["etag"]):
            return _not_modified(variant.headers)
        if is_head:
            return Response(headers=variant.headers)
        body = await self._bodies.body(variant.digest, variant.size)
        if isinstance(body, bytes):
            return Response(body, headers=variant.headers)
        return StreamingResponse(await _begun(body), headers=variant.headers)

    async def _resolution(self, target: TenantResolution, headers: RequestHeaders, *, is_head: bool) -> Response:
        table = self._routing.table
        version, resolved = resolution(table, target, self._clock.now())
        build = await self._build(target.product, version)
        revision = 0 if table is None else table.revision
        body = resolution_document(target, version, resolved, revision, build.links)
        own = {
            **OPEN,
            "cache-control": MOVING,
            "cache-tag": cache_tags(*tenant_tags(target.tenant, target.product)),
            "content-length": str(len(body)),
            "content-type": "application/json",
            "etag": etag_of(digest_of(body)),
        }
        if is_known(_joined(headers, "if-none-match"), own["etag"]):
            return _not_modified(own)
        return Response(b"" if is_head else body, headers=own)

    async def _build(self, product: Product, version: Version) -> PreparedBuild:
        build = await self._library.build(product, version)
        if build is None:
            raise not_found(f"there is no build {product}@{version}")
        return build


def _not_modified(headers: Headers) -> Response:
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=not_modified_headers(headers))


def _joined(headers: RequestHeaders, name: str) -> str | None:
    """A list header's value, its lines joined (RFC 9110, section 5.3); None without the header."""
    lines = headers.getlist(name)
    return ", ".join(lines) if lines else None


async def _begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, the first one fetched already: a body that can't be had is an error, no broken 200."""
    first = await anext(chunks)

    async def all_chunks() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_chunks()
