"""A proxy before the S3-speaking server that fails the first requests, as a throttled server does."""

import sys

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SLOW_DOWN = (
    '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
)


def proxy(target: str, failures: int) -> Starlette:
    """Answers 503 SlowDown to the first `failures` requests, and passes on all others."""
    left = failures
    client = httpx.AsyncClient(base_url=target)

    async def forward(request: Request) -> Response:
        nonlocal left
        body = await request.body()
        if left > 0:
            left -= 1
            return Response(SLOW_DOWN, 503, media_type="application/xml")
        answer = await client.request(
            request.method,
            request.url.path + ("?" + request.url.query if request.url.query else ""),
            headers=[(name, value) for name, value in request.headers.raw if name != b"host"],
            content=body,
        )
        dropped = ("transfer-encoding", "connection", "server", "date")
        kept = {name: value for name, value in answer.headers.items() if name not in dropped}
        return Response(answer.content, answer.status_code, headers=kept)

    methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", forward, methods=methods)])


if __name__ == "__main__":
    uvicorn.run(proxy(sys.argv[1], int(sys.argv[3])), port=int(sys.argv[2]), log_level="critical")
