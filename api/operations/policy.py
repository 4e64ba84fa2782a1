"""The vendor's policy: rules for rollouts, freezes, pins, approvals and checks."""

from api.core.access import ADMINS, READERS
from api.core.operation import Change, Method, Operation, route
from release.core.policy import Policy


@route(Method.GET, "/policy", READERS)
class ReadPolicy(Operation[Policy], frozen=True, kw_only=True):
    """The rules in force."""


@route(Method.PUT, "/policy", ADMINS)
class ApplyPolicy(Change[Policy], frozen=True, kw_only=True):
    """Put rules in force, in the place of all those before.

    The rules may name commands that the controller runs, and are for all products: so is the caller's grant. Files
    are read by who asks: a freeze that names a calendar has its periods, and `calendar_until`.
    """

    policy: Policy
