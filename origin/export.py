"""Export: what the origin would answer, as files and a list of headers, for a static host to fail over to.

Every answer is that of the origin's own `Service`: nothing here knows a header.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from urllib.parse import unquote

import anyio
import msgspec

from bundles.core.errors import Failed, Invalid
from bundles.core.names import ArtifactPath, Product
from bundles.core.trust import TrustedKeys
from bundles.core.urls import exact_url
from bundles.core.version import Range, Version
from bundles.deltas import read_whole
from bundles.ports import BuildReader
from bundles.variants import first_known
from origin.core.answer import Answer, BlobBody
from origin.core.exported import Entry, Export, MovingName, StaticFile, encode_export, moving_names, needed_now
from origin.core.request import RequestView
from origin.core.target import ExactFile, parse_target
from origin.library import Library
from origin.ports import Clock, Tree
from origin.service import Service
from release.core.routing import ProductRoutes, RoutingTable

_AT_A_TIME = 16
_ANY_PATH = "any"

Progress = Callable[[], None]


class Wanted(msgspec.Struct, frozen=True):
    """Of which products, all where none is named; with which ranges beside those of each release; and how many
    builds before a channel's stable one.
    """

    products: tuple[Product, ...]
    ranges: tuple[Range, ...]
    keep: int


class Plan(msgspec.Struct, frozen=True):
    """All that an export will hold: each build's files, and the names that point at them."""

    files: tuple[StaticFile, ...]
    moving: tuple[MovingName, ...]


class _FixedTable(msgspec.Struct, frozen=True):
    """One routing table, in force for as long as an export takes."""

    table: RoutingTable


class Exporter:
    """The origin as it would answer by one routing table, without deltas: no static host keys on dictionaries."""

    def __init__(self, table: RoutingTable, store: BuildReader, trusted: TrustedKeys, clock: Clock) -> None:
        self._table = table
        self._store = store
        self._clock = clock
        self._library = Library(store, trusted, send_deltas=False)
        self._service = Service(_FixedTable(table), self._library, clock)

    async def plan(self, wanted: Wanted) -> Plan:
        """What there is to export.

        Raises `Invalid` for a product or a range that nothing was released of, `Failed` for a lost build.
        """
        files: list[StaticFile] = []
        moving: list[MovingName] = []
        for product in wanted.products or sorted(self._table.products):
            routes = self._table.products.get(product)
            if routes is None:
                raise Invalid(f"nothing of a product {product!r} has been released")
            pointing = [found async for found in self._pointing(product, routes, wanted)]
            builds = needed_now(routes, wanted.keep, self._clock.now()) | {found.version for found in pointing}
            for version in sorted(builds):
                files += [file async for file in self._files(product, version)]
            moving += pointing
        known = {found.name for found in moving}
        for wanted_range in wanted.ranges:
            if wanted_range.text not in known:
                raise Invalid(f"no released build is in the range {wanted_range.text!r}")
        return Plan(tuple(sorted(files)), tuple(moving))

    async def export(self, plan: Plan, tree: Tree, progress: Progress) -> Export:
        """Write the plan's files into the tree, then the list of them all, and take away what is not in it.

        `progress` is called after each file. The list is replaced in one step, once all that it names is there.
        Raises `Failed` for a body that is missing or damaged: the list is then as it was before.
        """
        entries: list[Entry] = []

        async def work(files: Iterator[StaticFile]) -> None:
            for file in files:
                entries.append(await self._write(file, tree))
                progress()

        waiting = iter(plan.files)
        try:
            async with anyio.create_task_group() as group:
                for _ in range(_AT_A_TIME):
                    group.start_soon(work, waiting)
        except ExceptionGroup as faults:
            raise first_known(faults) from faults
        entries += [entry async for entry in self._redirects(plan)]
        entries.sort(key=lambda entry: (entry.url, entry.coding))
        export = Export(self._table.revision, tuple(entries))
        await tree.finish(encode_export(export), {file.file for file in plan.files})
        return export

    async def _pointing(
        self, product: Product, routes: ProductRoutes, wanted: Wanted
    ) -> AsyncIterator[MovingName]:
        """The moving names that stand for a build now. The origin sends any path there, so any path tells."""
        for name in moving_names(routes, wanted.ranges):
            answer = await self._service.answer(RequestView("GET", f"/{product}@{name}/{_ANY_PATH}"))
            if answer.status != HTTPStatus.FOUND:
                continue
            target = parse_target(unquote(answer.headers["location"]))
            if isinstance(target, ExactFile):
                yield MovingName(product, name, target.version)

    async def _files(self, product: Product, version: Version) -> AsyncIterator[StaticFile]:
        build = await self._library.build(product, version)
        if build is None:
            raise Failed(f"{product}@{version} is in the routing table, but not in the store: restore it")
        for path, artifact in build.artifacts.items():
            for coding in artifact.variants:
                yield StaticFile(product, version, path, coding)

    async def _write(self, file: StaticFile, tree: Tree) -> Entry:
        url = exact_url(file.product, file.version, file.path)
        answer = await self._ask(url, file.coding, HTTPStatus.OK)
        if not isinstance(answer.body, BlobBody):
            raise TypeError(f"{url} was answered with no blob")
        digest = answer.body.digest
        if not await tree.holds(file.file, digest):
            body = await read_whole(self._store, digest)
            if body is None:
                raise Failed(
                    f"the body of {url} in {file.coding} is missing or damaged: restore the blob {digest}"
                )
            await tree.write(file.file, body)
        return Entry(url, file.coding, answer.status, answer.headers, file.file)

    async def _redirects(self, plan: Plan) -> AsyncIterator[Entry]:
        paths: dict[tuple[Product, Version], dict[ArtifactPath, None]] = {}
        for file in plan.files:
            paths.setdefault((file.product, file.version), {})[file.path] = None
        for name in plan.moving:
            for path in paths[name.product, name.version]:
                url = name.url(path)
                answer = await self._ask(url, "identity", HTTPStatus.FOUND)
                yield Entry(url, "identity", answer.status, answer.headers, None)

    async def _ask(self, url: str, coding: str, expected: HTTPStatus) -> Answer:
        """The origin's answer to who takes this coding alone. Raises `Failed` for an error."""
        answer = await self._service.answer(RequestView("GET", unquote(url), accept_encoding=coding))
        if answer.status != expected:
            raise Failed(f"the origin answers {url} with {answer.status}: export again")
        return answer
