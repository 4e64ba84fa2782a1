"""Tokens."""

from typing import Annotated

from msgspec import Meta

from api.core.access import ADMINS
from api.core.fields import (
    CursorField,
    DurationField,
    LimitField,
    PatternsField,
    PersonField,
    RolesField,
    TenantField,
    TokenNameField,
)
from api.core.operation import Change, Method, Operation, route
from api.core.page import Page
from api.views.token import IssuedTokenView, TokenView

_TOKEN = "/tokens/{token}"  # noqa: S105 - no secret

_Id = Annotated[str, Meta(pattern="^[0-9a-f]{16}$", description="A token's id", examples=["0123456789abcdef"])]


@route(Method.GET, "/tokens", ADMINS)
class ListTokens(Operation[Page[TokenView]], frozen=True, kw_only=True):
    """The tokens there are, by name, with those that have ended in the last month."""

    limit: LimitField = 100
    cursor: CursorField = ""


@route(Method.POST, "/tokens", ADMINS, status=201)
class CreateToken(Change[IssuedTokenView], frozen=True, kw_only=True):
    """Make a token. Its secret is in this answer, and nowhere else.

    It lets nobody do more than its maker may. A customer's has a tenant. The owner is the person who it is for, by
    the name that they log in by; unless named, who makes it. Where two people are needed, a token is its owner.
    """

    name: TokenNameField
    roles: RolesField
    products: PatternsField = ("*",)
    tenant: TenantField | None = None
    expires: DurationField = "90d"
    owner: PersonField | None = None


@route(Method.DELETE, _TOKEN, ADMINS)
class RevokeToken(Change[TokenView], frozen=True, kw_only=True):
    """Take a token away, from now on."""

    token: _Id


@route(Method.POST, f"{_TOKEN}/rotate", ADMINS, status=201)
class RotateToken(Change[IssuedTokenView], frozen=True, kw_only=True):
    """Make a token in the place of one that goes on for the overlap, so that its users have the time to change.

    Unless told otherwise the new one is valid for as long as the old one was.
    """

    token: _Id
    overlap: DurationField = "1d"
    expires: DurationField | None = None
