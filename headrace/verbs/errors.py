"""`headrace errors`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import msgspec
import typer
from rich.console import Console

from beacons.core.beacon import Frame
from beacons.core.groups import ErrorGroup
from beacons.core.sources import Place, Unknown
from beacons.trace import trace
from bundles.core.errors import Failed, Invalid
from bundles.core.names import Product, parse_product
from bundles.core.version import Version, parse_version
from bundles.load import load_build
from headrace import wiring
from headrace.error_view import ErrorGroupView, draw_group, view_group
from headrace.health_wiring import health_store, open_source_map
from headrace.options import (
    DEFAULT_DATA,
    AsJson,
    Data,
    EnvironmentName,
    HealthDatabase,
    ProductName,
    VersionText,
    example,
)
from headrace.terminal import show
from release.core.names import PRODUCTION, Environment, parse_environment

app = typer.Typer(add_completion=False)
Places = Mapping[Frame, Place | Unknown]


class Errors(msgspec.Struct, frozen=True):
    """The answer of `headrace errors`: a build's groups in an environment, those of most units first.

    A unit is one page's installation of the SDK, and counts in the group of its first error.
    """

    product: Product
    version: Version
    environment: Environment
    groups: tuple[ErrorGroupView, ...]


@app.command(epilog=example("headrace errors posthog-js 1.4.2"))
def errors(
    product: ProductName,
    version: VersionText,
    environment: EnvironmentName = PRODUCTION,
    data: Data = DEFAULT_DATA,
    health_database: HealthDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Show a build's errors in groups, each with a stack in the sources by the source maps published with it."""
    name, wanted = parse_product(product), parse_version(version)
    where = parse_environment(environment)

    async def run() -> tuple[Sequence[ErrorGroup], Places]:
        async with health_store(data, health_database) as health:
            groups = await health.errors.groups(name, wanted, where)
        return groups, await _places(data, name, wanted, groups)

    groups, places = anyio.run(run)
    answer = Errors(name, wanted, where, tuple(view_group(group, places) for group in groups))
    show(answer, as_json, lambda console: _draw(console, answer))


async def _places(data: Path, product: Product, version: Version, groups: Sequence[ErrorGroup]) -> Places:
    """Where the groups' frames are in the sources; where the build can't be read, why they are not known."""
    frames = {frame for group in groups for frame in group.frames}
    try:
        async with wiring.store(data) as store:
            manifest = await load_build(store, wiring.trusted_keys(data), product, version)
            if manifest is not None:
                return await trace(frames, manifest, store, open_source_map)
    except Failed as error:
        return dict.fromkeys(frames, Unknown(str(error)))
    if not groups:
        raise Invalid(f"there is no build {product}@{version}")
    return dict.fromkeys(frames, Unknown("the build is not in the store"))


def _draw(console: Console, answer: Errors) -> None:
    count = len(answer.groups)
    found = "no errors" if not count else f"{count} {'group' if count == 1 else 'groups'} of errors"
    console.print(f"{answer.product}@{answer.version} ({answer.environment}): {found}")
    for group in answer.groups:
        console.print()
        draw_group(console, group)
