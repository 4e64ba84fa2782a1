"""Conditional requests (RFC 9110, section 13) against the specification's own table of steps."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.core.conditional import Outcome, evaluate, may_send_range
from origin.core.request import RequestView, view_request

ETAG = '"abc"'
DATE = "Wed, 25 Nov 2026 00:00:00 GMT"


def request(method: str = "GET", **fields: str | None) -> RequestView:
    return RequestView(method=method, path="/", **fields)


@pytest.mark.parametrize(
    ("header", "weakly", "strongly"),
    [
        ('"abc"', True, True),
        ('W/"abc"', True, False),
        ('"x", "abc"', True, True),
        ('"x" , W/"abc","y"', True, False),
        ('W/"abc", "abc"', True, True),
        ("*", True, True),
        (" * ", True, True),
        ('"abcd"', False, False),
        ("abc", False, False),
        ('"ABC"', False, False),
        ("", False, False),
        ('"x,"abc"', False, False),
    ],
)
def test_lists_of_etags(header: str, weakly: bool, strongly: bool) -> None:
    known = evaluate(request(if_none_match=header), ETAG)
    assert known is (Outcome.NOT_MODIFIED if weakly else Outcome.GO_ON)
    wanted = evaluate(request(if_match=header), ETAG)
    assert wanted is (Outcome.GO_ON if strongly else Outcome.FAILED)


@pytest.mark.parametrize(
    ("method", "fields", "sent"),
    [
        ("GET", {"range": "bytes=0-0"}, True),
        ("GET", {"range": "bytes=0-0", "if_range": ETAG}, True),
        ("GET", {"range": "bytes=0-0", "if_range": f" {ETAG} "}, True),
        ("GET", {"range": "bytes=0-0", "if_range": f"W/{ETAG}"}, False),
        ("GET", {"range": "bytes=0-0", "if_range": '"other"'}, False),
        ("GET", {"range": "bytes=0-0", "if_range": f'"other", {ETAG}'}, False),
        ("GET", {"range": "bytes=0-0", "if_range": "*"}, False),
        ("GET", {"range": "bytes=0-0", "if_range": ""}, False),
        ("GET", {"range": "bytes=0-0", "if_range": DATE}, False),
        ("GET", {"if_range": ETAG}, False),
        ("HEAD", {"range": "bytes=0-0"}, False),
        ("HEAD", {"range": "bytes=0-0", "if_range": ETAG}, False),
    ],
)
def test_if_range_lets_a_range_through_for_the_very_bytes_it_names(
    method: str, fields: dict[str, str], sent: bool
) -> None:
    assert may_send_range(request(method, **fields), ETAG) is sent


lists = st.none() | st.just("*") | st.lists(st.sampled_from([ETAG, f"W/{ETAG}", '"x"', 'W/"x"'])).map(", ".join)


def steps(if_match: str | None, if_none_match: str | None) -> int | None:
    """The status by section 13.2.2 for a representation without a modification date; None to go on."""

    def tags(header: str) -> list[str]:
        return re.split(r"\s*,\s*", header) if header else []

    # Step 1, and step 2, which needs a modification date.
    if if_match is not None and if_match != "*" and ETAG not in tags(if_match):
        return 412
    # Step 3, and step 4, which needs a modification date.
    if if_none_match is not None and (
        if_none_match == "*" or ETAG in [tag.removeprefix("W/") for tag in tags(if_none_match)]
    ):
        return 304
    return None


@given(lists, lists)
def test_the_preconditions_come_in_the_order_of_the_specification(
    if_match: str | None, if_none_match: str | None
) -> None:
    outcome = evaluate(request(if_match=if_match, if_none_match=if_none_match), ETAG)
    expected = {412: Outcome.FAILED, 304: Outcome.NOT_MODIFIED, None: Outcome.GO_ON}
    assert outcome is expected[steps(if_match, if_none_match)]


def test_a_field_on_several_lines_is_one_list_and_others_are_not_looked_at() -> None:
    lines = [(b"if-none-match", b'"x"'), (b"cookie", b"a=b"), (b"if-none-match", ETAG.encode())]
    view = view_request("GET", "/sdk.js", lines)
    assert view == RequestView("GET", "/sdk.js", if_none_match=f'"x", {ETAG}')
