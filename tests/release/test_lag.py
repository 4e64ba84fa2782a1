"""Failures, which pages report at once, beside the reports of pages that are well, which come late."""

from pathlib import Path

from bundles.core.version import Version
from release.core.counts import SLOT_SECONDS, Counts, Slot
from release.core.lag import LAG_SLOTS, with_lag
from release.core.names import Tenant

CLIENT = Path(__file__).parents[2] / "beacons" / "client" / "beacon.js"
BUILD, ACME, ZETA = Version("1.1.0"), Tenant("acme"), Tenant("zeta")


def test_a_failure_is_beside_the_pages_that_loaded_at_the_same_time() -> None:
    reported = {
        Slot(7): {BUILD: {ACME: Counts(10, errored=2, render_dropped=1, integrity_failed=1)}},
        Slot(8): {BUILD: {ACME: Counts(5), ZETA: Counts(1, errored=1)}},
    }
    assert with_lag(reported) == {
        Slot(7): {BUILD: {ACME: Counts(6)}},
        Slot(8): {BUILD: {ACME: Counts(9, errored=2, render_dropped=1, integrity_failed=1)}},
        Slot(9): {BUILD: {ZETA: Counts(1, errored=1)}},
    }


def test_the_lag_is_as_long_as_a_page_waits_that_is_well() -> None:
    assert f"setTimeout(onLoaded, {LAG_SLOTS * SLOT_SECONDS * 1000})" in CLIENT.read_text()
