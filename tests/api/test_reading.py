"""What is read through the admin API, and by whom, on a real SQLite database and a real disk."""

from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from api import feed
from api.core.access import ADMINS, Caller, Grant, Role
from api.core.operation import Operation, Terms
from api.operations.changes import DiffRevisions, ListAuditRows, ListChanges, Order, VerifyAuditTrail
from api.operations.channels import PromoteRollout, RollBack, StartRollout
from api.perform import Plane, look, perform
from api.ports import Access
from bundles.core.errors import Conflict, Invalid, NotAllowed, NotFound
from bundles.core.names import Product
from bundles.core.version import Version
from headrace.sources import FolderSources
from release.change import Control
from release.core.notices import Severity
from tests.support.smoke import publish_files

pytestmark = pytest.mark.anyio
A = TypeVar("A")
SDK, OTHER = Product("sdk"), Product("other")
ONE, TWO = Version("1.0.0"), Version("1.1.0")
ADMIN = Caller("token:root", Grant(roles=ADMINS))
VIEWER = Caller("token:eve", Grant(roles=frozenset({Role.VIEWER})))
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
    with pytest.raises(Invalid, match="of no page"):
        await read(plane, ListChanges(cursor="eHl6"))


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
