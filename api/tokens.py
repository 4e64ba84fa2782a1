"""Tokens: create, list, revoke and rotate them. They are in the ledger, and in no snapshot that origins read."""

import hmac
from collections.abc import Mapping

import msgspec

from api.chance import new_secret
from api.core.access import Caller, Grant
from api.core.token import (
    DAY,
    LONGEST_OVERLAP_SECONDS,
    Issued,
    Prefix,
    Token,
    TokenId,
    digest_of_secret,
    id_of,
    owner_of,
)
from bundles.core.errors import Invalid, NotFound, Refused
from release.change import Author, Begin, Control, Subject
from release.core.audit import Entry, document_at
from release.policies import EVERY_PRODUCT
from release.ports import Kind, Transaction

TOKENS = Kind("token", Token)
MAX_TOKENS = 1_000
_ENDED_KEPT_SECONDS = 30 * DAY


async def create_token(
    control: Control,
    name: str,
    grant: Grant,
    lifetime_seconds: int,
    caller: Caller,
    author: Author,
    owner: str | None = None,
) -> Issued:
    """A new token for its owner; that is who makes it, unless another is named.

    Raises `NotAllowed` where it would let its holder do more than the caller may, `Refused` where a token of this
    name is valid.
    """
    caller.require_covers(grant)
    asked = [grant, lifetime_seconds] if owner is None else [grant, lifetime_seconds, owner]
    subject = Subject("token-create", EVERY_PRODUCT, name, asked=asked)

    async def act(begin: Begin) -> Issued:
        async with control.ledger.reading() as reading:
            known = await reading.documents(TOKENS)
        owned_by = owner or owner_of(author.actor, known.values())
        issued = _issue(control, name, grant, lifetime_seconds, author, owned_by)
        async with begin(name=_named(issued.token)) as transaction:
            present = await _room_for_one(transaction, issued.token.created_at)
            if any(each.name == name and each.is_valid(issued.token.created_at) for each in present.values()):
                raise Refused(f"there is a token {name!r}: rotate or revoke it, or take another name")
            await transaction.save_document(TOKENS, issued.id, issued.token)
        return issued

    return await control.once(subject, author, act, _issued_before)


async def rotate_token(
    control: Control,
    token_id: TokenId,
    lifetime_seconds: int | None,
    overlap_seconds: int,
    caller: Caller,
    author: Author,
) -> Issued:
    """A new token in the place of one that goes on for the overlap.

    The new one is valid for as long as the old one was, unless it is told. Raises as `create_token` and
    `revoke_token` do, and `Refused` for a token that has ended or was rotated already.
    """
    if not 0 <= overlap_seconds <= LONGEST_OVERLAP_SECONDS:
        raise Invalid(f"a replaced token goes on for at most {LONGEST_OVERLAP_SECONDS // DAY} days")
    subject = Subject("token-rotate", EVERY_PRODUCT, token_id, asked=[lifetime_seconds, overlap_seconds])

    async def act(begin: Begin) -> Issued:
        async with control.ledger.reading() as reading:
            found = await reading.document(TOKENS, token_id)
        seen = _found(found, token_id)
        lifetime = seen.expires_at - seen.created_at if lifetime_seconds is None else lifetime_seconds
        issued = _issue(control, seen.name, seen.grant, lifetime, author, seen.is_for)
        now = issued.token.created_at
        async with begin(name=_named(issued.token)) as transaction:
            old = _found((await _room_for_one(transaction, now)).get(token_id), token_id)
            caller.require_covers(old.grant)
            if not old.is_valid(now):
                raise Refused(f"the token {token_id} has ended: create a new one")
            if old.replaced_until is not None:
                raise Refused(f"the token {token_id} was rotated already: rotate the one in its place")
            replaced = msgspec.structs.replace(old, replaced_until=now + overlap_seconds)
            await transaction.save_document(TOKENS, token_id, replaced)
            await transaction.save_document(TOKENS, issued.id, issued.token)
        return issued

    return await control.once(subject, author, act, _issued_before)


async def revoke_token(control: Control, token_id: TokenId, caller: Caller, author: Author) -> Token:
    """Take a token away: from now on it lets nobody in. What it was is in the audit trail.

    Raises `NotFound` where there is none, `NotAllowed` where it lets its holder do more than the caller may.
    """
    subject = Subject("token-revoke", EVERY_PRODUCT, token_id)

    async def act(begin: Begin) -> Token:
        async with control.ledger.reading() as reading:
            found = await reading.document(TOKENS, token_id)
        token = _found(found, token_id)
        caller.require_covers(token.grant)
        async with begin(name=_named(token)) as transaction:
            found = await transaction.document(TOKENS, token_id)
            _found(found, token_id)  # somebody else may have revoked it meanwhile
            await transaction.save_document(TOKENS, token_id, None)
        return token

    def again(entry: Entry) -> Token:
        return document_at(entry.before, _place(token_id), Token)

    return await control.once(subject, author, act, again)


async def find_token(control: Control, secret: str) -> tuple[TokenId, Token] | None:
    """The token of this secret, be it valid or not, and what it is named by; None where there is none."""
    digest = digest_of_secret(secret)
    token_id = id_of(digest)
    async with control.ledger.reading() as reading:
        token = await reading.document(TOKENS, token_id)
    if token is None or not hmac.compare_digest(token.digest, digest):
        return None
    return token_id, token


async def list_tokens(control: Control) -> Mapping[TokenId, Token]:
    """All tokens, with those that have ended of late."""
    async with control.ledger.reading() as reading:
        return {TokenId(name): token for name, token in (await reading.documents(TOKENS)).items()}


def _issue(control: Control, name: str, grant: Grant, lifetime_seconds: int, author: Author, owner: str) -> Issued:
    secret = new_secret(Prefix.TOKEN)
    digest, now = digest_of_secret(secret), control.clock.now()
    token = Token(
        digest=digest,
        name=name,
        grant=grant,
        created_at=now,
        created_by=author.actor,
        expires_at=now + lifetime_seconds,
        owner=owner,
    )
    return Issued(id_of(digest), token, secret)


async def _room_for_one(transaction: Transaction, now: int) -> Mapping[str, Token]:
    """The tokens there are, once those that ended long ago are forgotten. Raises `Refused` for too many."""
    present = await transaction.documents(TOKENS)
    old = [name for name, token in present.items() if token.ends_at <= now - _ENDED_KEPT_SECONDS]
    for name in old:
        await transaction.save_document(TOKENS, name, None)
    if len(present) - len(old) >= MAX_TOKENS:
        raise Refused(f"there are {MAX_TOKENS} tokens, the most there may be: revoke those that nobody needs")
    return present


def _issued_before(entry: Entry) -> Issued:
    """What an earlier request made, by its audit row; its secret is nowhere."""
    token_id = TokenId(entry.subject.rpartition("/")[2])
    return Issued(token_id, document_at(entry.after, _place(token_id), Token), None)


def _found(token: Token | None, token_id: TokenId) -> Token:
    if token is None:
        raise NotFound(f"there is no token {token_id}: see `headrace token list`")
    return token


def _named(token: Token) -> str:
    """The token as the audit trail names it: its name and, since others may have had that, its id."""
    return f"{token.name}/{id_of(token.digest)}"


def _place(token_id: TokenId) -> str:
    return f"documents/{TOKENS.name}/{token_id}"
