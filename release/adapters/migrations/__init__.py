"""The control database's schema, step by step (alembic)."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from bundles.core.errors import Failed

_CONFIG = Config()
_CONFIG.set_main_option("script_location", str(Path(__file__).parent))


def newest_schema() -> str:
    """The schema version that this program writes."""
    head = ScriptDirectory.from_config(_CONFIG).get_current_head()
    if head is None:
        raise LookupError("the migrations folder is empty")
    return head


def upgrade(connection: Connection) -> None:
    """Bring the database's schema up to date, inside the connection's transaction."""
    _CONFIG.attributes["connection"] = connection
    try:
        command.upgrade(_CONFIG, "head")
    except CommandError as error:
        raise Failed(f"the control database is of another Headrace, newer than this one ({error})") from None
