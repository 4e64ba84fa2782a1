"""The access database's tables: who has logged in, which tokens are in use, what was refused; no secrets."""

from pathlib import Path

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text

VERSION = "0002"
"""The newest step in `migrations`; written here too, so that most starts need not load alembic."""
VERSION_TABLE = "access_version"
STEPS = Path(__file__).parent / "migrations"

metadata = MetaData()

token_uses = Table(
    "token_uses",
    metadata,
    Column("id", String, primary_key=True),
    Column("last_used_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
sessions = Table(
    "sessions",
    metadata,
    Column("digest", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("caller", Text, nullable=False),  # name and grant, in JSON
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("idle_seconds", BigInteger, nullable=True),
    Column("ends_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
# The ID tokens of pipelines that were exchanged, until they hold no more.
used_tokens = Table(
    "used_tokens",
    metadata,
    Column("name", String, primary_key=True),  # a digest of issuer and `jti`
    Column("until", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
# What command lines exchange for a session, until they have, or a minute is over.
login_codes = Table(
    "login_codes",
    metadata,
    Column("digest", String, primary_key=True),
    Column("code_challenge", String, nullable=False),
    Column("caller", Text, nullable=False),  # as in `sessions`
    Column("ends_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
# In the order of its key, so that the newest are found, and the oldest removed, by the first column.
refusals = Table(
    "refusals",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, String, primary_key=True) for name in ("caller", "address", "operation", "why")),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
