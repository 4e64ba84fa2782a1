"""The tables of one database, and how they come up to date."""

from dataclasses import dataclass
from pathlib import Path

from release.adapters import schema


@dataclass(frozen=True)
class Schema:
    """A schema that grows step by step.

    `version` is the newest of the `steps`, a folder with one alembic module for each; which one a database has
    come to is in its `version_table`. `owner` says in messages whose database it is, and `remedy` what to do where
    it is broken.
    """

    owner: str
    version: str
    version_table: str
    steps: Path
    remedy: str


CONTROL = Schema(
    owner="control database",
    version=schema.VERSION,
    version_table="alembic_version",
    steps=Path(__file__).parent / "migrations" / "versions",
    remedy="Origins go on serving the last snapshot; mend the database or restore a backup",
)
"""The ledger's tables, and those of snapshots."""
