"""A proxy before the S3-speaking server that can be told to fail as real servers do.

PUT /_fault {"kind": KIND, "times": N, "part": TEXT}    the next N requests whose URL has TEXT in it fail
GET /_seen                                              how often each method and path was asked for since then

`throttle` answers 503 SlowDown; `reset` breaks the answer off midway; `truncate` gives half of it as if it
were all; `lie` changes its first byte; `slow` answers after a second, and `stall` never.
"""

import asyncio
import collections
import sys
from collections.abc import Mapping

import httpx
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

SLOW_DOWN = (
    '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
)
_WAITS = {"slow": 1, "stall": 3600}
_HOP_BY_HOP = ("transfer-encoding", "connection", "server", "date")


class Proxy:
    """An ASGI application that passes requests on, but for those that are to fail."""

    def __init__(self, target: str) -> None:
        self._client = httpx.AsyncClient(base_url=target, timeout=60)
        self._seen: collections.Counter[str] = collections.Counter()
        self._fault: dict[str, str] = {}
        self._times = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        answer = await self._control(request) or await self._answer(request)
        await answer(scope, receive, send)

    async def _control(self, request: Request) -> ASGIApp | None:
        if request.url.path == "/_seen":
            return JSONResponse(self._seen)
        if request.url.path == "/_fault":
            self._fault = await request.json()
            self._times = int(self._fault["times"])
            self._seen.clear()
            return Response(status_code=204)
        return None

    async def _answer(self, request: Request) -> ASGIApp:
        body = await request.body()
        self._seen[f"{request.method} {request.url.path}"] += 1
        if self._times == 0 or self._fault["part"] not in str(request.url):
            return await self._forward(request, body)
        self._times -= 1
        kind = self._fault["kind"]
        if kind == "throttle":
            return Response(SLOW_DOWN, 503, media_type="application/xml")
        if kind in _WAITS:
            await asyncio.sleep(_WAITS[kind])
            return await self._forward(request, body)
        answer = await self._forward(request, body)
        half = bytes(answer.body[: len(answer.body) // 2])
        if kind == "reset":
            return _BrokenOff(answer, half)
        wrong = half if kind == "truncate" else bytes([answer.body[0] ^ 1]) + bytes(answer.body[1:])
        return Response(wrong, answer.status_code, _without(answer.headers, "content-length"))

    async def _forward(self, request: Request, body: bytes) -> Response:
        answer = await self._client.request(
            request.method,
            request.url.path + ("?" + request.url.query if request.url.query else ""),
            headers=[(name, value) for name, value in request.headers.raw if name != b"host"],
            content=body,
        )
        return Response(answer.content, answer.status_code, _without(answer.headers, *_HOP_BY_HOP))


class _BrokenOff:
    """An answer whose connection is closed before it is whole."""

    def __init__(self, answer: Response, begin: bytes) -> None:
        self._answer = answer
        self._begin = begin

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        head = {"status": self._answer.status_code, "headers": self._answer.raw_headers}
        await send({"type": "http.response.start", **head})
        await send({"type": "http.response.body", "body": self._begin, "more_body": True})


def _without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in names}


if __name__ == "__main__":
    uvicorn.run(Proxy(sys.argv[1]), port=int(sys.argv[2]), log_level="critical", timeout_graceful_shutdown=1)
