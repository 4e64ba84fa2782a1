"""Everything that `headrace doctor` looks at, in the order of its findings."""

import time
from functools import partial
from pathlib import Path

import anyio
import msgspec

from bundles.core.errors import Failed
from headrace import wiring
from headrace.doctor.access import ACCESS_NAME, check_access_database
from headrace.doctor.clock import check_clock
from headrace.doctor.databases import check_control_database, check_health_database
from headrace.doctor.finding import Finding, Role
from headrace.doctor.keys import check_signing_key, check_trusted_keys
from headrace.doctor.policy import check_policy
from headrace.doctor.run import Check, run_checks
from headrace.doctor.served import EDGE_REMEDY, ORIGIN_REMEDY, check_ready, check_served
from headrace.doctor.setup import Setup, role_of
from headrace.doctor.snapshot import check_snapshot
from headrace.doctor.store import check_disk_space, check_store
from headrace.doctor.web import parse_place
from headrace.health_wiring import check_health_database as check_health_url
from origin.core.edge_secret import parse_secrets


class Asked(msgspec.Struct, frozen=True):
    """The servers that are asked too, by their URLs, and what is said of the edge."""

    origin: str | None
    probes: str | None
    edge: str | None
    edge_secrets: Path | None
    keys_dictionaries: bool


def examine(
    data: Path, database: str | None, health_database: str | None, role: Role | None, asked: Asked
) -> tuple[Setup, list[Finding]]:
    """What was looked at, and what was found. Raises `Invalid` for a URL that can be none, before it looks."""
    wiring.check_database(database)
    check_health_url(health_database)
    setup = Setup(data, database, health_database, role or role_of(data), int(time.time()))
    return setup, anyio.run(run_checks, [*_checks(setup), *_checks_of_servers(setup, asked)])


def _checks_of_servers(setup: Setup, asked: Asked) -> list[Check]:
    secret = None if asked.edge_secrets is None else _secret_in(asked.edge_secrets)
    places = [(parse_place("origin", asked.origin, secret), ORIGIN_REMEDY)] if asked.origin else []
    places += [(parse_place("edge", asked.edge), EDGE_REMEDY)] if asked.edge else []
    checks: list[Check] = []
    if asked.probes:
        checks.append(("origin: ready", partial(check_ready, parse_place("origin: ready", asked.probes))))
    for place, remedy in places:
        look = partial(check_served, setup, place, remedy, keys_dictionaries=asked.keys_dictionaries)
        checks.append((place.name, look))
    return checks


def _checks(setup: Setup) -> list[Check]:
    """Those of this machine's own parts."""
    named = {
        "signing key": check_signing_key,
        "trusted keys": check_trusted_keys,
        "clock": check_clock,
        "store": check_store,
        "disk space": check_disk_space,
        "control database": check_control_database,
        "health database": check_health_database,
        ACCESS_NAME: check_access_database,
        "snapshot": check_snapshot,
        "policy": check_policy,
    }
    return [(name, partial(check, setup)) for name, check in named.items()]


def _secret_in(file: Path) -> str:
    """The newest of the edge's secrets, which its origin takes."""
    try:
        return parse_secrets(file.read_bytes())[-1].decode("ascii")
    except OSError as error:
        raise Failed(f"can't read the edge's secrets in {file}: {error.strerror}") from None
