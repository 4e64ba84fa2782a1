"""Those who ask the admin API, by HTTP alone."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx

from api.core.access import ADMINS, Caller, Grant
from api.core.role import Role
from api.core.session import SessionKind
from api.core.token import DAY, digest_of_secret, id_of
from api.sessions import start_session
from api.tokens import create_token, revoke_token
from headrace import wiring
from headrace.access_wiring import access_store
from release.change import Author
from release.core.names import parse_tenant
from release.core.scope import EVERYTHING

PROBLEM = "urn:headrace:problem:"


class Asker:
    """Somebody with a token."""

    def __init__(self, http: httpx.Client, server: str, token: str) -> None:
        self.server = server
        self.token = token
        self.http = http

    def ask(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """What the API answers at this path, below its prefix."""
        headers = {"authorization": f"Bearer {self.token}", **parts.pop("headers", {})}
        return self.http.request(method, f"{self.server}/api/v1{path}", headers=headers, **parts)

    def get(self, path: str, **parts: Any) -> Any:
        """What is there; it must be."""
        response = self.ask("GET", path, **parts)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, method: str, path: str, status: int, kind: str, **parts: Any) -> dict[str, Any]:
        """The problem that the API answers with; it must be of this kind."""
        response = self.ask(method, path, **parts)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        assert problem["type"] == PROBLEM + kind
        assert problem["status"] == status
        assert problem["request_id"] == response.headers["x-request-id"]
        return problem


def make_tokens(data: Path, tenant: str = "acme", database: str | None = None) -> dict[Role, str]:
    """The secrets of a new token of each role; the customer's is of this tenant."""
    made = make_named(data, {f"a-{role}": grant_of(role, tenant) for role in Role}, database=database)
    return {role: made[f"a-{role}"] for role in Role}


def grant_of(role: Role, tenant: str = "acme", *products: str) -> Grant:
    """The role, for everything that it can be for, or of that for these products."""
    of = parse_tenant(tenant) if role is Role.CUSTOMER else None
    return Grant(roles=frozenset({role}), tenant=of, products=products or EVERYTHING)


def make_token(data: Path, name: str, grant: Grant, lifetime: int = DAY) -> str:
    """The secret of a new token."""
    return make_named(data, {name: grant}, lifetime)[name]


def make_named(
    data: Path, grants: Mapping[str, Grant], lifetime: int = DAY, database: str | None = None
) -> dict[str, str]:
    """The secrets of new tokens, by their names."""

    async def make() -> dict[str, str]:
        sam = Caller("sam", Grant(roles=ADMINS))
        async with wiring.control(data, database) as control:
            issued = {
                name: await create_token(
                    control, name, grant, lifetime, sam, Author(sam.name), f"{name}@example.com"
                )
                for name, grant in grants.items()
            }
        return {name: str(each.secret) for name, each in issued.items()}

    return anyio.run(make)


def revoke(data: Path, secret: str) -> None:
    """Take this token away."""

    async def take() -> None:
        sam = Caller("sam", Grant(roles=ADMINS))
        async with wiring.control(data) as control:
            await revoke_token(control, id_of(digest_of_secret(secret)), sam, Author(sam.name))

    anyio.run(take)


def make_session(data: Path, grant: Grant, name: str = "pipeline") -> str:
    """The secret of a new session of a pipeline, or of somebody who is called this."""

    async def begin() -> str:
        async with access_store(data, None) as access:
            return await start_session(
                access.sessions, SessionKind.PIPELINE, Caller(name, grant), int(time.time())
            )

    return anyio.run(begin)
