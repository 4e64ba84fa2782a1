"""What changed between two revisions: applied to the table at the one, it gives the table at the other."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from release.core.audit import GENESIS, Entry
from release.core.revisions import NetChanges, leaves_of

Table = dict[str, Any]
PLACES = ["channels/sdk/stable", "pins/sdk/acme/production", "documents/policy/in-force"]
documents = st.none() | st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 2) | st.none(), max_size=2)
writes = st.none() | st.dictionaries(st.sampled_from(PLACES), documents, max_size=2)


def entry(revision: int, before: Table | None, after: Table | None) -> Entry:
    return Entry(
        at=revision,
        actor="sam",
        verb="start",
        product="sdk",
        subject="stable",
        reason="",
        revision=revision,
        previous=GENESIS,
        before=before,
        after=after,
    )


@given(st.lists(writes, min_size=1, max_size=8), st.data())
def test_a_diff_leads_from_the_one_table_to_the_other_and_says_no_more(
    written: list[Table | None], data: st.DataObject
) -> None:
    tables: list[Table] = [{}]
    entries = []
    for revision, change in enumerate(written, start=1):
        table = tables[-1]
        found = None if change is None else {place: table.get(place) for place in change}
        entries.append(entry(revision, found, change))
        tables.append({**table, **(change or {})})
    before, after = data.draw(st.tuples(st.integers(0, len(written)), st.integers(0, len(written))))
    net = NetChanges()
    between = entries[min(before, after) : max(before, after)]
    for each in between:
        net.add(each)
    changes = net.changes(backwards=before > after)
    old, new = ({place: tables[at].get(place) for place in PLACES} for at in (before, after))
    assert {**old, **{change.place: change.after for change in changes}} == new
    assert {change.place: change.before for change in changes} == {
        place: old[place] for place in PLACES if old[place] != new[place]
    }
    assert net.unknown == [each.revision for each in between if each.after is None]


def test_a_document_is_told_field_by_field() -> None:
    document = {
        "rollout": {"stages": [{"kind": "staging"}, {}], "salt": "x"},
        "scheduled": None,
        "zero": 0,
        "reason": "",
    }
    assert leaves_of(document) == {"rollout.stages.0.kind": "staging", "rollout.salt": "x", "zero": 0}
    assert leaves_of(True) == {"": True}
