"""Those who ask the admin API, by HTTP alone."""

from pathlib import Path
from typing import Any

import anyio
import httpx

from api.core.access import ADMINS, Caller, Grant, Role
from api.core.token import DAY
from api.tokens import create_token
from headrace import wiring
from release.change import Author
from release.core.names import parse_tenant

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


def make_tokens(data: Path, tenant: str = "acme") -> dict[Role, str]:
    """The secrets of a new token of each role; the customer's is of this tenant."""
    return {role: make_token(data, f"a-{role}", grant_of(role, tenant)) for role in Role}


def grant_of(role: Role, tenant: str = "acme") -> Grant:
    """The role, for everything that it can be for."""
    return Grant(roles=frozenset({role}), tenant=parse_tenant(tenant) if role is Role.CUSTOMER else None)


def make_token(data: Path, name: str, grant: Grant) -> str:
    """The secret of a new token."""

    async def make() -> str:
        async with wiring.control(data) as control:
            sam = Caller("sam", Grant(roles=ADMINS))
            issued = await create_token(control, name, grant, DAY, sam, Author(sam.name))
        assert issued.secret is not None
        return issued.secret

    return anyio.run(make)
