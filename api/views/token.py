"""Tokens as their users see them."""

from enum import StrEnum

import msgspec

from api.core.role import Role
from api.core.token import Issued, Token, TokenId
from api.times import format_time


class TokenState(StrEnum):
    """Whether a token lets its holder in; one that was replaced does so until the overlap ends."""

    VALID = "valid"
    REPLACED = "replaced"
    ENDED = "ended"


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its secret; times are RFC 3339 in UTC.

    `owner` is who it is for. `last_used_at` is right to a minute or so; it is null for one that was not used yet.
    """

    id: str
    name: str
    state: TokenState
    roles: tuple[Role, ...]
    products: tuple[str, ...]
    tenant: str | None
    created_at: str
    created_by: str
    owner: str
    ends_at: str
    last_used_at: str | None


class IssuedTokenView(msgspec.Struct, frozen=True):
    """A token that was made. `secret` is told this once: null where the request was sent again."""

    token: TokenView
    secret: str | None


def view_token(token_id: TokenId, token: Token, now: int, last_used_at: int | None) -> TokenView:
    """The token for its users."""
    replaced = TokenState.VALID if token.replaced_until is None else TokenState.REPLACED
    return TokenView(
        id=token_id,
        name=token.name,
        state=replaced if token.is_valid(now) else TokenState.ENDED,
        roles=tuple(sorted(token.grant.roles)),
        products=token.grant.products,
        tenant=token.grant.tenant,
        created_at=format_time(token.created_at),
        created_by=token.created_by,
        owner=token.is_for,
        ends_at=format_time(token.ends_at),
        last_used_at=None if last_used_at is None else format_time(last_used_at),
    )


def view_issued(issued: Issued, now: int) -> IssuedTokenView:
    """A new token for who asked for it."""
    return IssuedTokenView(view_token(issued.id, issued.token, now, None), issued.secret)
