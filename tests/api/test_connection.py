"""Connections that somebody would hold for nothing, on a real server with short limits."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from api import connection
from api.connection import bounded_class
from api.core.problems import Malformed
from api.endpoints import endpoint
from api.room import Room
from serving.listening import listen
from serving.quiet import QuietServer

pytestmark = pytest.mark.anyio

LIMIT = 0.3
PATIENCE = 20.0
LARGE = "x" * 32_000_000


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", LIMIT)
    monkeypatch.setattr(connection, "UNREAD_SECONDS", LIMIT)
    monkeypatch.setattr(endpoint, "BODY_SECONDS", LIMIT)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as opened:
        yield opened


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads bodies at one path alone, has a large answer at another, and one that takes long."""
    request = Request(scope, receive)
    if scope["path"] == "/slow":
        await asyncio.sleep(LIMIT * 4)
    answer = LARGE if scope["path"] == "/large" else "answer"
    if scope["path"] == "/body":
        try:
            await endpoint.body_of(request, 1000)
        except Malformed as fault:
            answer = str(fault)
    await PlainTextResponse(answer)(scope, receive, send)


@asynccontextmanager
async def connected(listener: socket.socket) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client of the server."""
    server = QuietServer(app, bounded_class(Room(10, 10)), timeout_keep_alive=1000)
    running = asyncio.create_task(server.serve(sockets=[listener.dup()]))
    reader, writer = await asyncio.open_connection(*listener.getsockname(), limit=1000)
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await running


async def read_on(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server ends the connection; it must."""
    came = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while more := await reader.read(1000):
                came += more
    except ConnectionResetError:
        pass
    return came


async def test_a_body_that_nobody_reads_ends_with_the_connection(listener: socket.socket) -> None:
    async with connected(listener) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        assert b"answer" in await reader.readuntil(b"answer")
        writer.write(b"x")  # a connection of uvicorn's own is from now on open for ever
        await read_on(reader)


async def test_a_body_that_trickles_is_answered(listener: socket.socket) -> None:
    async with connected(listener) as (reader, writer):
        writer.write(b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx")
        assert b"did not arrive within" in await read_on(reader)


async def test_an_answer_that_is_not_read_ends_with_the_connection(listener: socket.socket) -> None:
    async with connected(listener) as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(LIMIT * 5)  # it reads no more than a thousand bytes ahead
        assert len(await read_on(reader)) < len(LARGE)


async def test_a_request_has_its_answer_whatever_follows_it(listener: socket.socket) -> None:
    async with connected(listener) as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        await asyncio.sleep(LIMIT)
        writer.write(b"rubbish\r\n\r\n")
        assert (await read_on(reader)).endswith(b"answer")


async def test_what_is_whole_goes_on(listener: socket.socket) -> None:
    async with connected(listener) as (reader, writer):
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx")
            assert b"200 OK" in await reader.readuntil(b"answer")
            await asyncio.sleep(LIMIT * 2)
