"""The roles that somebody may have."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody is let do; an operation names those that may ask for it (docs/access.md)."""

    VIEWER = "viewer"
    PUBLISHER = "publisher"
    RELEASER = "releaser"
    APPROVER = "approver"
    CUSTOMER = "customer"
    ADMIN = "admin"
