"""Names of products and artifacts."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from bundles.core.names import parse_artifact_path, parse_product


@pytest.mark.parametrize(
    "text", ["sdk", "posthog-js", "a", "analytics.next", "@acme/menu", "@a/b", "x_y", "9lives"]
)
def test_product_names(text: str) -> None:
    assert parse_product(text) == text


NO_PRODUCTS = [
    "",
    "SDK",
    "-sdk",
    "sdk-",
    "a/b",
    "@acme",
    "@acme/",
    "@/menu",
    "@a/b/c",
    "..",
    "a..",
    "sdk.json",
    "sdk@1",
    "é",
    "a%2f",
    "@../x",
    "x/../y",
]


@pytest.mark.parametrize("text", [*NO_PRODUCTS, "s dk", "sdk\n", "a" * 65])
def test_what_is_no_product_name(text: str) -> None:
    with pytest.raises(Invalid, match="is not a product name"):
        parse_product(text)


@pytest.mark.parametrize(
    "text", ["a.js", "lib/a.js", "a b.js", "ü/ñ.js", ".well-known/x", "a/..b", "a/b..", "..."]
)
def test_artifact_paths(text: str) -> None:
    assert parse_artifact_path(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("//etc/passwd", "absolute"),
        ("..", "'..'"),
        ("../a", "'..'"),
        ("a/../../b", "'..'"),
        ("a/./b", "'.'"),
        ("a//b", "empty"),
        ("a/", "empty"),
        ("..\\a", "backslash"),
        ("C:\\a", "backslash"),
        ("a\x00b", "control"),
        ("a\r\nb", "control"),
        ("a\x7f", "control"),
        ("a\u2028b", "control"),
        ("\udcff.js", "UTF-8"),
        ("a" * 513, "longer"),
        ("ü" * 300, "longer"),
        ("a/" * 32 + "a", "deeper"),
    ],
)
def test_what_is_no_artifact_path(text: str, why: str) -> None:
    with pytest.raises(Invalid, match="can't be an artifact's path") as refusal:
        parse_artifact_path(text)
    assert why in str(refusal.value)


@given(st.text(st.sampled_from("./\\ab\x00%~ ") | st.characters(), max_size=30))
def test_an_accepted_path_stays_below_its_root_and_is_one_line(text: str) -> None:
    try:
        path = parse_artifact_path(text)
    except Invalid:
        return
    parts = PurePosixPath("/root", path).parts
    assert parts[:2] == ("/", "root")
    assert ".." not in parts
    assert "/".join(parts[2:]) == path
    assert len(path.splitlines()) == 1
