"""`Range` (RFC 9110, section 14): the parser against one written anew, and parts against the bytes they are of."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundles.core.digest import digest_of
from bundles.core.span import Span
from origin.core.multipart import make_multipart
from origin.core.ranges import MAX_RANGES, PART_OVERHEAD, requested_spans

WHOLE = None
FAR = 10_000  # a body in which parts can be so far from each other that they stay apart


def one_byte_ranges(count: int) -> str:
    """So many ranges, far from each other."""
    return "bytes=" + ",".join(f"{n * 300}-{n * 300}" for n in range(count))


@pytest.mark.parametrize(
    ("header", "size", "spans"),
    [
        ("bytes=0-0", 1000, [(0, 1)]),
        ("bytes=5-5", 1000, [(5, 6)]),
        ("bytes=-1", 1000, [(999, 1000)]),
        ("bytes=0-", 1000, [(0, 1000)]),
        ("bytes=999-", 1000, [(999, 1000)]),
        ("bytes=0-999", 1000, [(0, 1000)]),
        ("bytes=0-5000", 1000, [(0, 1000)]),
        ("bytes=-5000", 1000, [(0, 1000)]),
        ("bytes=0-99999999999999999999999999", 1000, [(0, 1000)]),
        ("bytes=000000000000000000000000001-2", 1000, [(1, 3)]),
        ("BYTES=0-1", 1000, [(0, 2)]),
        (" bytes=0-1 ", 1000, [(0, 2)]),
        ("bytes=,0-1,,", 1000, [(0, 2)]),
        # Nothing of it is there.
        ("bytes=1000-", 1000, []),
        ("bytes=1000-2000", 1000, []),
        ("bytes=99999999999999999999999999-", 1000, []),
        ("bytes=-0", 1000, []),
        ("bytes=-0, 1000-", 1000, []),
        # What is there is sent, and the rest passed over.
        ("bytes=0-1, 1000-", 1000, [(0, 2)]),
        ("bytes=5000-, 0-1", 1000, [(0, 2)]),
        # No ranges at all.
        ("bytes=5-2", 1000, WHOLE),
        ("bytes=0-1, 5-2", 1000, WHOLE),
        ("bytes=-", 1000, WHOLE),
        ("bytes=", 1000, WHOLE),
        ("bytes=,", 1000, WHOLE),
        ("bytes", 1000, WHOLE),
        ("", 1000, WHOLE),
        ("bytes=a-b", 1000, WHOLE),
        ("bytes=+1-2", 1000, WHOLE),
        ("bytes=1- 2", 1000, WHOLE),
        ("bytes=1-2-3", 1000, WHOLE),
        ("bytes=0x1-0x2", 1000, WHOLE),
        ("bytes=\u0661-\u0662", 1000, WHOLE),
        ("bytes = 0-1", 1000, WHOLE),
        ("bytes:0-1", 1000, WHOLE),
        ("lines=0-1", 1000, WHOLE),
        ("bytes=0-1; lines=0-1", 1000, WHOLE),
        # An empty body has no part.
        ("bytes=0-", 0, WHOLE),
        ("bytes=-1", 0, WHOLE),
        # Several: apart, overlapping, touching, near, in any order.
        ("bytes=0-9, 5000-5009", FAR, [(0, 10), (5000, 5010)]),
        ("bytes=5000-5009, 0-9", FAR, [(5000, 5010), (0, 10)]),
        ("bytes=0-9, 5-14", FAR, [(0, 15)]),
        ("bytes=0-9, 10-19", FAR, [(0, 20)]),
        ("bytes=0-9, 20-29", FAR, [(0, 30)]),
        (f"bytes=0-9, {10 + PART_OVERHEAD}-300", FAR, [(0, 10), (10 + PART_OVERHEAD, 301)]),
        (f"bytes=0-9, {9 + PART_OVERHEAD}-300", FAR, [(0, 301)]),
        ("bytes=9000-, 10-19, 4000-4099, 0-9", FAR, [(9000, 10_000), (0, 20), (4000, 4100)]),
        ("bytes=0-99, 10-19", FAR, [(0, 100)]),
        # More than there is to have, or more ranges than anyone needs.
        ("bytes=0-, 0-", FAR, WHOLE),
        ("bytes=0-5999, 5000-9999", FAR, WHOLE),
        (one_byte_ranges(MAX_RANGES), FAR, [(n * 300, n * 300 + 1) for n in range(MAX_RANGES)]),
        (one_byte_ranges(MAX_RANGES + 1), FAR, WHOLE),
        ("bytes=" + ",".join(["0-0"] * 10_000), FAR, WHOLE),
        ("bytes=" + "9" * 5_000 + "-", FAR, WHOLE),
    ],
)  # fmt: skip
def test_ranges(header: str, size: int, spans: list[tuple[int, int]] | None) -> None:
    expected = None if spans is None else tuple(Span(start, end) for start, end in spans)
    assert requested_spans(header, size) == expected


def oracle(header: str, size: int) -> set[int] | None:
    """The positions asked for, by the letter of section 14.1.2 and byte by byte; None for no valid ranges."""
    if not header.startswith("bytes="):
        return None
    positions: set[int] = set()
    for text in filter(None, (part.strip() for part in header[6:].split(","))):
        if suffix := re.fullmatch(r"-(\d+)", text):
            positions |= set(range(size)[-int(suffix[1]) :]) if int(suffix[1]) else set()
        elif (pair := re.fullmatch(r"(\d+)-(\d*)", text)) and (not pair[2] or int(pair[1]) <= int(pair[2])):
            last = int(pair[2]) if pair[2] else size
            positions |= {at for at in range(size) if int(pair[1]) <= at <= last}
        else:
            return None
    return positions


numbers = st.integers(0, 60) | st.integers(0, 1500)
ranges = st.one_of(
    st.builds("{}-{}".format, numbers, numbers),
    st.builds("{}-".format, numbers),
    st.builds("-{}".format, numbers),
)
headers = st.lists(ranges, min_size=1, max_size=6).map(lambda parts: "bytes=" + ",".join(parts))


@given(headers, st.integers(1, 1200))
@example("bytes=0-0,-1", 1200)
@example("bytes=-1,0-0", 1200)
def test_what_is_sent_is_what_was_asked_for_and_the_gaps_that_are_cheaper_to_send(header: str, size: int) -> None:
    wanted, spans = oracle(header, size), requested_spans(header, size)
    if wanted is None:
        assert spans is None
        return
    if spans is None:  # more bytes than the body has: ranges that overlap
        each = [oracle(f"bytes={text}", size) or () for text in header.removeprefix("bytes=").split(",")]
        assert sum(map(len, each)) > size
        return
    sent = [at for span in spans for at in range(span.start, span.end)]
    assert len(sent) == len(set(sent)) <= size
    assert wanted <= set(sent)
    assert bool(wanted) == bool(sent)
    ordered = sorted(spans)
    for span in ordered:
        assert {span.start, span.end - 1} <= wanted
        missing = re.findall("0+", "".join("1" if at in wanted else "0" for at in range(span.start, span.end)))
        assert all(len(gap) < PART_OVERHEAD for gap in missing)
    for before, after in pairwise(ordered):
        assert after.start - before.end >= PART_OVERHEAD


@given(st.text(max_size=40) | st.text("bytes=0123456789-, ", max_size=40), st.integers(0, 100))
def test_any_header_has_an_answer(header: str, size: int) -> None:
    spans = requested_spans(header, size)
    assert spans is None or all(0 <= span.start < span.end <= size for span in spans)


@given(st.binary(min_size=1, max_size=4_000), st.data())
def test_a_multipart_body_reassembles_to_the_bytes_it_is_of(body: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), min_size=2, max_size=12)))
    spans = [Span(start, end) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]
    made = make_multipart(spans, digest_of(body), len(body), "text/javascript; charset=utf-8")
    sent = b"".join(body[part.start : part.end] if isinstance(part, Span) else part for part in made.parts)
    assert len(sent) == made.size
    boundary = made.content_type.removeprefix("multipart/byteranges; boundary=").encode()
    opening, *parts, closing = sent.split(b"--" + boundary)
    assert (opening, closing) == (b"", b"--\r\n")
    for span, part in zip(spans, parts, strict=True):
        head, _, content = part.partition(b"\r\n\r\n")
        assert head.split(b"\r\n") == [
            b"",
            b"Content-Type: text/javascript; charset=utf-8",
            f"Content-Range: bytes {span.start}-{span.end - 1}/{len(body)}".encode(),
        ]
        assert content == body[span.start : span.end] + b"\r\n"
