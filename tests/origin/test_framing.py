"""What passes as a head is one request to every reader of HTTP."""

import time

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.core.framing import Reason, Refusal, refusal_of_head, refusal_of_part
from origin.core.head import read_head
from origin.core.limits import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES
from tests.support.hostile import claims_of_bodies, odd_requests

PLAIN = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


def with_fields(count: int, more: bytes = b"") -> bytes:
    """A head of so many fields."""
    return b"GET /a HTTP/1.1\r\n" + b"A: b\r\n" * (count - 1) + b"Host: x\r\n" + more + b"\r\n"


def of_target(size: int) -> bytes:
    """A head whose target has so many bytes."""
    return b"GET /" + b"a" * (size - 1) + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def of_size(size: int) -> bytes:
    """A head of so many bytes."""
    return PLAIN[:-2] + b"A: " + b"b" * (size - len(PLAIN) - 5) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("largest", "beyond", "reason", "status"),
    [
        (of_size(MAX_HEAD_BYTES), of_size(MAX_HEAD_BYTES + 1), Reason.HEAD, 431),
        (of_target(MAX_TARGET_BYTES), of_target(MAX_TARGET_BYTES + 1), Reason.TARGET, 414),
        (PLAIN, of_target(2 * MAX_HEAD_BYTES), Reason.TARGET, 414),
        (with_fields(MAX_FIELDS), with_fields(MAX_FIELDS + 1), Reason.FIELDS, 431),
        (with_fields(1, b"Content-Length: 0\r\n"), with_fields(1, b"Content-Length: 1\r\n"), Reason.BODY, 413),
        (PLAIN, with_fields(1, b"Transfer-Encoding: chunked\r\n"), Reason.BODY, 413),
        (PLAIN, with_fields(1, b"Host: y\r\n"), Reason.MALFORMED, 400),
        (b"GET /a HTTP/1.0\r\n\r\n", b"GET /a HTTP/1.1\r\n\r\n", Reason.MALFORMED, 400),
    ],
)
def test_a_limit_lets_the_largest_pass_and_nothing_beyond(
    largest: bytes, beyond: bytes, reason: Reason, status: int
) -> None:
    assert refusal_of_head(largest) is None
    refusal = refusal_of_head(beyond)
    assert refusal is not None
    assert (refusal.reason, refusal.fault.status) == (reason, status)


def in_steps(head: bytes, step: int) -> Refusal | None:
    """What is said of a head that arrives in pieces of so many bytes and never ends."""
    seen = 0
    for size in range(step, len(head) + step, step):
        refusal = refusal_of_part(bytearray(head[:size]), seen)
        if refusal is not None:
            return refusal
        seen = min(size, len(head))
    return None


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_what_can_become_no_head_is_refused_before_its_end(step: int) -> None:
    for part, reason in (
        (b"\x16\x03\x01\x02\x00", Reason.MALFORMED),
        (b"GET /a HTTP/1.1\nHost: x\n\n", Reason.MALFORMED),
        (b"GET /a HTTP/1.1\rHost: x\r\r", Reason.MALFORMED),
        (b"GET /" + b"a" * (MAX_TARGET_BYTES + 100), Reason.TARGET),
        (of_size(MAX_HEAD_BYTES + 3)[:-2], Reason.HEAD),
    ):
        refusal = in_steps(part, step)
        assert refusal is not None, part[:40]
        assert refusal.reason is reason
    for head in (PLAIN[:-2], of_size(MAX_HEAD_BYTES)[:-2], of_target(MAX_TARGET_BYTES)[:-2], b"\r\n", b""):
        assert in_steps(head, step) is None


def as_h11_reads_it(head: bytes) -> h11.Request:
    """The one request, without a body, that another reader sees. Raises where it sees anything else."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=2 * MAX_HEAD_BYTES)
    reader.receive_data(head)
    request = reader.next_event()
    assert isinstance(request, h11.Request)
    assert isinstance(reader.next_event(), h11.EndOfMessage)
    assert reader.trailing_data[0] == b""
    return request


def is_read_alike(head: bytes) -> bool:
    """True where a head passes; and then every reader must see the same in it."""
    if refusal_of_head(head) is not None:
        return False
    request = as_h11_reads_it(head)
    method, target, _ = head.split(b" ", 2)
    assert (request.method, request.target) == (method, target)
    return True


def test_of_the_hostile_heads_those_that_pass_are_read_alike() -> None:
    heads = [sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for sent in odd_requests(10_000)]
    assert sum(map(is_read_alike, heads)) > 500
    claims = [sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for sent in claims_of_bodies(10_000)]
    assert not any(map(is_read_alike, claims))


_PIECES = (
    b"GET ", b"/a", b" HTTP/1.1\r\n", b"Host: x\r\n", b"Host:x\r\n", b"A: b\r\n", b"Content-Length: 0\r\n",
    b"\r\n", b" ", b"\t", b"\r", b"\n", b":", b"Accept-Encoding: br\r\n", b"Connection: close\r\n",
    b"Expect: x\r\n", b"\x00", b"\xe9",
)  # fmt: skip
PIECES = st.sampled_from(_PIECES)


@given(st.lists(PIECES, max_size=8), st.booleans())
def test_what_passes_is_read_alike_and_the_fast_lane_takes_no_more(pieces: list[bytes], is_begun: bool) -> None:
    begin = b"GET /a HTTP/1.1\r\nHost: x\r\n" if is_begun else b""
    head = (begin + b"".join(pieces)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    passes = is_read_alike(head)
    assert passes or read_head(head) is None


@pytest.mark.parametrize("count", [1, 49, 50, 98, 99, 100, 101, 150])
def test_the_fast_lane_keeps_the_limits(count: int) -> None:
    for head in (with_fields(count), of_target(MAX_TARGET_BYTES + count), of_size(MAX_HEAD_BYTES - 50 + count)):
        assert read_head(head) is None or refusal_of_head(head) is None
    assert read_head(with_fields(3)) is not None


@pytest.mark.parametrize("name", [b"Host", b"Content-Length", b"Transfer-Encoding", b"Accept"])
@pytest.mark.parametrize("blank", [b" ", b"\t", b" \t"])
def test_blanks_within_a_value_cost_no_more_than_their_number(name: bytes, blank: bytes) -> None:
    """Of twice as many it is twice the time: where it is the square, a few requests would stop an origin."""

    def seconds(count: int) -> float:
        head = b"GET / HTTP/1.1\r\n" + name + b": a" + blank * count + b"b\r\n\r\n"
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            for _ in range(10):
                refusal_of_head(head)
                read_head(head)
            times.append(time.perf_counter() - begun)
        return min(times)

    assert seconds(8_000) < 20 * seconds(1_000)
