"""Joins the admin API to its real parts, and runs it."""

import asyncio
import socket
import ssl
from pathlib import Path

import msgspec

from api.access_log import AccessLog
from api.admission import Admission
from api.app import Place, create_app
from api.core.leak_report import Reporters
from api.core.limits import Limits
from api.endpoints.described import EVENTS, LEAKS
from api.endpoints.events import EventsEndpoint
from api.endpoints.leaks import LeaksEndpoint
from api.gate import AccessGate
from api.perform import Plane
from api.probes import probes
from api.server import serve
from api.sources import OpenedSources, Reports
from headrace import publish_wiring, wiring
from headrace.access_wiring import access_store
from headrace.client.wire import TIMEOUT_SECONDS
from headrace.health_wiring import health_store, open_source_map
from headrace.login_file import LoginFile

_MOST_SECONDS = TIMEOUT_SECONDS - 10
"""A retirement that could take longer ends then, with the step that it is at: before our own clients give it up,
which is sooner than proxies do, as a rule.
"""


class Settings(msgspec.Struct, frozen=True):
    """What the API is run with."""

    data: Path
    database: str | None
    health_database: str | None
    limits: Limits
    most_connections: int
    share: int
    """The most connections of one address, unless it is a trusted proxy's."""
    trusted_proxies: tuple[str, ...]
    public_url: str | None
    login: LoginFile | None
    leak_reporters: Reporters


async def run_api(
    settings: Settings, listeners: tuple[socket.socket, socket.socket], tls: ssl.SSLContext | None
) -> None:
    """Answer until SIGINT or SIGTERM."""
    async with (
        wiring.control(settings.data, settings.database) as control,
        access_store(settings.data, settings.database) as access,
        health_store(settings.data, settings.health_database) as health,
    ):
        reports = Reports(health.errors, open_source_map)
        sources = OpenedSources(control, reports, lambda: wiring.builders(settings.data))
        plane = Plane(control, access, sources, publish_wiring.publishing(control), _MOST_SECONDS)
        log = AccessLog(access, control.clock)
        gate = AccessGate(Admission(plane, log, settings.limits), log)
        leaks = (LEAKS.method, LEAKS.path, LeaksEndpoint(plane, gate, settings.leak_reporters))
        ending = asyncio.Event()
        events = (EVENTS.method, EVENTS.path, EventsEndpoint(plane, gate, ending.is_set))
        await serve(
            api=create_app(plane, gate, [events, leaks, *_oidc(plane, gate, settings)]),
            probes=probes(control.ledger),
            listeners=listeners,
            tls=tls,
            most_connections=settings.most_connections,
            share=settings.share,
            proxies=settings.trusted_proxies,
            beside=log.run,
            ending=ending,
        )


def _oidc(plane: Plane, gate: AccessGate, settings: Settings) -> list[Place]:
    """Where people log in and pipelines exchange their tokens; nowhere without a public URL."""
    if settings.public_url is None:
        return []
    from headrace.oidc_wiring import oidc_places  # httpx and joserfc are slow to load

    return oidc_places(plane, gate, settings.public_url, settings.login)
