"""Those who ask, and what they were refused."""

from api.core.access import ADMINS
from api.core.fields import CursorField, LimitField
from api.core.operation import Method, Operation, route
from api.core.page import Page
from api.core.role import Role
from api.views.caller import CallerView
from api.views.refusal import RefusalView


@route(Method.GET, "/me", frozenset(Role))
class WhoAmI(Operation[CallerView], frozen=True, kw_only=True):
    """Who asks, by the credential that was sent, and what it may do."""


@route(Method.GET, "/refusals", ADMINS)
class ListRefusals(Operation[Page[RefusalView]], frozen=True, kw_only=True):
    """What was refused in the last 90 days, and to whom, the newest first."""

    limit: LimitField = 100
    cursor: CursorField = ""
