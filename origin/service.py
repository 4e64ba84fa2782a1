"""From a request to its answer: what the routing table, the library and the clock make of a target."""

from http import HTTPStatus

from bundles.core.digest import digest_of
from bundles.core.errors import Invalid
from bundles.core.names import Product
from bundles.core.version import Version
from origin.core.answer import Answer
from origin.core.common import Common, common_redirect
from origin.core.faults import HttpFault, error_answer, method_not_allowed, not_found
from origin.core.headers import moving_headers, preflight_headers, representation_headers
from origin.core.prepared import PreparedBuild
from origin.core.represent import answer_document, answer_file
from origin.core.request import RequestView
from origin.core.routes import redirect, refuse_withdrawn, resolution, resolution_document, tenant_tags
from origin.core.target import ExactFile, TenantResolution, parse_target
from origin.library import Library
from origin.ports import Clock, TableInForce


class Service:
    """Answers every request of the data plane."""

    def __init__(self, routing: TableInForce, library: Library, clock: Clock) -> None:
        self._routing = routing
        self._library = library
        self._clock = clock

    async def answer(self, request: RequestView) -> Answer:
        """The answer, be it an error. Raises `Failed` where the store does not work."""
        try:
            if request.method == "OPTIONS":
                return Answer(HTTPStatus.NO_CONTENT, preflight_headers())
            if request.method not in ("GET", "HEAD"):
                raise method_not_allowed()
            return await self._answer(request)
        except HttpFault as fault:
            return error_answer(fault)

    async def _answer(self, request: RequestView) -> Answer:
        try:
            target = parse_target(request.path)
        except Invalid as error:
            raise not_found(str(error)) from None
        if isinstance(target, ExactFile):
            return await self._exact_file(target, request)
        if isinstance(target, TenantResolution):
            return await self._resolution(target, request)
        moved = redirect(self._routing.table, target, self._clock.now())
        headers = {**moving_headers(*moved.tags), "content-length": "0", "location": moved.location}
        return Answer(HTTPStatus.FOUND, headers, until=moved.until, common=moved.common)

    def common(self, target: bytes) -> Common | None:
        """What the answer to this target, as it is on the wire, has in common with others now."""
        return common_redirect(self._routing.table, target, self._clock.now())

    async def _exact_file(self, target: ExactFile, request: RequestView) -> Answer:
        refuse_withdrawn(self._routing.table, target)
        build = await self._build(target.product, target.version)
        artifact = build.artifacts.get(target.path)
        if artifact is None:
            raise not_found(f"{target.product}@{target.version} has no file {target.path!r}")
        return answer_file(request, artifact)

    async def _resolution(self, target: TenantResolution, request: RequestView) -> Answer:
        table = self._routing.table
        version, resolved = resolution(table, target, self._clock.now())
        build = await self._build(target.product, version)
        revision = 0 if table is None else table.revision
        body = resolution_document(target, version, resolved, revision, build.links)
        headers = {
            **representation_headers(digest_of(body), len(body), "application/json"),
            **moving_headers(*tenant_tags(target.tenant, target.product)),
        }
        return answer_document(request, headers, body)

    async def _build(self, product: Product, version: Version) -> PreparedBuild:
        build = await self._library.build(product, version)
        if build is None:
            raise not_found(f"there is no build {product}@{version}")
        return build
