"""What alembic runs for each command: the migrations, on the connection that `upgrade` was given."""

from alembic import context

from release.adapters.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
