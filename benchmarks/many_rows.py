"""A ledger with so many of everything that lists tell of, put into its tables: one by one it would take hours.

The statements are for SQLite and for PostgreSQL. The changes are no chain: lists do not verify it.
"""

from collections.abc import Iterator

from bundles.core.names import Product
from release.core.names import Channel

SDK, RARE_PRODUCT, RARE_CHANNEL = Product("sdk"), Product("rare"), Channel("rare")
RARE = 20
"""So many of the changes are of the product, and so many of the channel, that few are of."""


def filling(count: int) -> Iterator[str]:
    """Statements that bring an empty ledger to so many tenants, pins and changes; the pins are at 1.0.0."""
    yield _insert(count, "documents (kind, name, document)", "'tenant', 'tenant-' || n, '{\"tier\":\"free\"}'")
    pin = '{"author":"sam","reason":"tested","target":"1.0.0"}'
    yield _insert(
        count,
        "pins (product, tenant, environment, pin)",
        f"'{SDK}', 'tenant-' || n, 'production', '{pin}'",
    )
    entry = (
        '{"actor":"sam","after":{"channels/sdk/stable":{"history":["1.0.0"]}},"at":1,"before":{},"previous":"0",'
        '"product":"sdk","reason":"","revision":'
    )
    product = f"CASE WHEN n <= {RARE} THEN '{RARE_PRODUCT}' ELSE '{SDK}' END"
    yield _insert(
        count,
        "audit_entries (revision, product, entry, hash)",
        f"""n, {product}, '{entry}' || n || ',"subject":"stable","verb":"start"}}', '0'""",
    )
    channel = f"CASE WHEN n <= {2 * RARE} THEN '{RARE_CHANNEL}' ELSE 'stable' END"
    yield f"INSERT INTO channels (product, name, state) VALUES ('{SDK}', 'stable', '{{\"history\":[\"1.0.0\"]}}')"
    yield _insert(count, "changed_channels (product, channel, revision)", f"{product}, {channel}, n")
    yield f"UPDATE current_revision SET revision = {count}"


def _insert(count: int, into: str, values: str) -> str:
    numbers = f"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    return f"INSERT INTO {into} {numbers} SELECT {values} FROM numbers"
