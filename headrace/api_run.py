"""Joins the admin API to its real parts, and runs it."""

import socket
import ssl
from pathlib import Path

import msgspec

from api.access_log import AccessLog
from api.admission import Admission
from api.app import create_app
from api.core.limits import Limits
from api.gate import AccessGate
from api.perform import Plane
from api.probes import probes
from api.server import serve
from api.sources import OpenedSources, Reports
from headrace import wiring
from headrace.access_wiring import access_store
from headrace.health_wiring import health_store, open_source_map


class Settings(msgspec.Struct, frozen=True):
    """What the API is run with."""

    data: Path
    database: str | None
    health_database: str | None
    limits: Limits
    most_connections: int
    trusted_proxies: tuple[str, ...]


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
        plane = Plane(control, access, sources)
        log = AccessLog(access, control.clock)
        await serve(
            api=create_app(plane, AccessGate(Admission(plane, log, settings.limits), log)),
            probes=probes(control.ledger),
            listeners=listeners,
            tls=tls,
            most_connections=settings.most_connections,
            proxies=settings.trusted_proxies,
            beside=log.run,
        )
