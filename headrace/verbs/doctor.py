"""`headrace doctor`."""

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from api.core.plain import plain
from headrace.doctor.finding import Finding, Role, State
from headrace.exits import Exit
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, EdgeSecretsFile, HealthDatabase, example
from headrace.terminal import show

if TYPE_CHECKING:
    from rich.console import Console

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
    from headrace.doctor import examine

    asked = examine.Asked(origin, probes, edge, edge_secrets, edge_keys_dictionaries)
    setup, findings = examine.examine(data, database, health_database, role, asked)
    report = Report(all(each.state is not State.FAILED for each in findings), setup.role, findings)
    show(report, as_json, lambda console: _draw(console, report))
    raise typer.Exit(Exit.OK if report.healthy else Exit.FAILED)


def _draw(console: "Console", report: Report) -> None:
    for finding in report.findings:
        console.print(f"{finding.state:<8} {finding.name}: {plain(finding.seen)}")
        if finding.remedy is not None:
            console.print(f"{'':<8} {finding.remedy}")
    failures = sum(each.state is State.FAILED for each in report.findings)
    warnings = sum(each.state is State.WARNING for each in report.findings)
    console.print(f"{len(report.findings)} looked at: {failures} failed, {warnings} warnings")
