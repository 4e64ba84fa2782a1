"""What is read through the admin API, and by whom, on a real SQLite database and a real disk."""

from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from api import feed
from api.core.access import ADMINS, Caller, Grant
from api.core.operation import Operation, Terms
from api.core.page import seal_cursor
from api.core.role import Role
from api.operations.builds import ListBuilds, ListProducts, ReadBuild, ReadErrors, ReadProvenance
from api.operations.changes import DiffRevisions, ListAuditRows, ListChanges, Order, VerifyAuditTrail
from api.operations.channels import PauseRollout, PromoteRollout, ReadRollout, RollBack, StartRollout
from api.operations.resolutions import FindHolders, ListHolders, ReadResolution
from api.perform import Plane, look, perform
from api.ports import Access
from api.sources import OpenedSources
from bundles.core.errors import Conflict, Failed, Invalid, NotAllowed, NotFound, Refused
from bundles.core.names import Product
from bundles.core.version import Version
from headrace.sources import FolderSources
from release.change import Control
from release.core.ending import How
from release.core.names import Tenant
from release.core.notices import Severity
from release.core.resolve import Reason
from tests.support.smoke import publish_files

pytestmark = pytest.mark.anyio
A = TypeVar("A")
SDK, OTHER = Product("sdk"), Product("other")
ONE, TWO = Version("1.0.0"), Version("1.1.0")
ADMIN = Caller("token:root", Grant(roles=ADMINS))
VIEWER = Caller("token:eve", Grant(roles=frozenset({Role.VIEWER})))
ACME = Caller("token:acme", Grant(roles=frozenset({Role.CUSTOMER}), tenant=Tenant("acme")))
OF_OTHER = Caller("token:oth", Grant(roles=frozenset({Role.VIEWER}), products=("other",)))


@pytest.fixture
async def plane(data: Path, control: Control, access: Access) -> Plane:
    """Two products: one with a stable build and a rollout that was taken back, and, at revision 3, the other."""
    for product in (SDK, OTHER):
        for version in (ONE, TWO):
            await publish_files(data, {"sdk.js": f"globalThis.sdk = '{product} {version}';"}, version, product)
    plane = Plane(control, access, FolderSources(data, None))
    await change(plane, StartRollout(product=SDK, channel="stable", candidate=ONE))
    await change(plane, PromoteRollout(product=SDK, channel="stable", to="done"))
    await change(plane, StartRollout(product=OTHER, channel="stable", candidate=ONE))
    await change(plane, StartRollout(product=SDK, channel="stable", candidate=TWO, stages="staging,canary,100"))
    await change(plane, RollBack(product=SDK, channel="stable", reason="it leaks"))
    return plane


async def change(plane: Plane, asked: Operation[Any]) -> None:
    await perform(plane, ADMIN, asked, Terms())


async def read(plane: Plane, asked: Operation[A], caller: Caller = VIEWER) -> A:
    return await perform(plane, caller, asked, Terms())


async def test_changes_are_listed_in_both_orders_page_by_page(plane: Plane) -> None:
    newest = await read(plane, ListChanges(product=SDK, limit=2))
    assert [each.revision for each in newest.items] == [5, 4]
    assert (newest.items[0].actor, newest.items[0].reason) == ("token:root", "it leaks")
    assert newest.items[0].severity is Severity.WARNING
    assert list(newest.items[0].after or ()) == ["channels/sdk/stable"]
    rest = await read(plane, ListChanges(product=SDK, limit=2, cursor=str(newest.next)))
    assert ([each.revision for each in rest.items], rest.next) == ([2, 1], None)
    oldest = await read(plane, ListChanges(after=2, order=Order.OLDEST, limit=2))
    assert [each.revision for each in oldest.items] == [3, 4]
    rest = await read(plane, ListChanges(after=2, order=Order.OLDEST, limit=2, cursor=str(oldest.next)))
    assert ([each.revision for each in rest.items], rest.next) == ([5], None)
    assert (await read(plane, ListChanges(product=SDK, channel="next"))).items == ()
    with pytest.raises(Conflict, match="before 9"):
        await read(plane, ListChanges(after=9))
    with pytest.raises(Invalid, match="name that too"):
        await read(plane, ListChanges(channel="stable"))
    for key in ("xyz", "-1", "9" * 50):
        with pytest.raises(Invalid, match="of no page"):
            await read(plane, ListChanges(cursor=seal_cursor(key)))
        with pytest.raises(Invalid, match="of no page"):
            await read(plane, ListAuditRows(cursor=seal_cursor(key)))


async def test_who_has_a_right_to_one_product_sees_the_changes_of_that_alone(plane: Plane) -> None:
    assert [each.revision for each in (await read(plane, ListChanges(), OF_OTHER)).items] == [3]
    diff = DiffRevisions(before=0, after=5)
    assert [each.place for each in (await read(plane, diff, OF_OTHER)).changes] == ["channels/other/stable"]
    assert len((await read(plane, diff)).changes) == 2
    with pytest.raises(NotFound, match="no revision 6 yet"):
        await read(plane, DiffRevisions(before=0, after=6))
    with pytest.raises(NotAllowed, match="other products"):
        await read(plane, ListChanges(product=SDK), OF_OTHER)
    with pytest.raises(NotAllowed, match="of all of them"):
        await read(plane, ListAuditRows(), OF_OTHER)
    with pytest.raises(NotAllowed, match="of all of them"):
        await read(plane, VerifyAuditTrail(), OF_OTHER)


async def test_the_trail_is_exported_and_verified(plane: Plane) -> None:
    first = await read(plane, ListAuditRows(limit=3))
    rest = await read(plane, ListAuditRows(limit=3, cursor=str(first.next)))
    rows = [*first.items, *rest.items]
    assert rest.next is None
    assert [row.entry["revision"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row.entry["previous"] for row in rows[1:]] == [row.hash for row in rows[:-1]]
    verdict = await read(plane, VerifyAuditTrail())
    assert (verdict.revision, verdict.vouched_for, verdict.faults) == (5, 5, ())


async def test_changes_are_followed_as_they_are_made(plane: Plane) -> None:
    ledger = plane.control.ledger
    async with aclosing(feed.follow(ledger, SDK, 4, VIEWER.grant)) as views:
        assert [view and view.revision for view in (await anext(views), await anext(views))] == [5, None]
        await change(plane, PromoteRollout(product=OTHER, channel="stable", to="done"))
        await change(plane, StartRollout(product=SDK, channel="stable", candidate=TWO))
        told = await anext(views)
        assert told is not None
        assert (told.revision, told.verb, told.severity) == (7, "start", Severity.INFO)
    async with aclosing(feed.follow(ledger, None, 0, OF_OTHER.grant)) as views:
        assert [view and view.revision for view in (await anext(views), await anext(views))] == [3, 6]


@pytest.mark.usefixtures("plane")
async def test_what_only_reads_needs_no_key_that_signs(data: Path) -> None:
    (data / "keys" / "signing.pem").unlink()
    found = await look(FolderSources(data, None), VIEWER, ListChanges())
    assert len(found.items) == 5
    assert not (data / "keys" / "signing.pem").exists()


async def test_builds_are_listed_the_newest_version_first_and_shown_file_by_file(plane: Plane, data: Path) -> None:
    await publish_files(data, {"a.js": "1", "b.js": "2", "c.js": "3"}, Version("1.0.10"))
    assert [each.product for each in (await read(plane, ListProducts())).items] == [OTHER, SDK]
    assert [each.product for each in (await read(plane, ListProducts(), OF_OTHER)).items] == [OTHER]
    first = await read(plane, ListBuilds(product=SDK, limit=2))
    rest = await read(plane, ListBuilds(product=SDK, limit=2, cursor=str(first.next)))
    assert [each.version for each in (*first.items, *rest.items)] == [TWO, "1.0.10", ONE]
    assert rest.next is None
    build = await read(plane, ReadBuild(product=SDK, version="1.0.10", limit=2))
    last = await read(plane, ReadBuild(product=SDK, version="1.0.10", cursor=str(build.artifacts.next)))
    assert [each.path for each in (*build.artifacts.items, *last.artifacts.items)] == ["a.js", "b.js", "c.js"]
    assert build.digest == last.digest
    provenance = await read(plane, ReadProvenance(product=SDK, version=ONE))
    assert (provenance.product, provenance.attestations) == (SDK, ())
    errors = await read(plane, ReadErrors(product=SDK, version=ONE))
    assert (errors.environment, errors.groups) == ("production", ())
    for asked in (ReadBuild, ReadProvenance, ReadErrors):
        with pytest.raises(NotFound, match=r"no build sdk@9\.9\.9"):
            await change(plane, asked(product=SDK, version="9.9.9"))
    with pytest.raises(NotFound, match="no build of none"):
        await read(plane, ListBuilds(product="none"))


async def test_why_a_tenant_gets_a_build_is_told_to_it_without_the_vendors_affairs(plane: Plane) -> None:
    await change(
        plane, StartRollout(product=SDK, channel="stable", candidate=TWO, stages="25@1h,100@1h", last=("acme",))
    )
    await change(plane, PauseRollout(product=SDK, channel="stable"))
    asked = ReadResolution(tenant="acme", product=SDK)
    whole, own = await read(plane, asked), await read(plane, asked, ACME)
    assert (whole.version, whole.reason) == (own.version, own.reason) == (ONE, Reason.STABLE)
    assert whole.held == ("the rollout is paused at 25%",)
    assert whole.held_is_whole
    assert whole.acts
    assert own.ahead == whole.ahead != ()
    assert (own.held, own.held_is_whole, own.acts) == ((), False, ())
    with pytest.raises(NotAllowed, match="its own tenant"):
        await read(plane, ReadResolution(tenant="other", product=SDK), ACME)
    with pytest.raises(NotAllowed, match="needs the role"):
        await read(plane, ListHolders(product=SDK, version=ONE), ACME)
    with pytest.raises(NotFound, match="nothing of it was released"):
        await read(plane, ReadResolution(tenant="acme", product="none"))


async def test_who_is_left_on_a_build_is_listed_page_by_page(plane: Plane) -> None:
    assert (await read(plane, ListHolders(product=SDK, version=ONE))).known == 0
    named = ("a-b", "zeta", "a")
    first = await read(plane, FindHolders(product=SDK, version=ONE, tenants=named, limit=2))
    rest = await read(plane, FindHolders(product=SDK, version=ONE, tenants=named, limit=2, cursor=str(first.next)))
    assert (first.known, rest.known, rest.next) == (3, 3, None)
    assert [each.tenant for each in (*first.holders, *rest.holders)] == ["a", "a-b", "zeta"]
    assert (await read(plane, FindHolders(product=SDK, version=TWO, tenants=named))).holders == ()


async def test_a_server_reads_what_its_control_plane_has_open(plane: Plane) -> None:
    served = Plane(plane.control, plane.access, OpenedSources(plane.control))
    asked = FindHolders(product=SDK, version=TWO, tenants=("acme",))
    assert (await read(served, asked)).holders == ()
    await change(served, StartRollout(product=SDK, channel="stable", candidate=TWO))
    await change(served, PromoteRollout(product=SDK, channel="stable", to="done"))
    assert [each.tenant for each in (await read(served, asked)).holders] == ["acme"]
    assert len((await read(served, ListChanges())).items) == 7
    with pytest.raises(Failed, match="no health database"):
        await read(served, ReadErrors(product=SDK, version=ONE))


async def test_a_rollout_is_shown_as_it_goes_on_and_as_it_ended(plane: Plane) -> None:
    ended = await read(plane, ReadRollout(product=SDK, channel="stable", candidate=TWO))
    assert ended.ended is not None
    assert (ended.ended.how, ended.ended.reason) == (How.ROLLED_BACK, "it leaks")
    await change(plane, StartRollout(product=SDK, channel="stable", candidate=TWO, stages="25@1h,100"))
    live = await read(plane, ReadRollout(product=SDK, channel="stable", candidate=TWO))
    assert (live.ended, live.channel.rollout and live.channel.rollout.stage) == (None, 0)
    assert live.seconds_left is not None
    assert 0 < live.seconds_left <= 3600
    with pytest.raises(Refused, match="was not rolled out"):
        await read(plane, ReadRollout(product=SDK, channel="stable", candidate="9.9.9"))
