"""Sets of moments: whatever the order in which devices report, the same is watched."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from learning import intervals

pieces = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))
reports = st.lists(pieces, max_size=8)
often = settings(max_examples=100, deadline=None)


def moments(found):
    """The definition: a set of whole milliseconds."""
    return {moment for start, end in found for moment in range(start, end)}


@often
@given(reports)
def test_a_union_is_the_set_of_its_moments_written_in_one_way(report):
    found = intervals.union(report)
    assert moments(found) == moments(report)
    assert all(start < end for start, end in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))  # nor do any touch
    assert intervals.length(found) == len(moments(report))


@often
@given(reports, reports, reports)
def test_it_does_not_matter_in_which_order_or_how_often_reports_are_merged(one, two, three):
    merged = intervals.union(intervals.union(one, two), three)
    assert merged == intervals.union(one, intervals.union(two, three))
    assert merged == intervals.union(three, two, one) == intervals.union(merged, merged) == intervals.union(merged, two)


@often
@given(st.data(), st.lists(reports, min_size=1, max_size=5))
def test_two_devices_that_send_late_twice_and_mixed_converge(data, sent):
    late = data.draw(st.permutations([*sent, *sent]))
    kept = []
    for report in late:
        kept = intervals.union(kept, report)
    assert kept == intervals.union(*sent)


@often
@given(reports, reports, st.integers(0, 70))
def test_what_is_new_what_is_first_and_what_lies_before_an_end(one, two, number):
    first, second = intervals.union(one), intervals.union(two)
    new = intervals.without(first, second)
    assert moments(new) == moments(first) - moments(second)
    assert new == intervals.union(new)
    taken = intervals.earliest(first, number)
    assert sorted(moments(taken)) == sorted(moments(first))[:number]
    assert moments(intervals.clipped(first, number)) == {moment for moment in moments(first) if moment < number}
