"""Beacons taken by a function of AWS Lambda: its real runtime client in an own process, and real PostgreSQL."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from beacons.core.beacon import Outcome
from release.core.counts import Counts
from tests.support.aws_lambda import Sandbox, sandbox
from tests.support.beacons import PATH, TEXT, body, counted, sent
from tests.support.postgresql import PostgresServer
from tests.support.processes import collector

HANDLER = "headrace.aws_lambda.handler"
SECRET = "kept-for-the-function"
MINUTE = 60
GUIDE = Path(__file__).parents[2] / "docs" / "health-database.md"


@pytest.fixture
def database(postgresql: PostgresServer, tmp_path: Path) -> str:
    """A health database that is up to date, with the roles and rights that the docs have for it."""
    database = postgresql.new_database()
    counted(tmp_path, database=database)
    schema = database.rpartition("=")[2]
    rights = GUIDE.read_text().partition("```sql\n")[2].partition("```")[0]
    statements = (
        "CREATE ROLE headrace_controller;"
        f" CREATE ROLE headrace_collector LOGIN PASSWORD '{SECRET}';"
        f" GRANT USAGE ON SCHEMA {schema} TO headrace_collector; {rights}"
    )
    # Roles are the server's: each test has its own.
    postgresql.execute(database, statements.replace("headrace_co", f"{schema}_co"))
    return database


@pytest.fixture
def function(database: str, tmp_path: Path) -> Iterator[Sandbox]:
    """The function, which knows its password by PGPASSWORD."""
    url, _, schema = database.partition("?search_path=")
    place = f"postgresql://{schema}_collector@{url.partition('@')[2]}?search_path={schema}"
    with sandbox(tmp_path, HANDLER, HEADRACE_HEALTH_DATABASE=place, PGPASSWORD=SECRET) as running:
        yield running


def rest(content: bytes, method: str = "POST", path: str = PATH, kind: str = TEXT) -> dict[str, Any]:
    """As API Gateway's REST API hands a request on (payload format 1.0)."""
    return {
        "resource": "/v1/beacon",
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": kind, "Host": "api.example"},
        "multiValueHeaders": {"Content-Type": [kind], "Host": ["api.example"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"path": f"/prod{path}", "identity": {"sourceIp": "192.0.2.1"}, "stage": "prod"},
        "body": content.decode() or None,
        "isBase64Encoded": False,
    }


def gateway(content: bytes, method: str = "POST", path: str = PATH, kind: str = TEXT) -> dict[str, Any]:
    """As an HTTP API or a function's URL hands a request on (payload format 2.0)."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": kind, "host": "api.example"},
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "stage": "$default",
        },
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }


def record(name: str, content: str, age: float = 0) -> dict[str, Any]:
    """A message as SQS hands it on, sent so many seconds ago."""
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(int((time.time() - age) * 1000))}
    return {"messageId": name, "body": content, "attributes": attributes, "eventSource": "aws:sqs"}


def queued(*records: Mapping[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def again(*names: str) -> dict[str, Any]:
    """The answer that has SQS give these messages again, and no others."""
    return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}


@pytest.mark.parametrize("event", [rest, gateway], ids=["rest", "http"])
def test_a_request_is_answered_as_the_collector_answers_it(
    event: Any, function: Sandbox, database: str, tmp_path: Path
) -> None:
    beacon = sent()
    requests = [
        (body(beacon), "POST", PATH, TEXT),
        (body(beacon), "POST", PATH, "application/json"),
        (body(sent(outcome=Outcome.ERRORED)), "POST", PATH, TEXT),
        (b"{}", "POST", PATH, TEXT),
        (b"x" * 17_000, "POST", PATH, TEXT),
        (b"", "POST", PATH, TEXT),
        (b"", "OPTIONS", PATH, TEXT),
        (b"", "GET", PATH, TEXT),
        (body(beacon), "POST", "/other", TEXT),
        (body(beacon), "POST", PATH, "text/html"),
    ]
    with collector(tmp_path / "own") as process:
        for content, method, path, kind in requests:
            own = httpx.request(method, process.url + path, content=content, headers={"content-type": kind})
            answer = function.invoke(event(content, method, path, kind))
            assert (answer["statusCode"], answer["body"]) == (own.status_code, own.text)
            assert answer["isBase64Encoded"] is False
            # uvicorn's own; and what API Gateway would add by itself where an answer has no body.
            headers = {name: own.headers[name] for name in own.headers if name not in ("date", "content-length")}
            answered = {name: answer["headers"][name] for name in answer["headers"] if name != "content-length"}
            assert {"content-type": "application/json", **headers} == {
                "content-type": "application/json",
                **answered,
            }
    assert counted(tmp_path, database=database) == {"acme": Counts(2, errored=1)}


def test_messages_are_counted_once_and_those_that_never_can_be_are_done_with(
    function: Sandbox, database: str, tmp_path: Path
) -> None:
    first, second = sent(), sent(tenant="globex")
    event = queued(
        record("one", body(first, second).decode()),
        record("malformed", '{"beacons": [{"secret": "of a visitor"}]}'),
        record("no-text", "\ud800"),
        record("old", body(sent()).decode(), age=16 * MINUTE),
        record("late", body(sent()).decode(), age=14 * MINUTE),
    )
    assert function.invoke(event) == again()
    assert function.invoke(event) == again()
    assert counted(tmp_path, database=database) == {"acme": Counts(2), "globex": Counts(1)}
    dropped = [json.loads(line) for line in function.log.splitlines() if "body dropped" in line]
    assert [each["name"] for each in dropped] == ["malformed", "no-text", "old"] * 2
    assert "visitor" not in function.log
    assert SECRET not in function.log
    # Of a tenant no more than of the collector: what is beyond it is dropped.
    flood = [record(f"{n}", body(*(sent(tenant="flood") for _ in range(50))).decode()) for n in range(41)]
    assert function.invoke(queued(*flood)) == again()
    assert counted(tmp_path, database=database)["flood"].units in range(2_000, 2_051)
    assert "over the limit" in function.log


def test_while_the_database_is_away_messages_are_given_again(
    function: Sandbox, database: str, tmp_path: Path, postgresql: PostgresServer
) -> None:
    assert function.invoke(queued(record("zero", body(sent()).decode()))) == again()
    event = queued(record("one", body(sent()).decode()), record("bad", "?"), record("two", body(sent()).decode()))
    request = gateway(body(sent()))
    postgresql.stop()
    try:
        assert function.invoke(event) == again("one", "two")
        refused = function.invoke(request)
        assert (refused["statusCode"], refused["headers"]["retry-after"]) == (503, "1")
    finally:
        postgresql.start()
    assert counted(tmp_path, database=database) == {"acme": Counts(1)}
    assert function.invoke(event) == again()
    assert function.invoke(request)["statusCode"] == 202
    assert function.invoke(event) == again()
    assert counted(tmp_path, database=database) == {"acme": Counts(4)}


def test_a_connection_that_was_lost_between_two_events_is_replaced(
    function: Sandbox, database: str, tmp_path: Path, postgresql: PostgresServer
) -> None:
    for expected in (1, 2):
        assert function.invoke(rest(body(sent())))["statusCode"] == 202
        assert counted(tmp_path, database=database) == {"acme": Counts(expected)}
        postgresql.end_connections()


@pytest.mark.parametrize("place", [None, "health.db", "mysql://x/y"])
def test_another_database_is_refused(place: str | None, tmp_path: Path) -> None:
    environment = {} if place is None else {"HEADRACE_HEALTH_DATABASE": place}
    with sandbox(tmp_path, HANDLER, **environment) as function:
        outcome = function.outcome(rest(body(sent())))
    assert outcome.is_error
    assert outcome.value["errorType"] == "Invalid"
    assert "postgresql://" in outcome.value["errorMessage"]
