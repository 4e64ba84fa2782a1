"""Budgets, as they are written and as they are kept."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.budget import over_budget, parse_budget
from bundles.core.compress import Encoding
from bundles.core.digest import digest_of, integrity_of
from bundles.core.errors import Invalid
from bundles.core.manifest import Artifact, Manifest, Variant
from bundles.core.names import ArtifactPath, Product
from bundles.core.size import parse_size
from bundles.core.version import Version


def build(**sizes: int) -> Manifest:
    """A build whose files have these br sizes."""
    artifacts = []
    for name, size in sorted(sizes.items()):
        digest = digest_of(f"{name}{size}".encode())
        variants = Variant(Encoding.IDENTITY, digest, size * 4), Variant(Encoding.BR, digest, size)
        artifacts.append(Artifact(ArtifactPath(f"{name}.js"), "text/javascript", integrity_of(b""), variants))
    return Manifest(Product("sdk"), Version("1.0.0"), tuple(artifacts))


@pytest.mark.parametrize(
    ("budget", "over"),
    [
        ("a.js=1000", []),
        ("a.js=999B", ["a.js has 1000 bytes, over its budget of 999"]),
        ("*.js=1kB", ["b.js has 2200 bytes, over its budget of 1000"]),
        ("*.js=+10%", []),
        ("*.js=+9.99%", ["b.js has 2200 bytes, 10.0% more than before, over its budget of 9.99% more"]),
        ("*=+200", []),
        ("*=+199", ["b.js has 2200 bytes, 200 more than before, over its budget of 199 more"]),
        ("new.js=+0%", []),
    ],
)
def test_a_budget_is_of_br_bytes_and_growth_of_the_build_before(budget: str, over: list[str]) -> None:
    before, now = build(a=1_000, b=2_000), build(a=1_000, b=2_200, new=7)
    assert over_budget((parse_budget(budget),), now, before) == over


def test_growth_is_free_where_there_is_no_build_before() -> None:
    assert over_budget((parse_budget("*=+1%"),), build(a=1), None) == []


def test_a_budget_for_no_file_is_an_error_since_it_guards_nothing() -> None:
    with pytest.raises(Invalid, match=r"'arary\.js' is of no file"):
        over_budget((parse_budget("arary.js=1kB"),), build(array=1), None)


@pytest.mark.parametrize(
    "text", ["", "a.js", "=1kB", "a.js=", "a.js=-1", "a.js=1 parsec", "a.js=+%", "a.js=++1", "a=1e3"]
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_budget(text)


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("60kB", 60_000), ("1.5 KiB", 1_536), ("16MiB", 16 << 20)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.text(max_size=20).filter(lambda text: not re.match(r"\s*\d", text)))
def test_what_does_not_begin_with_a_number_is_no_size(text: str) -> None:
    with pytest.raises(Invalid, match="is not a size"):
        parse_size(text)
