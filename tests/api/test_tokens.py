"""Tokens in the ledger: created, rotated and revoked, each an audited change; in no snapshot."""

from collections.abc import Mapping

import msgspec
import pytest

from api.core.access import Caller, Grant
from api.core.role import Role
from api.core.token import DAY, Token, TokenId, digest_of_secret, id_of, prefix_of
from api.tokens import MAX_TOKENS, TOKENS, create_token, list_tokens, revoke_token, rotate_token
from bundles.core.errors import Conflict, Invalid, NotAllowed, NotFound, Refused
from release.change import Author, Control, Previewed, Subject
from release.core.audit import open_row
from release.policies import EVERY_PRODUCT
from release.ports import Transaction
from tests.release.conftest import at
from tests.support.changes import change

pytestmark = pytest.mark.anyio

ADMIN = Caller("ada", Grant(roles=frozenset({Role.ADMIN})))
NARROW = Caller("nia", Grant(roles=frozenset({Role.ADMIN}), products=("posthog-*",)))
ADA = Author("ada", "for the pipeline")
RELEASER = Grant(roles=frozenset({Role.RELEASER}), products=("posthog-*",))
NOW = 1_800_000_000


async def test_a_token_is_told_once_and_only_its_digest_is_kept(control: Control) -> None:
    issued = await create_token(at(control, NOW), "ci", RELEASER, 90 * DAY, ADMIN, ADA)
    assert issued.secret is not None
    assert prefix_of(issued.secret) is not None
    assert issued.token == Token(
        digest=digest_of_secret(issued.secret),
        name="ci",
        grant=RELEASER,
        created_at=NOW,
        created_by="ada",
        expires_at=NOW + 90 * DAY,
        owner="ada",
    )
    assert issued.id == id_of(issued.token.digest)
    assert await list_tokens(control) == {issued.id: issued.token}
    async with control.ledger.reading() as reading:
        (row,) = [row async for row in reading.trail()]
        records = [record async for record in reading.records()]
        table = await reading.table()
    entry = open_row(row)
    assert (entry.verb, entry.actor, entry.reason) == ("token-create", "ada", "for the pipeline")
    assert entry.subject == f"ci/{issued.id}"
    secret = issued.secret.encode()
    assert issued.secret not in row.entry
    assert secret[4:34] not in msgspec.json.encode(records)
    assert (table.products, table.tenants) == ({}, {})


async def test_no_token_gets_into_the_snapshot(control: Control) -> None:
    issued = await create_token(control, "ci", RELEASER, DAY, ADMIN, ADA)
    root = await control.sync(thorough=True)
    shards = await control.snapshots.read_shards(root.shards.values())
    sealed = await control.snapshots.read()
    assert sealed is not None
    written = sealed + b"".join(shards.values())
    assert issued.id.encode() not in written
    assert b"token" not in written


async def test_a_request_that_is_sent_again_makes_one_token_and_tells_no_secret(control: Control) -> None:
    author = Author("ada", key="k1")
    first = await create_token(control, "ci", RELEASER, DAY, ADMIN, author)
    again = await create_token(control, "ci", RELEASER, DAY, ADMIN, author)
    assert (again.id, again.token, again.secret) == (first.id, first.token, None)
    rotating = Author("ada", key="k2")
    rotated = await rotate_token(control, first.id, None, DAY, ADMIN, rotating)
    repeated = await rotate_token(control, first.id, None, DAY, ADMIN, rotating)
    assert (repeated.id, repeated.secret) == (rotated.id, None)
    revoking = Author("ada", key="k3")
    assert (await revoke_token(control, rotated.id, ADMIN, revoking)).name == "ci"
    assert (await revoke_token(control, rotated.id, ADMIN, revoking)).name == "ci"
    with pytest.raises(Conflict):
        await create_token(control, "other", RELEASER, DAY, ADMIN, author)
    assert set(await list_tokens(control)) == {first.id}


async def test_a_change_that_is_only_tried_makes_no_token(control: Control) -> None:
    with pytest.raises(Previewed):
        await create_token(msgspec.structs.replace(control, is_preview=True), "ci", RELEASER, DAY, ADMIN, ADA)
    assert await list_tokens(control) == {}


async def test_a_rotated_token_goes_on_for_the_overlap(control: Control) -> None:
    old = await create_token(at(control, NOW), "ci", RELEASER, 10 * DAY, ADMIN, ADA)
    new = await rotate_token(at(control, NOW + DAY), old.id, None, DAY, ADMIN, ADA)
    kept: Mapping[TokenId, Token] = await list_tokens(control)
    assert (new.token.name, new.token.grant, new.token.ends_at) == ("ci", RELEASER, NOW + 11 * DAY)
    assert kept[old.id].ends_at == NOW + 2 * DAY
    assert digest_of_secret(new.secret or "") == new.token.digest != old.token.digest
    with pytest.raises(Refused, match="rotated already"):
        await rotate_token(at(control, NOW + DAY), old.id, None, DAY, ADMIN, ADA)
    with pytest.raises(Refused, match="has ended"):
        await rotate_token(at(control, NOW + 2 * DAY), old.id, None, DAY, ADMIN, ADA)
    with pytest.raises(Invalid, match="at most 30 days"):
        await rotate_token(control, new.id, None, 31 * DAY, ADMIN, ADA)
    at_once = await rotate_token(at(control, NOW + DAY), new.id, 3 * DAY, 0, ADMIN, ADA)
    assert at_once.token.ends_at == NOW + 4 * DAY
    assert not (await list_tokens(control))[new.id].is_valid(NOW + DAY)


async def test_of_a_name_one_token_is_valid(control: Control) -> None:
    first = await create_token(at(control, NOW), "ci", RELEASER, DAY, ADMIN, ADA)
    with pytest.raises(Refused, match="there is a token 'ci'"):
        await create_token(at(control, NOW), "ci", RELEASER, DAY, ADMIN, ADA)
    await create_token(at(control, NOW + DAY), "ci", RELEASER, DAY, ADMIN, ADA)  # the first one has ended
    await revoke_token(control, first.id, ADMIN, ADA)
    with pytest.raises(NotFound):
        await revoke_token(control, first.id, ADMIN, ADA)
    with pytest.raises(NotFound):
        await rotate_token(control, first.id, None, DAY, ADMIN, ADA)


async def test_nobody_gives_or_takes_more_than_they_have(control: Control) -> None:
    wide = await create_token(control, "all", Grant(roles=frozenset({Role.VIEWER})), DAY, ADMIN, ADA)
    with pytest.raises(NotAllowed):
        await create_token(control, "mine", Grant(roles=frozenset({Role.VIEWER})), DAY, NARROW, ADA)
    with pytest.raises(NotAllowed):
        await rotate_token(control, wide.id, None, DAY, NARROW, ADA)
    with pytest.raises(NotAllowed):
        await revoke_token(control, wide.id, NARROW, ADA)
    await create_token(control, "mine", RELEASER, DAY, NARROW, ADA)
    assert len(await list_tokens(control)) == 2


async def test_tokens_are_not_kept_without_bound(control: Control) -> None:
    issued = await create_token(at(control, NOW), "ci", RELEASER, DAY, ADMIN, ADA)

    async def fill(transaction: Transaction) -> None:
        for number in range(MAX_TOKENS - 1):
            await transaction.save_document(TOKENS, f"{number:016x}", issued.token)

    await change(control, Subject("token-create", EVERY_PRODUCT, "many/0"), ADA, fill)
    with pytest.raises(Refused, match="the most there may be"):
        await create_token(at(control, NOW + 30 * DAY), "more", RELEASER, DAY, ADMIN, ADA)
    await create_token(at(control, NOW + 31 * DAY), "more", RELEASER, DAY, ADMIN, ADA)
    assert len(await list_tokens(control)) == 1  # those that ended a month ago are forgotten
