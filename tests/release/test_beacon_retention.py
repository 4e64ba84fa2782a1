"""How long beacons' counts are kept, as a policy has it."""

from pathlib import Path

import pytest

from bundles.core.errors import Invalid
from headrace.policy_file import read_policy_file
from release.core.beacon_retention import BeaconRetention


def read(folder: Path, text: str) -> BeaconRetention:
    """The retention in a policy file."""
    file = folder / "policy.toml"
    file.write_text(text)
    return read_policy_file(file, 0).beacons


def test_a_policy_names_what_differs_from_the_rule(tmp_path: Path) -> None:
    assert read(tmp_path, "") == BeaconRetention(minutes="3d", hours="90d", errors="30d")
    assert read(tmp_path, '[beacons]\nhours = "400d"\n') == BeaconRetention(hours="400d")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('minutes = "soon"', "'soon' is not a duration"),
        ('errors = "1w"', "'1w' is not a duration"),
        ('minutes = "119m"', "for 2h at least"),
        ('hours = "2d"', "not shorter than by the minute"),
        ('slots = "1d"', "slots"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        read(tmp_path, f"[beacons]\n{line}\n")
