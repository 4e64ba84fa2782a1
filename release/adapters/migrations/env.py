"""What alembic runs for each command: the migrations, on the connection that `upgrade` was given."""

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table=attributes["version_table"])
context.run_migrations()
