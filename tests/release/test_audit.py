"""The audit trail's chain: whatever is done to its rows, it is found and named."""

import hashlib
import json

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from release.core.audit import GENESIS, Entry, Fault, Row, TrailCheck, seal_entry

words = st.text(max_size=6)
documents = st.none() | st.dictionaries(words, st.none() | st.integers() | words, max_size=2)


@st.composite
def trails(draw: st.DrawFn, least: int = 1) -> list[Row]:
    """A trail as it is written, of a few changes."""
    rows: list[Row] = []
    for revision in range(1, draw(st.integers(least, 5)) + 1):
        previous = rows[-1].hash if rows else GENESIS
        entry = Entry(
            at=draw(st.integers(0, 2**40)),
            actor=draw(words),
            verb=draw(st.sampled_from(["start", "promote"])),
            product=draw(st.sampled_from(["sdk", "@acme/menu"])),
            subject=draw(words),
            reason=draw(words),
            revision=revision,
            previous=previous,
            before=draw(documents),
            after=draw(documents),
        )
        rows.append(seal_entry(entry))
    return rows


def faults(rows: list[Row], whole: list[Row], *, anchored: bool = False) -> list[Fault]:
    """What is found in these rows, in a database that holds the whole trail's revision and last hash."""
    check = TrailCheck({len(whole): whole[-1].hash} if anchored else {})
    for row in rows:
        check.add(row)
    check.finish(len(whole), whole[-1].hash)
    return check.faults


@given(trails(), st.booleans())
def test_a_trail_as_it_was_written_is_whole(rows: list[Row], anchored: bool) -> None:
    assert faults(rows, rows, anchored=anchored) == []


@given(trails(), st.data())
def test_any_edit_of_a_row_is_found_at_it_or_at_the_one_after_it(rows: list[Row], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(["product", "entry", "hash"]))
    text: str = getattr(rows[place], column)
    at = data.draw(st.integers(0, len(text)))
    edited = text[:at] + data.draw(words) + text[data.draw(st.integers(at, len(text))) :]
    assume(edited != text)
    changed = [*rows]
    changed[place] = msgspec.structs.replace(rows[place], **{column: edited})
    found = faults(changed, rows)
    assert found
    assert {fault.revision for fault in found} <= {place + 1, place + 2}


@given(trails(), st.data())
def test_an_edit_with_a_new_hash_over_it_is_found(rows: list[Row], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    entry = msgspec.json.decode(rows[place].entry, type=Entry)
    forged = seal_entry(msgspec.structs.replace(entry, reason=entry.reason + "!"))
    found = faults([*rows[:place], forged, *rows[place + 1 :]], rows)
    assert [fault.revision for fault in found] == [min(place + 2, len(rows))]


@given(trails(), st.data())
def test_a_trail_that_is_forged_up_to_its_end_is_found_by_the_signed_snapshot(
    rows: list[Row], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    forged = rows[:place]
    for row in rows[place:]:
        entry = msgspec.json.decode(row.entry, type=Entry)
        previous = forged[-1].hash if forged else GENESIS
        forged.append(seal_entry(msgspec.structs.replace(entry, actor=entry.actor + "!", previous=previous)))
    assert faults(forged, forged) == []
    check = TrailCheck({len(rows): rows[-1].hash})
    for row in forged:
        check.add(row)
    check.finish(len(forged), forged[-1].hash)
    assert check.faults == [Fault(len(rows), "is not the row that the signed snapshot vouches for")]


@given(trails(), st.data())
def test_any_rows_that_are_removed_are_named(rows: list[Row], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(rows) - 1))
    end = data.draw(st.integers(first + 1, len(rows)))
    found = faults(rows[:first] + rows[end:], rows)
    assert (found[0].revision, "is missing" in found[0].what) == (first + 1, True)
    assert len(found) == 1
    assert f"up to revision {end}" in found[0].what or end == first + 1


@given(trails(least=2), st.data())
def test_a_trail_that_was_cut_off_with_the_revision_is_found_by_the_signed_snapshot(
    rows: list[Row], data: st.DataObject
) -> None:
    kept = rows[: data.draw(st.integers(1, len(rows) - 1))]
    assert faults(kept, kept) == []
    check = TrailCheck({len(rows): rows[-1].hash})
    for row in kept:
        check.add(row)
    check.finish(len(kept), kept[-1].hash)
    assert [fault.revision for fault in check.faults] == [len(kept) + 1]


@given(trails(least=2), st.data())
def test_rows_that_changed_places_are_found(rows: list[Row], data: st.DataObject) -> None:
    one, two = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=2, max_size=2)))
    swapped = [*rows]
    swapped[one], swapped[two] = rows[two], rows[one]
    assert faults(swapped, rows)
    # The same with their revisions set right again, as an UPDATE would.
    relabelled = [msgspec.structs.replace(row, revision=number) for number, row in enumerate(swapped, start=1)]
    found = {fault.revision for fault in faults(relabelled, rows)}
    assert {one + 1, two + 1} <= found


@given(trails())
def test_a_row_is_there_twice_is_found(rows: list[Row]) -> None:
    assert faults([*rows, rows[-1]], rows)


@given(trails())
def test_anyone_can_work_out_the_hashes_with_plain_json_and_sha256(rows: list[Row]) -> None:
    previous = GENESIS
    for row in rows:
        document = json.loads(row.entry)
        assert document["previous"] == previous
        plain = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256(plain.encode()).hexdigest()
        assert previous == row.hash


@pytest.mark.parametrize("entry", ["", "{}", "[]", "null", '{"revision":1}'])
def test_what_is_no_entry_is_told_and_never_a_crash(entry: str) -> None:
    check = TrailCheck({})
    check.add(Row(1, "sdk", entry, "00"))
    assert [fault.revision for fault in check.faults] == [1]
