"""Every manifest of a store, several at a time: what is done for all builds is bound by the store's answers."""

from collections.abc import Awaitable, Callable, Iterator

import anyio

from bundles.core.names import Product
from bundles.core.version import Version
from bundles.ports import BuildReader
from bundles.variants import first_known

_AT_A_TIME = 16

Look = Callable[[Product, Version, bytes], Awaitable[None]]


async def each_manifest(store: BuildReader, look: Look) -> None:
    """Give each build's sealed manifest to `look`, in no order. Of a product, one at a time."""

    async def work(products: Iterator[Product]) -> None:
        for product in products:
            for version in await store.versions(product):
                sealed = await store.read_manifest(product, version)
                if sealed is not None:
                    await look(product, version, sealed)

    waiting = iter(await store.products())
    try:
        async with anyio.create_task_group() as group:
            for _ in range(_AT_A_TIME):
                group.start_soon(work, waiting)
    except ExceptionGroup as faults:
        raise first_known(faults) from faults
