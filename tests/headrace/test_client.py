"""The client of the admin API, in both colours: on a real server, through a proxy that fails, and beside none."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from stamina.instrumentation import set_on_retry_hooks

from api.core.limits import TooMany
from api.core.operation import Operation, Terms
from api.core.problems import Malformed
from api.core.role import Role
from api.operations.callers import WhoAmI
from api.operations.changes import ListChanges, Order
from api.operations.channels import AbortRollout, PauseRollout, ReadChannel, RollBack, StartRollout
from api.operations.pins import ClearPin, SetPin
from api.operations.policy import ReadPolicy
from api.operations.tokens import ListTokens
from api.views.caller import CallerView
from api.views.channel import ChannelView
from api.views.pin import PinView
from bundles.core.errors import (
    Conflict,
    Failed,
    HeadraceError,
    Invalid,
    KeyReused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
    Stale,
)
from tests.api.http.conftest import api_data, server, tokens
from tests.contract.conftest import FaultyS3, free_port, http_server
from tests.support.certificates import Authority
from tests.support.colours import COLOURS, AsyncColour, PlainColour
from tests.support.processes import ApiProcess, api
from tests.support.service import Answer, Service, hang, say, serving

__all__ = ["api_data", "server", "tokens"]

Colour = PlainColour | AsyncColour
PIN: dict[str, Any] = {"product": "sdk", "tenant": "acme", "environment": "production"}
WHO = b'{"name": "token:ci", "roles": ["viewer"], "products": ["*"], "tenant": null}'


@pytest.fixture(params=COLOURS)
def colour(request: pytest.FixtureRequest) -> Any:
    """The class of a colour's client."""
    return COLOURS[request.param]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is tried again is not logged."""
    set_on_retry_hooks([])
    yield
    set_on_retry_hooks(None)


@pytest.fixture
def admin(colour: type[Colour], server: ApiProcess, tokens: dict[Role, str]) -> Colour:
    """A client of who may ask for everything."""
    return colour(server.url, tokens[Role.ADMIN])


@pytest.fixture(scope="module")
def proxy(server: ApiProcess) -> Iterator[FaultyS3]:
    """A proxy before the server, which fails as it is told."""
    port = free_port()
    with http_server(port, "tests.contract.faulty_proxy", server.url, port) as url:
        yield FaultyS3(url)


def newest(client: Colour) -> Any:
    return client.send(ListChanges(limit=1)).items[0]


def test_answers_have_the_types_that_operations_say(admin: Colour) -> None:
    assert isinstance(admin.send(WhoAmI()), CallerView)
    channel = admin.send(ReadChannel(product="sdk", channel="stable"))
    assert isinstance(channel, ChannelView)
    assert channel.stable == "1.0.0"
    pin = admin.send(SetPin(**PIN, target="1.0.0", reason="tested"))
    assert isinstance(pin, PinView)
    assert pin.author == "token:a-admin"
    assert admin.send(ClearPin(**PIN)).target == "1.0.0"


def test_all_is_every_item_of_every_page(admin: Colour) -> None:
    admin.send(SetPin(**PIN, target="1.0.0"))
    names = [token.name for token in admin.all(ListTokens(limit=2))]
    assert sorted(names) == sorted(f"a-{role}" for role in Role)
    revisions = [view.revision for view in admin.all(ListChanges(order=Order.OLDEST, limit=3))]
    assert revisions == list(range(1, newest(admin).revision + 1))


def test_a_plan_changes_nothing(admin: Colour) -> None:
    before = newest(admin)
    plan = admin.plan(SetPin(**PIN, target="1.1.0"))
    assert (plan.revision, [move.after for move in plan.channels[0].moves]) == (before.revision, ["1.1.0"])
    assert newest(admin) == before


@pytest.mark.parametrize(
    ("role", "asked", "terms", "kind"),
    [
        (Role.ADMIN, ReadChannel(product="sdk", channel="none"), Terms(), NotFound),
        (Role.ADMIN, ReadChannel(product="Not One", channel="stable"), Terms(), Malformed),
        (Role.ADMIN, StartRollout(product="sdk", channel="stable", candidate="9.9.9"), Terms(), NotFound),
        (Role.ADMIN, SetPin(**PIN, target="none at all"), Terms(), Invalid),
        (Role.ADMIN, PauseRollout(product="sdk", channel="stable"), Terms(), Refused),
        (Role.ADMIN, SetPin(**PIN, target="1.0.0"), Terms(expected_revision=1), Stale),
        (Role.VIEWER, RollBack(product="sdk", channel="stable"), Terms(), NotAllowed),
        (Role.CUSTOMER, ReadPolicy(), Terms(), NotAllowed),
    ],
)
def test_a_fault_is_raised_as_what_it_is(
    colour: type[Colour],
    server: ApiProcess,
    tokens: dict[Role, str],
    role: Role,
    asked: Operation[Any],
    terms: Terms,
    kind: type[HeadraceError],
) -> None:
    with pytest.raises(kind) as raised:
        colour(server.url, tokens[role]).send(asked, terms)
    assert type(raised.value) is kind


def test_a_key_is_for_one_change_alone(admin: Colour, colour: type[Colour]) -> None:
    terms = Terms(key=f"one-{colour.__name__}")
    assert admin.send(SetPin(**PIN, target="1.0.0"), terms) == admin.send(SetPin(**PIN, target="1.0.0"), terms)
    with pytest.raises(KeyReused):
        admin.send(SetPin(**PIN, target="1.1.0"), terms)


def test_who_is_not_known_and_who_asks_too_often_are_told(colour: type[Colour], api_data: Path) -> None:
    with api(api_data, "--strangers", "1") as process:
        stranger = colour(process.url, "hdr_none", most_attempts=1)
        with pytest.raises(NotAuthenticated):
            stranger.send(WhoAmI())
        with pytest.raises(TooMany):
            stranger.send(WhoAmI())


@pytest.mark.parametrize(("kind", "times"), [("throttle", 2), ("reset", 2)])
def test_what_may_pass_is_tried_again(
    colour: type[Colour], proxy: FaultyS3, tokens: dict[Role, str], kind: str, times: int
) -> None:
    proxy.fail(kind, times, "/me")
    assert colour(proxy.url, tokens[Role.VIEWER]).send(WhoAmI()).name == "token:a-viewer"
    assert proxy.seen("GET", "/me") == times + 1


def test_a_change_whose_answer_was_lost_is_made_once(
    colour: type[Colour], proxy: FaultyS3, tokens: dict[Role, str], admin: Colour
) -> None:
    before = newest(admin).revision
    proxy.fail("reset", 2, "/pins/")
    assert colour(proxy.url, tokens[Role.ADMIN]).send(SetPin(**PIN, target="^1")).target == "^1"
    assert proxy.seen("PUT", "/pins/") == 3
    assert newest(admin).revision == before + 1


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(
    colour: type[Colour], proxy: FaultyS3, tokens: dict[Role, str]
) -> None:
    proxy.fail("stall", 1, "/me")
    assert colour(proxy.url, tokens[Role.VIEWER], timeout=1.0).send(WhoAmI()).name == "token:a-viewer"


@pytest.mark.parametrize("kind", ["truncate", "lie"])
def test_an_answer_that_is_damaged_is_not_taken_for_one(
    colour: type[Colour], proxy: FaultyS3, tokens: dict[Role, str], kind: str
) -> None:
    proxy.fail(kind, 1, "/me")
    with pytest.raises(Failed, match="not understood"):
        colour(proxy.url, tokens[Role.VIEWER]).send(WhoAmI())


def in_turn(*answers: Answer) -> Answer:
    """One after the other."""
    left = iter(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        next(left)(handler)

    return answer


def test_the_time_that_a_server_names_is_waited_for(colour: type[Colour]) -> None:
    problem = (
        b'{"type":"urn:headrace:problem:too-many-requests","title":"","status":429,"detail":"","request_id":""}'
    )
    service = Service(in_turn(say(429, problem, **{"retry-after": "2"}), say(200, WHO)))
    with serving(service) as url:
        begun = time.monotonic()
        assert colour(url, "hdr_none").send(WhoAmI()).name == "token:ci"
        assert time.monotonic() - begun >= 2
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (say(200, b"<html>"), "not understood"),
        (say(200, b'{"name": 1}'), "another version"),
        (say(200, b'{"name":"\xff"}'), "not understood"),
        (say(502, b"<html>"), "answered 502, and not as Headrace does"),
        (say(500, b'{"type":"\xff"}'), "answered 500, and not as Headrace does"),
        (say(418, b'{"type":"urn:x","title":"t","status":418,"detail":"tea","request_id":"r"}'), "tea"),
        (hang, "did not answer"),
    ],
)
def test_what_is_no_headrace_is_a_failure_in_a_line(colour: type[Colour], answer: Answer, says: str) -> None:
    with serving(Service(answer)) as url, pytest.raises(HeadraceError, match=says):
        colour(url, "hdr_none", most_attempts=1, timeout=0.5).send(WhoAmI())


def test_nobody_there_is_a_failure_in_a_line(colour: type[Colour]) -> None:
    with pytest.raises(Failed, match="the server did not answer"):
        colour(f"http://127.0.0.1:{free_port()}", "hdr_none", most_attempts=2).send(WhoAmI())


def test_a_token_does_not_follow_a_redirect(colour: type[Colour]) -> None:
    other = Service(say(200, WHO))
    with serving(other) as elsewhere:
        moved = say(307, b"", location=f"{elsewhere}/api/v1/me")
        with serving(Service(moved)) as url, pytest.raises(Failed, match="answered 307"):
            colour(url, "hdr_none").send(WhoAmI())
    assert other.asked == []


def test_a_token_in_clear_text_goes_by_no_proxy(colour: type[Colour], monkeypatch: pytest.MonkeyPatch) -> None:
    between = Service(say(200, b"{}"))
    with serving(between) as proxy_url, serving(Service(say(200, WHO))) as url:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy_url)
        assert colour(url, "hdr_none").send(WhoAmI()).name == "token:ci"
    assert between.asked == []


@pytest.mark.parametrize(
    "server",
    [
        *("http://headrace.example", "http://127.0.0.1.example", "http://127.0.0.1@headrace.example"),
        *("https://ada:pass@headrace.example", "https://headrace.example/api", "https://headrace.example?a=b"),
        *("https://headrace.example#a", "ftp://headrace.example", "headrace.example", "https://", "https://[::1"),
        *("https://headrace.example:port", "https://headrace.example:70000", "//headrace.example", ""),
    ],
)
def test_what_is_no_server_for_a_token_is_refused(colour: type[Colour], server: str) -> None:
    with pytest.raises(Invalid):
        colour(server, "hdr_none").send(WhoAmI())


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "\u20ac"])
def test_what_no_header_can_have_is_no_token(colour: type[Colour], token: str) -> None:
    with pytest.raises(Invalid, match="no token"):
        colour("https://headrace.example", token).send(WhoAmI())


def test_a_servers_certificate_is_of_an_authority_that_is_known(
    colour: type[Colour],
    api_data: Path,
    tokens: dict[Role, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("api")
    with api(api_data, "--tls-certificate", str(certificate), "--tls-key", str(key)) as process:
        url = process.url.replace("http://", "https://")
        with pytest.raises(Failed, match=r"(?i)certificate"):
            colour(url, tokens[Role.VIEWER], most_attempts=1).send(WhoAmI())
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        assert colour(url, tokens[Role.VIEWER]).send(WhoAmI()).name == "token:a-viewer"


def test_changes_are_told_once_while_servers_come_and_go(
    colour: type[Colour], api_data: Path, tokens: dict[Role, str]
) -> None:
    port = ("--port", str(free_port()))
    with api(api_data, *port) as process, ThreadPoolExecutor(1) as pool:
        client = colour(process.url, tokens[Role.ADMIN])
        last = newest(client).revision
        told = pool.submit(client.events, 3, "sdk", last)
        client.send(SetPin(**PIN, target="1.0.0"))
        assert process.stop() == 0
        killed = ApiProcess(api_data, *port)
        client.send(SetPin(**PIN, target="1.1.0"))
        killed.kill()
        killed.stop()
        with api(api_data, *port):
            client.send(SetPin(**PIN, target="^1"))
            assert [view.revision for view in told.result(60)] == [last + 1, last + 2, last + 3]


def test_a_stream_that_can_not_begin_is_a_fault(admin: Colour, colour: type[Colour]) -> None:
    with pytest.raises(Conflict):
        admin.events(1, after=999_999)
    with pytest.raises(Malformed):
        admin.events(1, product="Not One")
    with serving(Service(say(200, WHO))) as url, pytest.raises(Failed, match="not as Headrace does"):
        colour(url, "hdr_none").events(1)


def test_the_example_of_the_docs_runs(
    server: ApiProcess, tokens: dict[Role, str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    example = (
        text.partition("```python\n")[2].partition("```")[0].replace("https://headrace.example.com", server.url)
    )
    exec(example, {"token": tokens[Role.ADMIN]})
    PlainColour(server.url, tokens[Role.ADMIN]).send(AbortRollout(product="sdk", channel="stable"))
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ channels change; at \d+", said[0])  # it has what other tests have left
    assert said[-1] == "1 start sam"
