"""The servers, each a process of its own on one core, on a free port of the loopback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from benchmarks.serving.client import pinned
from benchmarks.serving.world import DELTA, HEADRACE, LARGE, PRODUCT, SMALL, World

SERVER_CORE = 0
_PATIENCE_SECONDS = 20
_ENCODED = {"Accept-Encoding": "br, gzip"}
_BROTLI_MODULE = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")


class Ask(msgspec.Struct, frozen=True):
    """One request: its path and header fields."""

    path: str
    headers: Mapping[str, str] = {}


class Peer(msgspec.Struct, frozen=True):
    """A server: the command that starts it on its port, and what it is asked in each scenario that it knows.

    `304` is the scenario `br` again with the entity tag that the server gave.
    """

    name: str
    port: int
    command: tuple[str, ...]
    asks: Mapping[str, Ask]
    environment: Mapping[str, str] = {}


class Running(msgspec.Struct, frozen=True):
    """A started peer."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """How much of a core's time it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """How much memory it has at present (its resident set)."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running(peer: Peer, core: int | None = SERVER_CORE) -> Iterator[Running]:
    """The peer, started on this core, or on all of them; it is ended afterwards."""
    process = subprocess.Popen(
        pinned(core, *peer.command),
        env={**os.environ, **peer.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await(process, peer)
        yield Running(f"http://127.0.0.1:{peer.port}", process.pid)
    finally:
        # With all that it has started. Not asked to drain: some do so for as long as a client stays connected.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_PATIENCE_SECONDS)


def peers(world: World, scratch: Path) -> list[Peer]:
    """All of them; Headrace and nginx first. Raises `SystemExit` where one is not installed."""
    whole = {"br": Ask(f"/{LARGE}", _ENCODED), "small": Ask(f"/{SMALL}", _ENCODED)}
    by_name = {"br": Ask(f"/{LARGE}.br"), "small": Ask(f"/{SMALL}.br"), "dcz": Ask(f"/{DELTA}")}
    moving = f"/{PRODUCT}@stable/{LARGE}"
    redirect = f"location = {moving} {{ return 302 /{PRODUCT}@{world.version}/{LARGE}; }}"
    uvicorn = ("uvicorn", "--no-access-log", "--log-level=error")
    return [
        headrace("headrace", world),
        nginx(world.folder, scratch, {**whole, "302": Ask(moving), "dcz": Ask(f"/{DELTA}")}, redirect),
        _floor(moving),
        headrace("headrace, slow lane", world, "--no-fast-lane"),
        _python("StaticFiles", uvicorn, "static_files", world, by_name),
        _python("ServeStatic", uvicorn, "servestatic", world, whole),
        _python("granian", ("granian", "--no-log", "--interface=asgi"), "static_files", world, by_name),
        _python("whitenoise", ("granian", "--no-log", "--interface=wsgi"), "whitenoise", world, whole),
    ]


def headrace(name: str, world: World, *options: str) -> Peer:
    """An origin on the world's data folder."""
    exact, port = f"/{PRODUCT}@{world.version}", free_port()
    delta = {"Accept-Encoding": "br, gzip, dcz", "Available-Dictionary": world.dictionary}
    asks = {
        "br": Ask(f"{exact}/{LARGE}", _ENCODED),
        "small": Ask(f"{exact}/{SMALL}", _ENCODED),
        "302": Ask(f"/{PRODUCT}@stable/{LARGE}"),
        "dcz": Ask(f"{exact}/{LARGE}", delta),
    }
    command = (
        str(HEADRACE),
        "serve",
        "--data",
        str(world.data),
        "--port",
        str(port),
        "--probe-port",
        "0",
        "--edge-keys-dictionaries",
    )
    return Peer(name, port, (*command, *options), asks)


def _floor(moving: str) -> Peer:
    """No server: what Python's fastest event loop can do at most."""
    port = free_port()
    command = (sys.executable, "-m", "benchmarks.serving.floor", str(port))
    # It does not look at what it is asked, and always says the same.
    return Peer("uvloop, unread", port, command, {"302": Ask(moving)})


def _python(name: str, server: tuple[str, ...], app: str, world: World, asks: Mapping[str, Ask]) -> Peer:
    port = free_port()
    target = (f"--port={port}", "--factory", f"benchmarks.serving.static_apps:{app}")
    return Peer(name, port, (sys.executable, "-m", *server, *target), asks, {"WORLD_FOLDER": str(world.folder)})


def nginx(folder: Path, scratch: Path, asks: Mapping[str, Ask], locations: str = "") -> Peer:
    """One process, the folder's encoded files as they lie, the same caching and CORS headers, no log.

    Raises `SystemExit` where it is not installed.
    """
    if shutil.which("nginx") is None or not _BROTLI_MODULE.exists():
        raise SystemExit("this benchmark needs Debian's nginx and libnginx-mod-http-brotli-static")
    port = free_port()
    config = scratch / f"nginx-{port}.conf"
    config.write_text(
        f"""load_module {_BROTLI_MODULE};
daemon off; master_process off; pid {config}.pid; error_log stderr crit; user root;
events {{ worker_connections 4096; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    open_file_cache max=30000 inactive=1h; types {{ text/javascript js; }}
    server {{
        listen 127.0.0.1:{port}; root {folder};
        brotli_static on; gzip_static on; gzip_vary on;
        add_header Cache-Control "public, max-age=31536000, immutable";
        add_header Access-Control-Allow-Origin *; add_header X-Content-Type-Options nosniff;
        {locations}
    }}
}}
"""
    )
    return Peer("nginx", port, ("nginx", "-c", str(config)), asks)


def free_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(process: subprocess.Popen[bytes], peer: Peer) -> None:
    """Until it answers what it will be asked."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            for ask in peer.asks.values():
                answer = httpx.get(f"http://127.0.0.1:{peer.port}{ask.path}", headers=dict(ask.headers))
                if answer.status_code >= 400:
                    raise SystemExit(f"{peer.name} answers {ask.path} with {answer.status_code}")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{peer.name} did not start")
