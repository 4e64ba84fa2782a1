"""The options that several verbs have in common, each declared once."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path,
    typer.Option("--data", envvar="HEADRACE_DATA", help="The folder of keys, builds, database and snapshots."),
]
DEFAULT_DATA = Path(".headrace")
DEFAULT_CHANNEL, DEFAULT_ENVIRONMENT = "stable", "production"
"""As `release.core.names` has them, which help does not wait for."""
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="HEADRACE_DATABASE",
        metavar="URL|FILE",
        help="The control database: postgresql://… or a SQLite file. Else control.db in the data folder.",
    ),
]
SnapshotDatabase = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="HEADRACE_DATABASE",
        metavar="URL|FILE",
        help="The control database: of postgresql://… the snapshots are read, else the data folder's.",
    ),
]
HealthDatabase = Annotated[
    str | None,
    typer.Option(
        "--health-database",
        envvar="HEADRACE_HEALTH_DATABASE",
        metavar="URL|FILE",
        help="Where beacons are counted: postgresql://… or a SQLite file. Else health.db in the data folder.",
    ),
]

NotifyFile = Annotated[
    Path | None,
    typer.Option(
        "--notify",
        envvar="HEADRACE_NOTIFY",
        metavar="FILE",
        help="Who is told of what happens, in TOML; for your eyes alone, since it has secrets.",
    ),
]

SigningKey = Annotated[
    Path | None,
    typer.Option(
        "--key",
        envvar="HEADRACE_SIGNING_KEY",
        metavar="FILE",
        help="Sign with this private key in PEM, as a tenant does. Else with the data folder's own.",
    ),
]
SourceMapsOption = Annotated[
    bool, typer.Option("--source-maps", help="Publish source maps too: they hold your sources.")
]
AllowSecretOption = Annotated[
    list[str] | None,
    typer.Option("--allow-secret", metavar="PATH", help="Publish this file though it seems to hold a secret."),
]
BudgetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--budget",
        metavar="PATTERN=LIMIT",
        help="Refuse if a file has more br bytes ('*.js=60kB') or grew by more ('*.js=+5%', '*.js=+2kB').",
    ),
]
EdgeSecretsFile = Annotated[
    Path | None,
    typer.Option(
        "--edge-secrets", help="Answer only who sends an X-Edge-Secret of this file; one a line, at most two."
    ),
]
OpenToAll = Annotated[
    bool,
    typer.Option("--open-to-all", help="Answer anyone who reaches an address that is not this machine's own."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ProductName = Annotated[str, typer.Argument(metavar="PRODUCT", help="A product, as in posthog-js.")]
VersionText = Annotated[str, typer.Argument(metavar="VERSION", help="An exact version, as in 1.4.2.")]
TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="A customer's id.")]
TenantsOption = Annotated[
    Path | None,
    typer.Option(
        "--tenants",
        metavar="FILE",
        help="Known tenants, an id on each line; - is stdin. Those that the rules name are known anyway.",
    ),
]
ChannelName = Annotated[str, typer.Option("--channel", help="The channel to change.")]
EnvironmentName = Annotated[str, typer.Option("--environment", help="One of the tenant's environments.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]
Actor = Annotated[
    str | None,
    typer.Option("--actor", envvar="HEADRACE_ACTOR", help="Who; kept in the audit trail. Else the login name."),
]
ExpectRevision = Annotated[
    int | None,
    typer.Option("--expect-revision", help="Change only if the routing table is at this revision (else exit 5)."),
]

BreakGlass = Annotated[
    bool,
    typer.Option(
        "--break-glass",
        help="Go through freezes, past smoke tests and without approval; needs a --reason, is audited.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        metavar="KEY",
        help="A new one for each change, kept for a day: what is sent again with it is made once.",
    ),
]


def actor_or_login(actor: str | None) -> str:
    """The actor that was named, or who is logged in."""
    if actor:
        return actor
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no login name, as in some containers
        return "unknown"


def example(*lines: str) -> str:
    """The examples at the end of a verb's help, each on a line that is not broken, so that it can be copied."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])
