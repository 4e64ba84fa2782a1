"""What lists are read by, page by page: names in one order in all databases, and each channel's changes.

The places that a change wrote to are read from its row in the form that rows have by now: what this step has made
must not change with the program. No row of the audit trail is touched.
"""

import json
import re
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_ROWS_AT_A_TIME = 1_000
_CHANNEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_IN_ORDER = {"documents": ("name",), "pins": ("tenant", "environment"), "blocks": ("version",)}


def upgrade() -> None:
    """Make the indexes, and give PostgreSQL's keys the order of their characters' numbers, which SQLite's have."""
    changed = op.create_table(
        "changed_channels",
        sa.Column("product", sa.String, primary_key=True),
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    )
    _fill(changed)
    op.create_index(
        "smoke_outcomes_by_candidate", "smoke_outcomes", ["product", "channel", "candidate", "revision"]
    )
    # The last, since from now on until the commit nobody else reads these tables.
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in _IN_ORDER.items():
            changes = ", ".join(f'ALTER COLUMN {column} TYPE VARCHAR COLLATE "C"' for column in columns)
            op.execute(f"ALTER TABLE {table} {changes}")


def _fill(changed: sa.Table) -> None:
    connection, after = op.get_bind(), -1
    query = sa.text(
        "SELECT revision, product, entry FROM audit_entries WHERE revision > :after ORDER BY revision LIMIT :limit"
    )
    while rows := connection.execute(query, {"after": after, "limit": _ROWS_AT_A_TIME}).all():
        found = [
            {"product": product, "channel": channel, "revision": number}
            for number, product, entry in rows
            for channel in _channels(product, entry)
        ]
        if found:
            connection.execute(changed.insert(), found)
        after = rows[-1].revision


def _channels(product: str, entry: str | bytes) -> Iterator[str]:
    """The channels that a change wrote to; of one by a Headrace that kept no places, what it was about."""
    try:
        document = json.loads(entry)
        after, subject = document["after"], document["subject"]
    except (ValueError, KeyError, TypeError):  # a damaged row, which `headrace audit verify` finds
        return
    prefix = f"channels/{product}/"
    names = (
        [subject] if after is None else [place.removeprefix(prefix) for place in after if place.startswith(prefix)]
    )
    yield from (name for name in names if _CHANNEL.fullmatch(name))
