"""A database's schema, step by step (alembic)."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from bundles.core.errors import Failed
from release.adapters.sql_schema import Schema


def newest_step(schema: Schema) -> str:
    """The last of the schema's steps."""
    head = ScriptDirectory.from_config(_config(schema)).get_current_head()
    if head is None:
        raise LookupError(f"{schema.steps} is empty")
    return head


def upgrade(connection: Connection, schema: Schema, step: str = "head") -> None:
    """Bring the database's schema up to date, or to an older step, inside the connection's transaction."""
    config = _config(schema)
    config.attributes.update(connection=connection, version_table=schema.version_table)
    try:
        command.upgrade(config, step)
    except CommandError as error:
        raise Failed(f"the {schema.owner} is of another Headrace, newer than this one ({error})") from None


def _config(schema: Schema) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_locations", str(schema.steps))
    config.set_main_option("path_separator", "newline")  # a folder's name may hold any other separator
    return config
