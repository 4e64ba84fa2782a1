"""All endpoints there are that are no operations. Some a server has only where it is set up for them."""

from typing import Annotated, Any

import msgspec

from api.core.access import READERS
from api.core.command_line import CODE_SECONDS, Waiting
from api.core.described import EVENT_STREAM, Described, Parameter
from api.core.fields import ProductField, RevisionField
from api.core.leak_report import MAX_LEAKS, Leak
from api.core.operation import Method
from api.views.change import EventView


class ExchangeAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which trusted publisher the pipeline is, and the ID token of its CI service."""

    publisher: str
    token: str


class RedeemAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that the browser has brought, and the verifier of its challenge (RFC 7636, section 4.5)."""

    code: Annotated[str, msgspec.Meta(max_length=200)]
    code_verifier: Annotated[str, msgspec.Meta(min_length=43, max_length=128)]


class ExchangeView(msgspec.Struct, frozen=True):
    """What to send as `Authorization: Bearer`, and for how many seconds it holds."""

    token: str
    expires_in: int


OPENAPI = Described(
    name="openapi",
    method=Method.GET,
    path="/openapi.json",
    summary="This document.",
    answer=dict[str, Any],
    status=200,
)
LEAKS = Described(
    name="reportLeaks",
    method=Method.POST,
    path="/leaks",
    summary="Take back tokens and sessions that were found where others can read them.",
    description=(
        "In the form of GitHub's secret scanning, and signed as GitHub does or as Headrace's own webhooks are."
        f" At most {MAX_LEAKS} at a time. The answer does not tell which were valid."
    ),
    parameters=(
        Parameter("Headrace-Timestamp", "header", "When it was signed, in seconds since the epoch"),
        Parameter("Headrace-Signature", "header", "v1= and the HMAC-SHA-256 of the timestamp, a dot and the body"),
        Parameter("Github-Public-Key-Identifier", "header", "Which of GitHub's keys has signed"),
        Parameter("Github-Public-Key-Signature", "header", "Its signature of the body, in base64"),
    ),
    body=tuple[Leak, ...],
    status=204,
)
EXCHANGE = Described(
    name="exchange",
    method=Method.POST,
    path="/exchange",
    summary="Exchange a pipeline's ID token for a session.",
    body=ExchangeAsked,
    answer=ExchangeView,
    status=201,
)
LOGIN = Described(
    name="beginLogin",
    method=Method.GET,
    path="/login",
    summary="Send a browser to the provider that people log in at.",
    description=(
        "With `port`, `state` and `code_challenge` it is for a command line that waits on 127.0.0.1 of the"
        " browser's machine (RFC 8252, RFC 7636). Who wants `text/html` is told of faults in a page, here and at"
        " the callback."
    ),
    parameters=tuple(
        Parameter(field.name, "query", "Of a command line alone", kind=field.type)
        for field in msgspec.structs.fields(Waiting)
    ),
    status=302,
)
CALLBACK = Described(
    name="finishLogin",
    method=Method.GET,
    path="/login/callback",
    summary="Give a browser that is back from the provider its session.",
    parameters=(
        Parameter("state", "query", "What ties the way back to the browser that went there"),
        Parameter("code", "query", "What the provider exchanges for an ID token"),
    ),
    status=303,
    page="The person is asked whether the command line is theirs; a link takes its code there",
)
REDEEM = Described(
    name="redeemLogin",
    method=Method.POST,
    path="/login/session",
    summary="Exchange the code of a login for a session of the command line.",
    description=f"Once, within {CODE_SECONDS} seconds, and by who knows the verifier of the code's challenge.",
    body=RedeemAsked,
    answer=ExchangeView,
    status=201,
)
LOGOUT = Described(
    name="logout",
    method=Method.POST,
    path="/logout",
    summary="End the session that the request was sent with.",
    description="A browser's needs the session's CSRF token, as every change of its does.",
    status=204,
    is_public=False,
)
EVENTS = Described(
    name="streamEvents",
    method=Method.GET,
    path="/events",
    summary="Tell of each change as it is made, in a stream of server-sent events.",
    description=(
        "Each event is named `change`, has the revision as its id, and a change in JSON as its data. A comment"
        " comes at least every 15 seconds. The stream ends where the token or session does, and where the server"
        " stops.\n\n"
        f"For the roles {', '.join(sorted(READERS))}."
    ),
    parameters=(
        Parameter("product", "query", "Only changes of this product", kind=ProductField),
        Parameter("after", "query", "Only changes after this revision; all unless named", kind=RevisionField),
        Parameter(
            "Last-Event-ID",
            "header",
            "The revision that was told last: it counts in the place of `after`",
            kind=RevisionField,
        ),
    ),
    answer=EventView,
    status=200,
    media_type=EVENT_STREAM,
    tag="changes",
    is_public=False,
)
ALL = (OPENAPI, LEAKS, EXCHANGE, LOGIN, CALLBACK, REDEEM, LOGOUT, EVENTS)
