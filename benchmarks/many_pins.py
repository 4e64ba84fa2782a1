"""Many pins at once, put into the ledger's tables: one by one they would take hours."""

from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from bundles.core.names import Product
from release.adapters import schema
from release.core.codec import encode_document
from release.core.names import PRODUCTION, Tenant
from release.core.routing import Pin


def put_pins(data: Path, product: Product, pins: Iterable[tuple[Tenant, Pin]]) -> None:
    """The tenants' pins in production, as one revision. A thorough look at the snapshot brings them into it."""
    row = {"product": product, "environment": PRODUCTION}
    rows = [{**row, "tenant": tenant, "pin": encode_document(pin).decode()} for tenant, pin in pins]
    engine = sa.create_engine(f"sqlite:///{data / 'control.db'}")
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.pins), rows)
        connection.execute(sa.update(schema.revisions).values(revision=schema.revisions.c.revision + 1))
    engine.dispose()
