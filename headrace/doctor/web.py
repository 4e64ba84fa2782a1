"""Asks an origin or an edge, and keeps what came back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import msgspec

from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed, Invalid

_ANSWER_SECONDS = 4.0


class Place(msgspec.Struct, frozen=True):
    """Where is asked, and how its findings are named. The secret is the edge's own, for its origin alone."""

    name: str
    url: str
    secret: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """An answer's status, header fields by lower-case name, and its body as it was sent, encoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def digest(self) -> Digest:
        """That of the bytes as they were sent."""
        return digest_of(self.body)


class Web:
    """One place."""

    def __init__(self, client: httpx.AsyncClient, place: Place) -> None:
        self._client = client
        self._place = place

    @classmethod
    @asynccontextmanager
    async def open(cls, place: Place) -> AsyncIterator["Web"]:
        """The place, asked directly whatever proxy the environment names."""
        async with httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False) as client:
            yield cls(client, place)

    async def get(self, path: str, most: int, *, with_secret: bool = True, **fields: str) -> Answer:
        """The answer to GET; of its body no more than `most` bytes. Raises `Failed` where there is none."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if self._place.secret is not None and with_secret:
            headers["x-edge-secret"] = self._place.secret
        try:
            async with self._client.stream("GET", self._place.url + path, headers=headers) as response:
                body = b""
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > most:
                        break
                return Answer(response.status_code, dict(response.headers), body)
        except httpx.HTTPError as error:
            raise Failed(f"no answer: {error or type(error).__name__}") from None


def parse_place(name: str, url: str, secret: str | None = None) -> Place:
    """The place of a URL without path or user. Raises `Invalid`, which hides it: it may hold a password."""
    try:
        parsed = httpx.URL(url)
        known = parsed.scheme in ("http", "https") and bool(parsed.host)
        is_plain = parsed.path in ("", "/") and not (parsed.userinfo or parsed.query or parsed.fragment)
    except httpx.InvalidURL:
        known = is_plain = False
    if not (known and is_plain):
        raise Invalid(f"the {name}'s URL is not understood: write https://HOST or http://HOST:PORT, and no more")
    return Place(name, str(parsed).rstrip("/"), secret)
