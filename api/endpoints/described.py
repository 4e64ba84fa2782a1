"""All endpoints there are that are no operations."""

from api.core.described import Described
from api.endpoints.leaks import LEAKS
from api.endpoints.openapi import OPENAPI


def all_described() -> tuple[Described, ...]:
    """Every one of them, be it served here or not: some a server has only where it is set up for them."""
    return (OPENAPI, LEAKS)
