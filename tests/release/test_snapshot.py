"""The snapshot as bytes: a root and its shards."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Range, Version
from release.core.limits import MAX_BLOCKS, MAX_PINS, Use, check_limits
from release.core.names import STABLE, Tenant
from release.core.routing import Block, ChannelState, Pin, ProductRoutes, Rollout, RoutingTable
from release.core.shards import Counts, PartKey, Shard, ShardName, patch, shard_of, split
from release.core.snapshot import (
    MAX_ROOT_BYTES,
    VALID_SECONDS,
    Loaded,
    Root,
    ShardRef,
    decode_root,
    encode_root,
    encode_shard,
    load,
    load_shard,
    unloaded,
)
from tests.release.strategies import pins, plans, tenants, versions
from tests.support.snapshots import in_shards

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
    pins=st.dictionaries(
        st.builds("{}~{}".format, tenants, st.sampled_from(["production", "qa"])), pins, max_size=5
    ),
    blocks=st.dictionaries(versions, st.builds(Block, author=st.text(), reason=st.text()), max_size=2),
    retired=st.frozensets(versions, max_size=2),
).filter(lambda routes: routes != ProductRoutes())
products = st.sampled_from(["sdk", "@acme/menu", "tool"]).map(Product)
tables = st.builds(
    RoutingTable,
    revision=st.integers(0, 2**53),
    products=st.dictionaries(products, product_routes),
    audit_head=st.sampled_from(["", "f" * 64]),
    tenants=st.dictionaries(tenants, st.just({"tier": "free"}), max_size=4),
)
SDK, ACME = Product("sdk"), Tenant("acme")


def loaded(table: RoutingTable) -> Loaded:
    root, bodies = in_shards(table)
    return load(decode_root(encode_root(root)), bodies, None)


@given(tables)
def test_a_table_survives_its_bytes_and_the_bytes_are_canonical(table: RoutingTable) -> None:
    root, bodies = in_shards(table)
    again = load(decode_root(encode_root(root)), bodies, None)
    assert again.table == table
    assert in_shards(again.table) == (root, bodies)


@given(tables, products, tenants, pins | st.none())
def test_a_changed_pin_changes_one_shard_and_the_same_bytes_come_of_it_as_of_the_whole_table(
    table: RoutingTable, product: Product, tenant: Tenant, pin: Pin | None
) -> None:
    before = loaded(table)
    routes = table.products.get(product, ProductRoutes())
    owned = {} if pin is None else {f"{tenant}~production": pin}
    others = {owner: other for owner, other in routes.pins.items() if owner.partition("~")[0] != tenant}
    new = msgspec.structs.replace(routes, pins={**others, **owned})
    changed = RoutingTable(table.revision + 1, {**table.products, product: new}, table.audit_head, table.tenants)
    root, bodies = in_shards(changed)
    patched = patch(before.shards, {PartKey(product, tenant): ProductRoutes(pins=owned)})
    assert {name for name, ref in root.shards.items() if before.root.shards.get(name) != ref} <= {shard_of(tenant)}
    assert patched == {shard_of(tenant): split(changed).get(shard_of(tenant), Shard())}
    after = load(root, {ref.digest: bodies[ref.digest] for ref in unloaded(root, before).values()}, before)
    assert after == load(root, bodies, None)
    for name, same in after.table.products.items():
        assert name == product or same is before.table.products[name]


@given(tables, tables)
def test_from_any_snapshot_to_any_other_what_is_loaded_is_the_other(old: RoutingTable, new: RoutingTable) -> None:
    before = loaded(old)
    root, bodies = in_shards(new)
    assert load(root, {ref.digest: bodies[ref.digest] for ref in unloaded(root, before).values()}, before) == load(
        root, bodies, None
    )


@given(tables, products, product_routes)
def test_a_products_own_routes_are_one_part(table: RoutingTable, product: Product, routes: ProductRoutes) -> None:
    held = table.products.get(product, ProductRoutes())
    own = msgspec.structs.replace(routes, pins={})
    changed = {**table.products, product: msgspec.structs.replace(own, pins=held.pins)}
    routed = {name: routes for name, routes in changed.items() if routes != ProductRoutes()}
    patched = patch(split(table), {PartKey(product): own})
    whole = {shard_of(product): Shard(), **split(msgspec.structs.replace(table, products=routed))}
    assert {**split(table), **patched} == whole


@given(tables, tenants, st.sampled_from([{}, {"tier": "enterprise"}]))
def test_what_is_known_of_a_tenant_is_one_part(table: RoutingTable, tenant: Tenant, about: dict[str, str]) -> None:
    before = loaded(table)
    changed = {key: value for key, value in {**table.tenants, tenant: about}.items() if value}
    root, bodies = in_shards(msgspec.structs.replace(table, revision=table.revision + 1, tenants=changed))
    patched = patch(before.shards, {PartKey(None, tenant): about})
    assert patched == {shard_of(tenant): load(root, bodies, None).shards.get(shard_of(tenant), Shard())}
    after = load(root, {ref.digest: bodies[ref.digest] for ref in unloaded(root, before).values()}, before)
    assert after.table.tenants == changed
    assert all(after.table.products[name] is routes for name, routes in before.table.products.items())


@given(tables, st.data())
def test_a_damaged_shard_or_root_is_refused_and_never_a_crash(table: RoutingTable, data: st.DataObject) -> None:
    root, bodies = in_shards(table)
    encoded = bytearray(encode_root(root))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Failed):
        decode_root(bytes(encoded))
    for name, ref in root.shards.items():
        body = bytearray(bodies[ref.digest])
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] ^= data.draw(st.integers(1, 255))
        with pytest.raises(Failed, match="not those that the snapshot's root names"):
            load_shard(name, ref, bytes(body))
        with contextlib.suppress(Failed):
            load_shard(name, ref_of(ref, bytes(body)), bytes(body))


def ref_of(ref: ShardRef, body: bytes) -> ShardRef:
    return msgspec.structs.replace(ref, digest=digest_of(body), size=len(body))


VALID = {
    "products": {
        "sdk": {
            "channels": {
                "stable": {
                    "history": ["1.0.0"],
                    "rollout": {
                        "candidate": "1.1.0",
                        "plan": {"stages": [{"bake_seconds": 7, "kind": "cohort", "share": 10000}]},
                        "salt": "ab",
                        "stage_index": 0,
                        "stage_since": 1,
                        "progress": "paused",
                    },
                }
            },
            "pins": {},
            "blocks": {"1.2.0": {"author": "sam", "reason": ""}},
            "retired": ["0.1.0"],
        }
    }
}
PINS = {
    "products": {"sdk": {"pins": {"acme~production": {"target": "^1", "author": "sam", "reason": ""}}}},
    "tenants": {"acme": {"tier": "enterprise"}},
}


def body_of(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).replace('"pins":{},', "")


def load_as(name: str, body: str, *counts: int) -> None:
    load_shard(
        ShardName(name), ShardRef(digest_of(body.encode()), len(body.encode()), Counts(*counts)), body.encode()
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"sdk"', '"../sdk"'),
        ('"sdk"', '"tool"'),  # which belongs into another shard
        ('"stable":', '"x":'),
        ('["1.0.0"]', '["one"]'),
        ('["1.0.0"]', '["1.0.0+meta"]'),
        ('"candidate":"1.1.0"', '"candidate":"1.1"'),
        ('"share":10000', '"share":10001'),
        ('"share":10000', '"share":-1'),
        ('"share":10000', '"share":5000'),
        ('"stage_index":0', '"stage_index":1'),
        ('"stage_index":0', '"stage_index":-1'),
        ('"1.2.0"', '"1.2"'),
        ('"0.1.0"', '"0.1"'),
        ('"0.1.0"', '"0.1.0","0.1.0"'),
        ('"progress":"paused"', '"progress":"flying"'),
        # As another version, or another program, would write it:
        ('"progress":"paused"', '"progress":"running"'),
        ('"salt":"ab"', '"salt":"ab","salt":"ab"'),
        ('"salt":"ab"', '"salt":"ab" '),
        ('"salt":"ab"', '"salt":"ab","unheard":1'),
        ('"salt":"ab"', '"salt":"ab","unheard":' + "[" * 100_000 + "]" * 100_000),
    ],
)
def test_what_no_controller_would_write_is_not_loaded(old: str, new: str) -> None:
    valid, home = body_of(VALID), shard_of("sdk")
    load_as(home, valid, 1, 0, 0)
    assert old in valid
    with pytest.raises(Failed, match=r"is damaged|is not loaded|not as this version writes it"):
        load_as(home, valid.replace(old, new), 1, 0, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"acme~production"', '"acme"'),
        ('"acme~production"', '"../~production"'),
        ('"acme~production"', '"beta~production"'),  # which belongs into another shard
        ('"target":"^1"', '"target":"^^"'),
        ('"tenants":{"acme"', '"tenants":{"beta"'),  # which belongs into another shard
        ('"tier"', '"Tier"'),
        ('"pins":{', '"blocks":{"1.0.0":{"author":"sam","reason":""}},"pins":{'),
        # The same twice: which is meant?
        ('"pins":{', '"pins":{"acme~production":{"author":"eve","reason":"","target":"^2"},'),
    ],
)
def test_a_pin_that_no_controller_would_write_is_not_loaded(old: str, new: str) -> None:
    valid, home = body_of(PINS), shard_of("acme")
    load_as(home, valid, 0, 1, 1)
    assert old in valid
    with pytest.raises(Failed, match=r"is damaged|is not loaded|not as this version writes it"):
        load_as(home, valid.replace(old, new), 0, 1, 1)
    with pytest.raises(Failed, match="other counts"):
        load_as(home, valid, 0, 2, 1)


def test_a_snapshot_of_the_version_before_is_read_and_one_of_the_next_is_read_until_it_uses_what_is_new() -> None:
    """What has its default is not written: a field that is new since makes no difference until it is used."""
    shard = {
        SDK: ProductRoutes(channels={STABLE: ChannelState()}, pins={"acme~production": Pin(Range("^1"), "", "")})
    }
    _, body = encode_shard(shard_of("sdk"), Shard(shard))
    assert body == (
        b'{"products":{"sdk":{"channels":{"stable":{}},'
        b'"pins":{"acme~production":{"author":"","reason":"","target":"^1"}}}}}'
    )


ROOT = {
    "audit_head": "",
    "expires_at": 9,
    "issue": 5,
    "revision": 3,
    "shards": {"0a": {"counts": {"pins": 1, "products": 0, "tenants": 0}, "digest": "a" * 64, "size": 9}},
}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"revision":3', '"revision":-3'),
        ('"revision":3', '"revision":"3"'),
        ('"revision":3', '"revision":3,"revision":4'),
        ('"issue":5', '"issue":-5'),
        ('"issue":5,', ""),
        ('"audit_head":"",', ""),
        ('"expires_at":9', '"expires_at":-9'),
        ('"expires_at":9', '"expires_at":999999999999999'),
        ('"0a"', '"0A"'),
        ('"0a"', '"0ag"'),
        ('"0a"', '"../"'),
        ("a" * 64, "a" * 63),
        ("a" * 64, "../" + "a" * 61),
        ('"size":9', '"size":-9'),
        ('"size":9', '"size":16777217'),
        ('"pins":1', '"pins":1000001'),
        ('"products":0', '"products":200001'),
        (
            '"shards":{',
            '"shards":{"0a":{"counts":{"pins":1,"products":0,"tenants":0},"digest":"' + "b" * 64 + '","size":9},',
        ),
    ],
)
def test_a_root_that_no_controller_would_write_is_not_loaded(old: str, new: str) -> None:
    valid = body_of(ROOT)
    decode_root(valid.encode())
    assert old in valid
    with pytest.raises(Failed):
        decode_root(valid.replace(old, new).encode())


def test_a_root_of_one_byte_too_many_is_not_parsed() -> None:
    with pytest.raises(Failed, match="most that is loaded"):
        decode_root(b" " * (MAX_ROOT_BYTES + 1))


def test_a_shard_of_more_than_the_limits_is_not_loaded() -> None:
    blocks = {f"1.0.{number}": Block("", "") for number in range(MAX_BLOCKS + 1)}
    shard = Shard({SDK: ProductRoutes(blocks=msgspec.convert(blocks, dict[Version, Block]))})
    ref, body = encode_shard(shard_of("sdk"), shard)
    with pytest.raises(Failed, match="10001 blocked builds of sdk are too many: at most 10000 are loaded"):
        load_shard(shard_of("sdk"), ref, body)


@pytest.mark.parametrize(("used", "level"), [(0, 0), (49, 0), (50, 50), (79, 50), (80, 80), (100, 80)])
def test_limits_are_near_at_half_and_at_four_fifths(used: int, level: int) -> None:
    assert Use("pins", used, 100).level == level
    check_limits([Use("pins", used, 100)])


def test_a_root_is_signed_anew_at_half_of_its_time_and_when_the_clock_was_set_right() -> None:
    root = Root(1, 1, 10 * VALID_SECONDS, "", {})
    for seconds_left, is_fresh in [
        (VALID_SECONDS, True),
        (VALID_SECONDS // 2 + 1, True),
        (VALID_SECONDS // 2, False),
        (0, False),
        (-1, False),
        (VALID_SECONDS + 1, False),  # signed by a clock that was ahead
    ]:
        assert root.is_fresh(root.expires_at - seconds_left) is is_fresh


def test_limits_hold_for_all_shards_together() -> None:
    ref = ShardRef(Digest("a" * 64), 1, Counts(0, MAX_PINS // 2 + 1, 0))
    decode_root(encode_root(Root(1, 1, 1, "", {ShardName("00"): ref})))
    with pytest.raises(Failed, match=f"pins are too many: at most {MAX_PINS}"):
        decode_root(encode_root(Root(1, 1, 1, "", {ShardName("00"): ref, ShardName("01"): ref})))
