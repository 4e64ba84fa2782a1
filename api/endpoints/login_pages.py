"""The pages that a login shows in a browser."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from api.answers import fault_headers, problem_response
from api.core.command_line import CODE_SECONDS, REFUSED, Waiting, answer_url, shown_code
from api.core.operation import PREFIX
from api.core.problems import problem_of
from api.core.session import RULES, SessionKind
from api.core.shown import CONTENT_TYPE, HEADERS, Link, Shown, to_html, wants_page
from api.endpoints.described import LOGIN
from api.endpoints.endpoint import Tell
from api.login import Given
from bundles.core.errors import HeadraceError

_HOURS = RULES[SessionKind.COMMAND_LINE].longest // 3600


def told_to(request: Request, waiting: Waiting | None = None) -> Tell:
    """How who sends this request is told of a fault: as a page in a browser, else as a problem."""
    return partial(_fault_page, waiting) if wants_page(request.headers.get("accept", "")) else problem_response


def consent_page(waiting: Waiting, given: Given) -> Response:
    """Asks a person whether the command line is theirs, and is where its code is: nothing goes there unasked.

    Else another site, or another user of the machine with a listener of their own, could have a browser that is
    logged in at the provider hand over a session unseen.
    """
    page = Shown(
        title="Is this your command line?",
        lines=(
            f"A command line on this computer asks to act as {given.person}, for {_HOURS} hours at most.",
            "Go on only if you have begun this login yourself just now, and your terminal shows this code:",
        ),
        code=shown_code(waiting.code_challenge),
        links=(
            Link("Yes, log it in", answer_url(waiting, {"code": given.code})),
            Link("No", answer_url(waiting, {"error": REFUSED})),
        ),
        note=f"This is of use for {CODE_SECONDS} seconds, and once.",
    )
    return Response(to_html(page), headers=HEADERS, media_type=CONTENT_TYPE)


def _fault_page(waiting: Waiting | None, fault: HeadraceError, request_id: str) -> Response:
    problem = problem_of(fault, request_id)
    again = Link("Begin again", PREFIX + LOGIN.path)
    back = again if waiting is None else Link("Tell the command line", answer_url(waiting, {"error": REFUSED}))
    page = Shown(
        title="You are not logged in",
        lines=(problem.detail,),
        links=(back,),
        note=f"{problem.title}. The server's log knows this as {request_id}.",
    )
    return Response(to_html(page), problem.status, {**fault_headers(fault, request_id), **HEADERS}, CONTENT_TYPE)
