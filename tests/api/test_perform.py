"""Operations on a real control plane: who may ask for which, and what answers them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
import pytest

from api.core.access import Caller, Grant
from api.core.operation import Operation, Terms
from api.core.problems import kind_of
from api.core.role import Role
from api.operations.blocks import ClearBlock, ListBlocks, SetBlock
from api.operations.channels import PromoteRollout, StartRollout
from api.operations.pins import ClearPin, ListPins, ReadPin, SetPin
from api.operations.policy import ApplyPolicy, ReadPolicy
from api.operations.retirements import RetireBuilds
from api.operations.smoke import ListOutcomes
from api.operations.tenants import ClearTenant, ImportTenants, ListTenants, ReadTenant, SetTenant
from api.perform import Plane, perform
from api.views.plan import plan_of
from bundles.core.errors import HeadraceError, Invalid, NotAllowed, NotFound, Refused, Stale
from release.change import Previewed
from release.core.freeze import Freeze
from release.core.moves import Move
from release.core.names import PRODUCTION, Tenant
from release.core.pins import PinKind, PinRule
from release.core.policy import Policy, RolloutRule
from tests.release.conftest import BUILDS, SDK, control

__all__ = ["control"]  # here, one with three published builds

pytestmark = pytest.mark.anyio

A = TypeVar("A")

ONE, TWO, THREE = BUILDS
ADMIN = Caller("ada", Grant(roles=frozenset({Role.ADMIN})))
ACME = Caller("acme", Grant(roles=frozenset({Role.CUSTOMER}), tenant=Tenant("acme")))
CUSTOMERS_MAY = Policy(pins=(PinRule(customers=(PinKind.EXACT, PinKind.RANGE)),))

READERS = {Role.VIEWER, Role.PUBLISHER, Role.RELEASER, Role.APPROVER, Role.ADMIN}
RELEASERS = {Role.RELEASER, Role.ADMIN}
WHO_MAY: Mapping[Operation[Any], set[Role]] = {
    SetPin(product="sdk", tenant="acme", environment="production", target="1.0.0"): RELEASERS | {Role.CUSTOMER},
    ReadPin(product="sdk", tenant="acme", environment="production"): READERS | {Role.CUSTOMER},
    ClearPin(product="sdk", tenant="acme", environment="production"): RELEASERS | {Role.CUSTOMER},
    ListPins(product="sdk"): READERS,
    SetBlock(product="sdk", version="1.0.0"): RELEASERS | {Role.APPROVER},
    ClearBlock(product="sdk", version="1.0.0"): RELEASERS,
    ListBlocks(product="sdk"): READERS,
    ListOutcomes(product="sdk", channel="stable", candidate="1.0.0"): READERS,
    ReadTenant(tenant="acme"): READERS,
    ClearTenant(tenant="acme"): RELEASERS,
    ListTenants(): READERS,
    ReadPolicy(): READERS,
    ApplyPolicy(policy=Policy()): {Role.ADMIN},
    RetireBuilds(): {Role.ADMIN},
}


def caller(role: Role, *products: str) -> Caller:
    tenant = Tenant("acme") if role is Role.CUSTOMER else None
    return Caller(f"a {role}", Grant(roles=frozenset({role}), products=products or ("*",), tenant=tenant))


async def ask(plane: Plane, asked: Operation[A], who: Caller = ADMIN, **terms: Any) -> A:
    return await perform(plane, who, asked, Terms(**terms))


async def is_let(plane: Plane, asked: Operation[Any], who: Caller) -> bool:
    """Whether it is not for want of a right that it is not done; it is only tried."""
    try:
        await ask(plane, asked, who, is_preview=True)
    except NotAllowed:
        return False
    except (HeadraceError, Previewed):
        return True
    return True


async def release(plane: Plane, version: str) -> None:
    await ask(plane, StartRollout(product="sdk", channel="stable", candidate=version, stages="100"))
    await ask(plane, PromoteRollout(product="sdk", channel="stable"))


def set_pin(tenant: str, target: str | None = None, *, as_customer: bool = False) -> SetPin:
    return SetPin(
        product="sdk",
        tenant=tenant,
        environment="production",
        target=target,
        as_customer=as_customer,
        reason="why",
    )


def read_pin(tenant: str) -> ReadPin:
    return ReadPin(product="sdk", tenant=tenant, environment="production")


def clear_pin(tenant: str) -> ClearPin:
    return ClearPin(product="sdk", tenant=tenant, environment="production")


async def test_each_operation_is_for_its_roles_alone(plane: Plane) -> None:
    written: list[Operation[Any]] = [
        SetTenant(tenant="acme", attributes={"tier": "free"}),
        ImportTenants(tenants={"acme": {"tier": "free"}}, source="tenants.txt"),
    ]
    for asked, roles in [*WHO_MAY.items(), *((each, RELEASERS) for each in written)]:
        let = {role for role in Role if await is_let(plane, asked, caller(role))}
        assert let == roles, asked
    assert (await plane.control.ledger.table()).revision == 0, "what was tried was not made"


async def test_a_grant_for_other_products_lets_do_nothing_to_this_one(plane: Plane) -> None:
    elsewhere = caller(Role.RELEASER, "other-*")
    for asked in WHO_MAY:
        if getattr(asked, "product", None) is not None:
            assert not await is_let(plane, asked, elsewhere), asked
            assert await is_let(plane, asked, ADMIN), asked


async def test_what_all_products_go_by_is_changed_with_a_grant_for_all_of_them(plane: Plane) -> None:
    releaser, admin = caller(Role.RELEASER, "sdk", "sdk-*"), caller(Role.ADMIN, "sdk", "sdk-*")
    for asked in (
        SetTenant(tenant="acme", attributes={"tier": "free"}),
        ImportTenants(tenants={"acme": {"tier": "free"}}, source="tenants.txt"),
        ClearTenant(tenant="acme"),
    ):
        assert not await is_let(plane, asked, releaser), asked
    assert not await is_let(plane, ApplyPolicy(policy=Policy()), admin)
    for products, let in {"*": False, "s*": False, "other": False, "sdk-*": True, "sdk": True}.items():
        assert await is_let(plane, RetireBuilds(products=products), admin) is let, products
    assert await ask(plane, ReadPolicy(), releaser) == Policy()


async def test_a_customer_has_its_own_pin_within_the_policy(plane: Plane) -> None:
    await release(plane, ONE)
    with pytest.raises(Refused, match="may not set a pin of kind exact itself"):
        await ask(plane, set_pin("acme"), ACME)
    await ask(plane, ApplyPolicy(policy=CUSTOMERS_MAY))
    pinned = await ask(plane, set_pin("acme"), ACME)
    assert (pinned.target, pinned.by_customer, pinned.author, pinned.reason) == (ONE, True, "acme", "why")
    at = await ask(plane, read_pin("acme"), ACME)
    assert (at.target, at.build, at.revision) == (ONE, ONE, 4)
    assert (await ask(plane, clear_pin("acme"), ACME)).target == ONE
    with pytest.raises(NotFound, match="acme has no pin on sdk"):
        await ask(plane, read_pin("acme"), ACME)


async def test_a_customer_has_nothing_to_do_with_another_ones_pin_nor_with_the_vendors(plane: Plane) -> None:
    await release(plane, ONE)
    await ask(plane, ApplyPolicy(policy=CUSTOMERS_MAY))
    for tenant in ("zeta", "acme"):
        await ask(plane, set_pin(tenant, "1.0.0"))
    of_another: list[Operation[Any]] = [set_pin("zeta", "^1"), read_pin("zeta"), clear_pin("zeta")]
    for asked in of_another:
        with pytest.raises(NotAllowed, match="its own tenant alone"):
            await ask(plane, asked, ACME)
    for of_the_vendor in (set_pin("acme", "^1"), clear_pin("acme")):
        with pytest.raises(Refused, match="a customer can't change it"):
            await ask(plane, of_the_vendor, ACME)
    assert (await ask(plane, read_pin("acme"), ACME)).by_customer is False


async def test_a_customer_is_told_of_no_other_product(plane: Plane) -> None:
    for target in ("1.0.0", "^1", "candidates"):
        asked = SetPin(product="nope", tenant="acme", environment="production", target=target)
        with pytest.raises(NotFound) as told:
            await ask(plane, asked, ACME)
        assert str(told.value) == "unknown product 'nope'"
        with pytest.raises(NotFound, match="known are sdk"):
            await ask(plane, asked)


async def test_the_vendor_may_act_as_the_customer_would(plane: Plane) -> None:
    await release(plane, ONE)
    with pytest.raises(Refused, match="may not set a pin of kind exact itself"):
        await ask(plane, set_pin("acme", "1.0.0", as_customer=True))
    await ask(plane, ApplyPolicy(policy=CUSTOMERS_MAY))
    assert (await ask(plane, set_pin("acme", "1.0.0", as_customer=True))).by_customer is True
    assert (await ask(plane, set_pin("acme", "1.0.0"))).by_customer is False


async def test_lists_come_page_by_page(plane: Plane) -> None:
    await release(plane, ONE)
    names = ["a", "b", "c"]
    await ask(plane, ImportTenants(tenants={name: {"tier": name} for name in names}, source="names.txt"))
    for name in names:
        await ask(plane, set_pin(name, "1.1.0"))
    for version in (TWO, THREE):
        await ask(plane, SetBlock(product="sdk", version=version))
    first = await ask(plane, ListPins(product="sdk", warned=True, limit=2))
    assert first.next is not None
    last = await ask(plane, ListPins(product="sdk", warned=True, limit=2, cursor=first.next))
    assert [pin.tenant for pin in (*first.items, *last.items)] == names
    assert (last.next, last.items[0].warnings) == (None, ("its build is blocked",))
    tenants = await ask(plane, ListTenants(limit=2))
    rest = await ask(plane, ListTenants(limit=2, cursor=tenants.next or ""))
    assert [each.attributes["tier"] for each in (*tenants.items, *rest.items)] == names
    blocks = await ask(plane, ListBlocks(product="sdk", limit=1))
    more = await ask(plane, ListBlocks(product="sdk", limit=1, cursor=blocks.next or ""))
    assert [block.version for block in (*blocks.items, *more.items)] == [TWO, THREE]
    assert more.next is None


async def test_a_block_says_whom_it_moves_and_a_preview_says_so_before(plane: Plane) -> None:
    await release(plane, ONE)
    await ask(plane, set_pin("acme", "1.1.0"))
    moved = [Move(Tenant("acme"), PRODUCTION, TWO, ONE)]
    with pytest.raises(Previewed) as tried:
        await ask(plane, SetBlock(product="sdk", version=TWO), is_preview=True)
    plan = plan_of(tried.value, [Tenant("zeta")], plane.control.clock.now())
    assert (plan.revision, plan.channels[0].known, plan.channels[0].moves) == (3, 2, moved)
    assert (await ask(plane, ListBlocks(product="sdk"))).items == ()
    blocked = await ask(plane, SetBlock(product="sdk", version=TWO, reason="leaks"))
    assert (blocked.affected, blocked.author, blocked.reason) == (moved, "ada", "leaks")
    await ask(plane, ClearBlock(product="sdk", version=TWO))
    with pytest.raises(NotFound):
        await ask(plane, ClearBlock(product="sdk", version=TWO))


async def test_what_is_known_of_a_tenant(plane: Plane) -> None:
    await ask(plane, SetTenant(tenant="acme", attributes={"tier": "free"}))
    assert (await ask(plane, ReadTenant(tenant="acme"))).attributes == {"tier": "free"}
    with pytest.raises(Invalid, match="not an attribute"):
        await ask(plane, ImportTenants(tenants={"acme": {"Tier": "free"}}, source="tenants.txt"))
    with pytest.raises(Invalid, match="one line"):
        await ask(plane, ImportTenants(tenants={"acme": {}}, source="two\nlines"))
    await ask(plane, ClearTenant(tenant="acme"))
    for asked in (ReadTenant(tenant="acme"), ClearTenant(tenant="acme")):
        with pytest.raises(NotFound, match="nothing is known"):
            await ask(plane, asked)


async def test_a_policy_is_put_in_force_whole_and_with_its_calendars_read(plane: Plane) -> None:
    policy = Policy(rollout=(RolloutRule(stages="staging,100"),))
    assert await ask(plane, ApplyPolicy(policy=policy)) == policy
    assert await ask(plane, ReadPolicy(), caller(Role.VIEWER)) == policy
    with pytest.raises(Stale):
        await ask(plane, ApplyPolicy(policy=Policy()), expected_revision=7)
    unread = Policy(freeze=(Freeze(name="holidays", calendar="holidays.ics"),))
    with pytest.raises(Invalid, match="'holidays' names a calendar that was not read"):
        await ask(plane, ApplyPolicy(policy=unread))
    assert await ask(plane, ReadPolicy()) == policy


@pytest.mark.parametrize("rules", [[{}] * 201, [{"stages": "5," * 2_001}], [{"canary": ["a"] * 1_001}]])
async def test_a_policys_limits_are_in_its_types(rules: list[object]) -> None:
    with pytest.raises(msgspec.ValidationError, match="length <="):
        msgspec.convert({"policy": {"rollout": rules}}, ApplyPolicy)


async def test_builds_are_retired_when_that_is_told_and_not_where_it_is_only_tried(plane: Plane) -> None:
    await release(plane, THREE)
    wanted = RetireBuilds(products="sdk", versions=(ONE,), apply=True)
    shown = await ask(plane, msgspec.structs.replace(wanted, apply=False))
    assert [(build.version, shown.applied) for build in shown.builds] == [(ONE, False)]
    assert await ask(plane, wanted, is_preview=True) == shown
    with pytest.raises(Invalid, match="can't expect a revision"):
        await ask(plane, wanted, expected_revision=2)
    assert await plane.control.builds.versions(SDK) == [*BUILDS]
    assert (await ask(plane, wanted)).applied
    assert ONE not in await plane.control.builds.versions(SDK)
    with pytest.raises(NotFound, match="no product matches"):
        await ask(plane, RetireBuilds(products="other"))


async def test_a_retirement_that_has_too_little_time_is_refused_and_so_not_tried_again(
    plane: Plane,
) -> None:
    await release(plane, THREE)
    hurried = msgspec.structs.replace(plane, most_seconds=0)
    for apply in (False, True):
        with pytest.raises(Refused, match="where the data folder is") as refused:
            await ask(hurried, RetireBuilds(products="sdk", versions=(ONE,), apply=apply))
        assert kind_of(refused.value).status == HTTPStatus.CONFLICT
    assert await plane.control.builds.versions(SDK) == [*BUILDS]


async def test_what_came_of_no_smoke_test_is_an_empty_list(plane: Plane) -> None:
    assert (await ask(plane, ListOutcomes(product="sdk", channel="stable", candidate=ONE))).items == ()
    with pytest.raises(NotFound, match="no live rollout"):
        await ask(plane, ListOutcomes(product="sdk", channel="stable"))
