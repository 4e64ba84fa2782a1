"""The routing table as bytes."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Failed
from bundles.core.names import Product
from release.core.names import STABLE
from release.core.routing import Block, ChannelState, ProductRoutes, Rollout, RoutingTable
from release.core.snapshot import decode_table, encode_table
from tests.release.strategies import pins, plans, tenants, versions

rollouts = st.builds(
    Rollout,
    candidate=versions,
    plan=plans(),
    salt=st.just("ab"),
    stage_index=st.just(0),
    stage_since=st.integers(0),
)
channels = st.builds(
    ChannelState, history=st.lists(versions, unique=True).map(tuple), rollout=st.none() | rollouts
)
product_routes = st.builds(
    ProductRoutes,
    channels=st.dictionaries(st.just(STABLE), channels),
    pins=st.dictionaries(tenants.map(lambda tenant: f"{tenant}~production"), pins, max_size=3),
    blocks=st.dictionaries(versions, st.builds(Block, author=st.text(), reason=st.text()), max_size=2),
)
products = st.sampled_from(["sdk", "@acme/menu"]).map(Product)
tables = st.builds(
    RoutingTable, revision=st.integers(0, 2**53), products=st.dictionaries(products, product_routes)
)


@given(tables)
def test_a_table_survives_its_bytes_and_the_bytes_are_canonical(table: RoutingTable) -> None:
    encoded = encode_table(table)
    assert decode_table(encoded) == table
    assert encode_table(decode_table(encoded)) == encoded


@given(tables, st.data())
def test_a_damaged_table_is_refused_and_never_a_crash(table: RoutingTable, data: st.DataObject) -> None:
    encoded = bytearray(encode_table(table))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Failed):
        decode_table(bytes(encoded))


VALID = {
    "revision": 3,
    "products": {
        "sdk": {
            "channels": {
                "stable": {
                    "history": ["1.0.0"],
                    "rollout": {
                        "candidate": "1.1.0",
                        "plan": {"stages": [{"kind": "cohort", "share": 10000, "bake_seconds": None}]},
                        "salt": "ab",
                        "stage_index": 0,
                        "stage_since": 1,
                        "progress": "running",
                    },
                }
            },
            "pins": {"acme~production": {"target": "^1", "author": "sam", "reason": ""}},
            "blocks": {"1.2.0": {"author": "sam", "reason": ""}},
        }
    },
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"sdk"', '"../sdk"'),
        ('"stable":', '"x":'),
        ('["1.0.0"]', '["one"]'),
        ('["1.0.0"]', '["1.0.0+meta"]'),
        ('"candidate":"1.1.0"', '"candidate":"1.1"'),
        ('"share":10000', '"share":10001'),
        ('"share":10000', '"share":-1'),
        ('"share":10000', '"share":5000'),
        ('"stage_index":0', '"stage_index":1'),
        ('"stage_index":0', '"stage_index":-1'),
        ('"acme~production"', '"acme"'),
        ('"acme~production"', '"../~production"'),
        ('"target":"^1"', '"target":"^^"'),
        ('"1.2.0"', '"1.2"'),
        ('"revision":3', '"revision":-3'),
        ('"revision":3', '"revision":"3"'),
        ('"progress":"running"', '"progress":"flying"'),
    ],
)
def test_what_no_controller_would_write_is_not_loaded(old: str, new: str) -> None:
    valid = msgspec.json.encode(VALID).decode()
    decode_table(valid.encode())
    assert old in valid
    with pytest.raises(Failed, match="damaged"):
        decode_table(valid.replace(old, new).encode())
