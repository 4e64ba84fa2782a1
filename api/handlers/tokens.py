"""Tokens."""

from api.core.access import Grant
from api.core.page import Page, page_of
from api.core.people import parse_owner
from api.core.token import parse_token_id, parse_token_name
from api.operations.tokens import CreateToken, ListTokens, RevokeToken, RotateToken
from api.perform import Call, handles
from api.tokens import create_token, list_tokens, revoke_token, rotate_token
from api.views.token import IssuedTokenView, TokenView, view_issued, view_token
from release.core.names import parse_tenant
from release.core.plan import parse_duration


@handles(ListTokens)
async def list_(call: Call, asked: ListTokens) -> Page[TokenView]:
    """Those that the caller could have made, with when each was used last."""
    used, now = await call.plane.access.uses.last(), call.control.clock.now()
    tokens = await list_tokens(call.control)
    covers = call.caller.grant.covers
    views = [
        view_token(token_id, token, now, used.get(token_id))
        for token_id, token in tokens.items()
        if covers(token.grant)
    ]
    return page_of(views, lambda view: f"{view.name}/{view.id}", asked.cursor, asked.limit)


@handles(CreateToken)
async def create(call: Call, asked: CreateToken) -> IssuedTokenView:
    """The new token, with its secret."""
    grant = Grant(
        roles=asked.roles,
        products=asked.products,
        tenant=None if asked.tenant is None else parse_tenant(asked.tenant),
    )
    issued = await create_token(
        call.control,
        parse_token_name(asked.name),
        grant,
        parse_duration(asked.expires),
        call.caller,
        call.author(asked),
        None if asked.owner is None else parse_owner(asked.owner),
    )
    return view_issued(issued, call.control.clock.now())


@handles(RotateToken)
async def rotate(call: Call, asked: RotateToken) -> IssuedTokenView:
    """The new token, with its secret."""
    issued = await rotate_token(
        call.control,
        parse_token_id(asked.token),
        None if asked.expires is None else parse_duration(asked.expires),
        parse_duration(asked.overlap),
        call.caller,
        call.author(asked),
    )
    return view_issued(issued, call.control.clock.now())


@handles(RevokeToken)
async def revoke(call: Call, asked: RevokeToken) -> TokenView:
    """The token as it was, ended."""
    token_id = parse_token_id(asked.token)
    token = await revoke_token(call.control, token_id, call.caller, call.author(asked))
    used = await call.plane.access.uses.last()
    return view_token(token_id, token, token.ends_at, used.get(token_id))
