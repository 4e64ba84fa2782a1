"""`headrace doctor`."""

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer
from rich.console import Console

from bundles.core.errors import Failed
from headrace import wiring
from headrace.doctor.clock import check_clock
from headrace.doctor.databases import check_control_database, check_health_database
from headrace.doctor.finding import Finding, State
from headrace.doctor.keys import check_signing_key, check_trusted_keys
from headrace.doctor.policy import check_policy
from headrace.doctor.run import Check, run_checks
from headrace.doctor.served import EDGE_REMEDY, ORIGIN_REMEDY, check_ready, check_served
from headrace.doctor.setup import Role, Setup, role_of
from headrace.doctor.snapshot import check_snapshot
from headrace.doctor.store import check_disk_space, check_store
from headrace.doctor.web import parse_place
from headrace.health_wiring import check_health_database as check_health_url
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, EdgeSecretsFile, HealthDatabase, example
from headrace.terminal import Exit, plain, show
from origin.core.edge_secret import parse_secrets

app = typer.Typer(add_completion=False)


class Report(msgspec.Struct, frozen=True):
    """All findings; `healthy` is true where nothing has failed."""

    healthy: bool
    role: Role
    findings: list[Finding]


@app.command(epilog=example("headrace doctor", "headrace doctor --edge https://sdk.example.com --json"))
def doctor(
    origin: Annotated[str | None, typer.Option("--origin", metavar="URL", help="Ask this origin too.")] = None,
    probes: Annotated[
        str | None,
        typer.Option("--probes", metavar="URL", help="Ask the origin's probe port whether it is ready."),
    ] = None,
    edge: Annotated[
        str | None, typer.Option("--edge", metavar="URL", help="Ask the CDN's edge too, as a browser would.")
    ] = None,
    edge_secrets: EdgeSecretsFile = None,
    edge_keys_dictionaries: Annotated[
        bool, typer.Option("--edge-keys-dictionaries", help="Deltas (dcz) may come: the edge keys on them.")
    ] = False,
    role: Annotated[
        Role | None,
        typer.Option("--role", help="What this machine does. Else origin, where it has public keys alone."),
    ] = None,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    health_database: HealthDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Check a set-up, and say how to mend it: keys, clock, store, databases, snapshot, policy, origin and edge.

    Nothing is changed. Exit code 1 where something has failed; warnings leave it at 0.
    """
    wiring.check_database(database)
    check_health_url(health_database)
    setup = Setup(data, database, health_database, role or role_of(data), int(time.time()))
    secret = None if edge_secrets is None else _secret_in(edge_secrets)
    places = [(parse_place("origin", origin, secret), ORIGIN_REMEDY)] if origin else []
    places += [(parse_place("edge", edge), EDGE_REMEDY)] if edge else []
    checks = _checks(setup)
    if probes:
        checks.append(("origin: ready", partial(check_ready, parse_place("origin: ready", probes))))
    for place, remedy in places:
        look = partial(check_served, setup, place, remedy, keys_dictionaries=edge_keys_dictionaries)
        checks.append((place.name, look))
    findings = anyio.run(run_checks, checks)
    report = Report(all(each.state is not State.FAILED for each in findings), setup.role, findings)
    show(report, as_json, lambda console: _draw(console, report))
    raise typer.Exit(Exit.OK if report.healthy else Exit.FAILED)


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


def _draw(console: Console, report: Report) -> None:
    for finding in report.findings:
        console.print(f"{finding.state:<8} {finding.name}: {plain(finding.seen)}")
        if finding.remedy is not None:
            console.print(f"{'':<8} {finding.remedy}")
    failures = sum(each.state is State.FAILED for each in report.findings)
    warnings = sum(each.state is State.WARNING for each in report.findings)
    console.print(f"{len(report.findings)} looked at: {failures} failed, {warnings} warnings")
