"""A body of beacons: what is taken, what is refused, and what is left of an error."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacons.core.beacon import Beacon, Frame, Outcome
from beacons.core.frames import MAX_FRAMES, frames_of
from beacons.core.parse import MAX_BEACONS, MAX_TEXT, parse_beacons
from beacons.core.scrub import MAX_MESSAGE, scrub
from bundles.core.errors import Invalid
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version

INSTALLATION = "AAECAwQFBgcICQoLDA0ODw"
CDN = "https://cdn.example/sdk@1.2.3/"


def sent(**changes: Any) -> dict[str, Any]:
    plain = {"build": "sdk@1.2.3", "tenant": "acme", "installation": INSTALLATION, "outcome": "loaded"}
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def body(*beacons: Any) -> bytes:
    return json.dumps({"beacons": beacons}).encode()


def one(**changes: Any) -> Beacon:
    [beacon] = parse_beacons(body(sent(**changes)))
    return beacon


def error(**changes: Any) -> dict[str, Any]:
    return {"kind": "TypeError", "message": "x is not a function", "stack": "", **changes}


REFUSED_ERRORS: list[dict[str, Any]] = [
    {"kind": ""},
    {"kind": "Error: bob"},
    {"kind": "bob@shop.example"},
    {"kind": "Error5551234"},
    {"kind": "E" * 65},
    {"kind": None},
    {"message": "x" * (MAX_TEXT + 1)},
    {"stack": "x" * (MAX_TEXT + 1)},
]


def test_a_beacon_is_what_was_sent() -> None:
    beacon = one()
    assert (beacon.product, beacon.version, beacon.tenant) == ("sdk", "1.2.3", "acme")
    assert (beacon.environment, beacon.outcome, beacon.error) == ("production", Outcome.LOADED, None)
    assert beacon.installation == bytes(range(16))
    scoped = one(build="@acme/content@2.0.0-beta.1", environment="staging", outcome="render-dropped")
    assert (scoped.product, scoped.version, scoped.environment) == ("@acme/content", "2.0.0-beta.1", "staging")
    failed = one(outcome="errored", error=error(stack=f"TypeError: x\n    at go ({CDN}sdk.js:3:14)"))
    assert failed.error is not None
    assert failed.error.kind == "TypeError"
    assert failed.error.frames == (Frame(ArtifactPath("sdk.js"), 3, 14, "go"),)
    assert len(parse_beacons(body(*[sent()] * MAX_BEACONS))) == MAX_BEACONS


@pytest.mark.parametrize(
    "refused",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"beacons":[]}',
        b"[" * 10_000,
        b'{"beacons":' * 1_000,
        b'{"beacons":[{"build":' + b"[" * 10_000,
        b'{"beacons":[{"visitor":' + b"[" * 10_000,
        body(sent()) + b"x",
        body(sent()).replace(b"acme", b"\xff\xfe"),
        body(sent()).replace(b"acme", b"\\ud800"),
        body(sent(), "more"),
        body(*[sent()] * (MAX_BEACONS + 1)),
        json.dumps({"beacons": [sent()], "page": "https://shop.example/"}).encode(),
        body(sent(visitor="v-1")),
        body(sent(url="https://shop.example/")),
        body(sent(outcome="errored", error=error(page="x"))),
        *(
            body(sent(**{name: value}))
            for name, value in [
                ("build", None),
                ("build", "sdk"),
                ("build", "sdk@1.2"),
                ("build", "sdk@latest"),
                ("build", "SDK@1.2.3"),
                ("build", "sdk@1.2.3+metadata"),
                ("build", "sdk@1.2.3\n"),
                ("build", "a" * 300 + "@1.2.3"),
                ("tenant", None),
                ("tenant", ""),
                ("tenant", "bob@shop.example"),
                ("tenant", "a" * 129),
                ("environment", "Production"),
                ("environment", ""),
                ("installation", None),
                ("installation", INSTALLATION[:-1]),
                ("installation", INSTALLATION + "A"),
                ("installation", INSTALLATION + "=="),
                ("installation", INSTALLATION + "\n"),
                ("installation", INSTALLATION[:-1] + "B"),
                ("installation", INSTALLATION[:-1] + "+"),
                ("outcome", None),
                ("outcome", "fine"),
                ("error", error()),
            ]
        ),
        *(body(sent(outcome="errored", error=error(**changes))) for changes in REFUSED_ERRORS),
    ],
)
def test_what_is_not_of_the_form_is_refused(refused: bytes) -> None:
    with pytest.raises(Invalid):
        parse_beacons(refused)


def test_one_wrong_beacon_refuses_all_of_the_body() -> None:
    with pytest.raises(Invalid, match="not a version"):
        parse_beacons(body(sent(), sent(build="sdk@one")))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_raises_anything_but_invalid(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_beacons(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["build", "tenant", "environment", "installation", "outcome", "error"])


@given(st.dictionaries(FIELDS, JSON, max_size=2))
def test_no_value_raises_anything_but_invalid(changes: dict[str, Any]) -> None:
    try:
        parse_beacons(body({**sent(), **changes}))
    except Invalid:
        return


# What may tell of a visitor, among words, with what begins and ends it.
PIECES = """bob@shop.example https://shop.example/?u=1 10.0.0.1 fe80::1 (555) 123-4567 ' " ` \u2018 “ « = @ :// < >
    deadbeefcafe QmFzZTY0IQ== /home/bob C:\\bob Žluťoučký ٤٢ Cannot read don't TypeError:""".split()  # noqa: SIM905
HOSTILE = st.lists(
    st.sampled_from([*PIECES, "a" * 60, "\0", "\n", " ", "  "]) | st.text(max_size=8), max_size=60
).map("".join)


@given(HOSTILE)
def test_nothing_of_a_visitor_is_kept_of_a_message(text: str) -> None:
    kept = scrub(text)
    assert len(kept) <= MAX_MESSAGE
    assert kept.isascii()
    assert not re.search(r"""[0-9@/\\="`\x00-\x1f\x7f]""", kept), kept
    assert scrub(kept) == kept


@given(HOSTILE, st.sampled_from(["\n", "", f"\n at f ({CDN}a.js:1:2)\n", f"\nf@{CDN}", f" {CDN}a.js:", "@" + CDN]))
def test_nothing_of_a_page_is_kept_of_a_stack(text: str, middle: str) -> None:
    beacon = one(outcome="errored", error=error(stack=(text + middle + text)[:MAX_TEXT]))
    assert beacon.error is not None
    for frame in beacon.error.frames:
        assert re.fullmatch(r"[A-Za-z0-9_.~/-]+", frame.path)
        assert re.fullmatch(r"[A-Za-z0-9_$.]*", frame.function)
        assert not re.search(r"[0-9]{3}", frame.function)
        assert min(frame.line, frame.column) >= 1
        assert max(frame.line, frame.column) < 10**9


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("x.y is not a function", "x.y is not a function"),
        (
            "Cannot read properties of undefined (reading 'email')",
            "Cannot read properties of undefined (reading <text>)",
        ),
        ("can't find Alice's cart", "can't find Alice's cart"),
        (
            "Unexpected token 'A', \"Alice S\"... is not valid JSON",
            "Unexpected token <text>, <text>... is not valid JSON",
        ),
        ('no such user "Alice Smith', "no such user <text>"),
        ("user='Alice' Smith", "<text> Smith"),
        (r'no token in "{\"name\":\"Bob van Smith\"}" of page', "no token in <text>"),
        (r"no 'it\'s Bob van Smith' and `\` Bob van Smith`", "no <text>"),
        ("no „Bob van Smith“ or »Bob van Smith« or \u2039Bob van Smith\u203a", "no <text> or <text> or <text>"),
        (
            "no \u201aBob van Smith\u2018, \u2019Bob van Smith\u2019 or 「Bob van Smith」",
            "no <text>, <text> or <text>",
        ),
        ("in C:\\ or 'Bob van Smith'", "in <url> or <text>"),
        ("no user bob@shop.example at https://shop.example/cart?id=7", "no user <address> at <url>"),
        ("call +1 (555) 123-4567 now", "call <n> now"),
        ("from 10.0.0.1 or fe80::1", "from <n> or <n>"),
        ("id 123e4567-e89b-12d3-a456-426614174000, hash deadbeefcafe", "id <n> hash <n>"),
        ("token=abcdef user:bob", "<text>"),
        ("failed at line 12\n in /home/bob/site", "failed at line <n> in <url>"),
        ("TypeError: nothing", "TypeError: nothing"),
        ("Žluťoučký kůň", "<text>"),
    ],
)
def test_a_message_is_kept_as_words_and_placeholders(message: str, kept: str) -> None:
    assert scrub(message) == kept


V8 = f"""TypeError: Cannot read properties of undefined (reading 'bob')
    at Widget.render ({CDN}sdk.js:10:21)
    at async Promise.all (index 0)
    at new Sdk ({CDN}lib/extra-8f3a91.mjs?x=1:3:1)
    at eval (eval at go ({CDN}sdk.js:7:9), <anonymous>:1:1)
    at {CDN}sdk.js:1:120345
    at checkout (https://shop.example/cart/bob:5:5)
    at other (https://cdn.example/sdk@1.2.4/sdk.js:1:1)
    at Object.<anonymous> ({CDN}sdk.js:2:2)
    at up ({CDN}../sdk.js:2:2)
    at mail ({CDN}bob@shop.example.js:2:2)"""
FIREFOX = f"""render@{CDN}sdk.js:10:21
async*go@{CDN}sdk.js:4:1
checkout@https://shop.example/cart:5:5
@{CDN}sdk.js:1:1
go/<@{CDN}sdk.js:2:2
bob@{CDN}sdk.js line 3 > eval:1:1
"""
SAFARI = f"""render@{CDN}sdk.js:10:21
{CDN}sdk.js:4:1
global code@{CDN}sdk.js:5:5
[native code]
promiseReactionJob@[native code]"""


@pytest.mark.parametrize(
    ("stack", "kept"),
    [
        (
            V8,
            [
                ("sdk.js", 10, 21, "Widget.render"),
                ("lib/extra-8f3a91.mjs", 3, 1, "Sdk"),
                ("sdk.js", 7, 9, "eval"),
                ("sdk.js", 1, 120345, ""),
                ("sdk.js", 2, 2, ""),
            ],
        ),
        (
            FIREFOX,
            [("sdk.js", 10, 21, "render"), ("sdk.js", 4, 1, ""), ("sdk.js", 1, 1, ""), ("sdk.js", 2, 2, "")],
        ),
        (SAFARI, [("sdk.js", 10, 21, "render"), ("sdk.js", 4, 1, ""), ("sdk.js", 5, 5, "")]),
        (f"f@{CDN}sdk.js:1:1\n" * 40, [("sdk.js", 1, 1, "f")] * MAX_FRAMES),
        (f"f@{CDN}sdk.js:0:1\nf@{CDN}sdk.js:1:9999999999\nf@{CDN}sdk.js:1", []),
    ],
    ids=["v8", "firefox", "safari", "long", "no-place"],
)
def test_of_a_stack_the_builds_own_frames_are_kept(stack: str, kept: list[tuple[str, int, int, str]]) -> None:
    beacon = one(outcome="errored", error=error(stack=stack))
    assert beacon.error is not None
    assert [(one.path, one.line, one.column, one.function) for one in beacon.error.frames] == kept


HOSTILE_REPEATS = [
    *PIECES,
    *("a'", "a", "a:", "/", "1", "at ", "at (", "at async new ", "[as ", "a.", ":1", "$", "\t", "x@", "\n"),
    *(CDN, f"at f ({CDN}", f"{CDN}a/", f"{CDN}a?", f"f@{CDN}a:1"),
]


@pytest.mark.parametrize("reader", [scrub, lambda text: frames_of(text, Product("sdk"), Version("1.2.3"))])
def test_the_time_that_a_text_takes_grows_as_its_length(reader: Callable[[str], object]) -> None:
    def seconds(text: str) -> float:
        times = []
        for _ in range(9):
            began = time.thread_time()  # the machine may be busy
            reader(text)
            times.append(time.thread_time() - began)
        return min(times)

    for piece in HOSTILE_REPEATS:
        text = (piece * MAX_TEXT)[:MAX_TEXT]
        # A quadratic reader takes 256 times as long.
        assert seconds(text * 16) < 128 * max(seconds(text), 1e-5), piece
