"""How long a resolution takes, beside its peers: `python -m benchmarks.resolution [--json]`.

One percentage rule with one override, of random tenants: by Headrace, and by the Python SDKs of Unleash and
GrowthBook, each asked by its public interface and without any network. SHA-256 alone is the floor: a bucket is
a part of it by definition. Then Headrace alone, from few known tenants, pins and products to many. All take turns,
and medians of all rounds are compared, of the time that the core worked for them; the garbage collector is off.
The peers are in requirements-bench.lock, which `make bench` installs.
"""

import argparse
import gc
import hashlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import msgspec
from growthbook import GrowthBook
from rich.console import Console
from rich.table import Table
from UnleashClient import UnleashClient
from UnleashClient.cache import FileCache

from bundles.core.names import Product
from bundles.core.version import Range, Version
from release.core.names import PRODUCTION, STABLE, Tenant
from release.core.plan import parse_plan
from release.core.resolve import resolve_tenant
from release.core.routing import ChannelState, Pin, ProductRoutes, Rollout, RoutingTable, pin_name

_NOW = 1_800_000_000
_OLD, _NEW = Version("1.0.0"), Version("1.1.0")
_PINNED = Tenant("acme")
_SDK = Product("sdk")
_SALT = "0123456789abcdef0123456789abcdef"
_MANY_TENANTS, _MANY_PINS, _MANY_PRODUCTS = 1_000_000, 100_000, 1_000
_ASKED_AT_ONCE = 1_000  # what is asked for is made just before, as a request is read: it is not what is measured
_ASKED_IN_A_TURN = 5

Asks = Sequence[tuple[Product, Tenant]]
Answer = Callable[[Asks], object]
"""Asks for each, and gives the last answer."""


class Case(msgspec.Struct, frozen=True):
    """Who answers, and of how many products and tenants it is asked."""

    name: str
    answer: Answer
    products: int = 1
    tenants: int = _MANY_TENANTS


class Figure(msgspec.Struct, frozen=True):
    """Microseconds for one resolution, and how that compares with another of the same round; medians."""

    what: str
    microseconds: float
    ratio: float


def main() -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks.resolution", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=31, help="how often each has its turn; the median counts")
    options = parser.parse_args()
    with _peers() as peers:
        beside = _compare(peers, options.rounds)
    flat = [figure for pair in _sizes() for figure in _compare(pair, options.rounds)]
    if options.json:
        print(json.dumps({"peers": msgspec.to_builtins(beside), "sizes": msgspec.to_builtins(flat)}, indent=2))
        return
    _show("one percentage rule, one override", "times Headrace's", beside)
    _show("Headrace, few and many", "of few", flat)


def _compare(cases: Sequence[Case], rounds: int) -> list[Figure]:
    """Each case's figure; the ratio is to the first of them."""
    dice = random.Random(7)
    turns = [[_turn(case, dice) for case in cases] for _ in range(rounds + 1)][1:]  # the first one warms up
    return [
        Figure(
            case.name,
            round(statistics.median(turn[place] for turn in turns), 3),
            round(statistics.median(turn[place] / turn[0] for turn in turns), 2),
        )
        for place, case in enumerate(cases)
    ]


def _turn(case: Case, dice: random.Random) -> float:
    """Microseconds for one."""
    spent = 0.0
    gc.disable()
    for _ in range(_ASKED_IN_A_TURN):
        asks = [
            (_product(dice.randrange(case.products)), _tenant(dice.randrange(case.tenants)))
            for _ in range(_ASKED_AT_ONCE)
        ]
        began = time.thread_time()
        case.answer(asks)
        spent += time.thread_time() - began
    gc.enable()
    return spent / _ASKED_IN_A_TURN / _ASKED_AT_ONCE * 1e6


def _product(number: int) -> Product:
    return Product(f"sdk-{number}") if number else _SDK


def _tenant(number: int) -> Tenant:
    return Tenant(f"tenant-{number}")


@contextmanager
def _peers() -> Iterator[list[Case]]:
    with ExitStack() as stack:
        unleash = stack.enter_context(_unleash())
        answers = {"Headrace": _headrace(_table()), "GrowthBook": _growthbook(), "Unleash": unleash}
        for name, answer in answers.items():
            _check(name, answer)
        answers["SHA-256 alone"] = _sha256
        yield [Case(name, answer) for name, answer in answers.items()]


def _check(name: str, answer: Answer) -> None:
    """See that it does what is compared: half of the tenants get the candidate, never the one who is pinned."""
    asks = [(_SDK, _tenant(number)) for number in range(10_000)]
    share = sum(answer([each]) == _NEW for each in asks) / len(asks)
    if not 0.48 < share < 0.52 or answer([(_SDK, _PINNED)]) != _OLD:
        raise SystemExit(f"{name} does not answer as it was told to: {share:.0%} get the candidate")


def _headrace(table: RoutingTable) -> Answer:
    """As an origin asks."""

    def answer(asks: Asks) -> object:
        for product, tenant in asks:
            resolved = resolve_tenant(table.products[product], tenant, now=_NOW, known=table.tenants)
        return resolved.build

    return answer


def _growthbook() -> Answer:
    rules = [
        {"condition": {"id": _PINNED}, "force": _OLD},
        {"force": _NEW, "coverage": 0.5, "hashAttribute": "id"},
    ]
    client = GrowthBook(features={_SDK: {"defaultValue": _OLD, "rules": rules}})

    def answer(asks: Asks) -> object:
        for product, tenant in asks:
            client.set_attributes({"id": tenant})
            value = client.get_feature_value(product, _OLD)
        return value

    return answer


@contextmanager
def _unleash() -> Iterator[Answer]:
    rollout = {"rollout": "50", "stickiness": "userId", "groupId": _SDK}
    not_pinned = {"contextName": "userId", "operator": "NOT_IN", "values": [_PINNED]}
    strategy = {"name": "flexibleRollout", "parameters": rollout, "constraints": [not_pinned]}
    feature = {"name": _SDK, "type": "release", "enabled": True, "project": "default", "strategies": [strategy]}
    with tempfile.TemporaryDirectory() as folder:
        cache = FileCache("benchmark", directory=folder)
        cache.bootstrap_from_dict({"version": 2, "features": [feature]})
        client = UnleashClient(
            "http://localhost:1", "benchmark", cache=cache, disable_metrics=True, disable_registration=True
        )
        client.initialize_client(fetch_toggles=False)

        def answer(asks: Asks) -> object:
            for product, tenant in asks:
                is_on = client.is_enabled(product, {"userId": tenant})
            return _NEW if is_on else _OLD

        yield answer
        client.destroy()


def _sha256(asks: Asks) -> object:
    for _, tenant in asks:
        digest = hashlib.sha256(f"{_SALT}\0{tenant}".encode()).digest()
    return digest


def _sizes() -> Iterator[Sequence[Case]]:
    """Of each kind of number: few, and many."""
    yield _known_tenants([])
    yield _known_tenants(["tier=trial"])
    yield (
        Case("no pins", _headrace(_table(pins={}))),
        Case(f"without a pin, among {_MANY_PINS:,} pins", _headrace(_table(pins=_pins("other")))),
        Case(f"with one of {_MANY_PINS:,} pins", _headrace(_table(pins=_pins("tenant"))), tenants=_MANY_PINS),
    )
    yield (
        Case("1 product", _headrace(_table())),
        Case(f"{_MANY_PRODUCTS:,} products", _headrace(_table(products=_MANY_PRODUCTS)), _MANY_PRODUCTS),
    )


def _known_tenants(first: Sequence[str]) -> Sequence[Case]:
    """What is known of a tenant is looked up only by a plan that goes by it."""
    asked = ", looked up" if first else ""
    return [
        Case(f"{count:,} known tenants{asked}", _headrace(_table(known=count, first=first)), tenants=count)
        for count in (1_000, _MANY_TENANTS)
    ]


def _pins(name: str) -> Mapping[str, Pin]:
    ranges = [Range(text) for text in ("1.0.0", "^1", "~1.0", ">=1 <2")]
    return {
        pin_name(Tenant(f"{name}-{number}"), PRODUCTION): Pin(ranges[number % len(ranges)], "sam", "tested")
        for number in range(_MANY_PINS)
    }


def _table(
    *, known: int = 0, first: Sequence[str] = (), pins: Mapping[str, Pin] | None = None, products: int = 1
) -> RoutingTable:
    """A candidate that half of the tenants get of each product, and one pin unless others are named."""
    held = {pin_name(_PINNED, PRODUCTION): Pin(Range(_OLD), "sam", "tested")} if pins is None else pins
    routes = {}
    for number in range(products):
        rollout = Rollout(_NEW, parse_plan("50,100", [], None, first=first), _SALT, 0, _NOW)
        routes[_product(number)] = ProductRoutes({STABLE: ChannelState((_OLD,), rollout)}, held)
    return RoutingTable(1, routes, tenants={_tenant(number): {"tier": "free"} for number in range(known)})


def _show(title: str, ratio: str, figures: Sequence[Figure]) -> None:
    table = Table(title, "µs", ratio, box=None)
    for figure in figures:
        table.add_row(figure.what, f"{figure.microseconds:.2f}", f"{figure.ratio:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print()


if __name__ == "__main__":
    main()
