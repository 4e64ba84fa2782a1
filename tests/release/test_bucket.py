"""Buckets: what keeps a tenant in its cohort."""

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from release.core.bucket import BasisPoints, bucket_of, cohort_size, format_share, parse_share


@given(st.text("0123456789abcdef", max_size=32), st.text(max_size=40))
def test_a_bucket_is_the_first_8_bytes_of_sha256_of_salt_nul_tenant(salt: str, tenant: str) -> None:
    digest = hashlib.sha256(salt.encode() + b"\0" + tenant.encode()).digest()
    assert bucket_of(salt, tenant) == int.from_bytes(digest[:8], "big")


@given(st.integers(0, 2**64 - 1), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_larger_share_holds_all_of_a_smaller_one(bucket: int, one: int, other: int) -> None:
    small, large = sorted((one, other))
    assert bucket < cohort_size(BasisPoints(large)) or not bucket < cohort_size(BasisPoints(small))


@given(st.integers(0, 2**64 - 1))
def test_nobody_is_below_0_percent_and_everybody_is_below_100(bucket: int) -> None:
    assert not bucket < cohort_size(BasisPoints(0))
    assert bucket < cohort_size(BasisPoints(10_000))


@pytest.mark.parametrize("share", [10, 100, 500, 2_500, 5_000, 9_900])
def test_the_share_of_tenants_is_the_percentage_within_sampling_error(share: int) -> None:
    count, probability = 50_000, share / 10_000
    inside = sum(bucket_of("salt", f"tenant-{n}") < cohort_size(BasisPoints(share)) for n in range(count))
    assert abs(inside - count * probability) < 4 * math.sqrt(count * probability * (1 - probability))


def test_the_edge_of_a_cohort_is_exact() -> None:
    edge = 2**64 // 4
    assert edge - 1 < cohort_size(BasisPoints(2_500))
    assert not edge < cohort_size(BasisPoints(2_500))


@given(st.integers(1, 10_000))
def test_a_share_is_read_as_it_is_written(share: int) -> None:
    assert parse_share(format_share(BasisPoints(share))) == share


@pytest.mark.parametrize(
    "text", ["0", "0.00", "100.01", "101", "-5", "", "5 %", "1e1", "0.001", "%", "5%%", "\u0665"]
)
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="percentage"):
        parse_share(text)
