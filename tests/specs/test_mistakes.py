"""A check is trusted once it has been seen to fail: every planted mistake is refused by the topic's public rows alone."""

import re
from functools import cache

import pytest

from shared_specs.checking.check import Checker, check_topic, spec_of
from shared_specs.checking.implementation import Implementation
from shared_specs.checking.measuring import PRECISIONS
from shared_specs.checking.reference import wing_function
from shared_specs.rows import Anchor, Law, Rejects
from shared_specs.syllabus import load
from tests.support.mistakes import planted, with_mistake

MISTAKES = planted("MISTAKES")
EQUIVALENT = planted("EQUIVALENT")


def _rows_for(topic, function):
    """The rows that call the function: named in the row, or called by a law."""
    laws = _functions_of_laws(topic)
    return [r for r in spec_of(topic) if function in (laws[r.case] if isinstance(r, Law) else (getattr(r, "function", None),))]


@cache
def _functions_of_laws(topic):
    """{case of a law: the functions that it asks the practice wing for}."""
    found = {}
    for law in (row for row in spec_of(topic) if isinstance(row, Law)):
        found[law.case] = asked = set()

        def find(name, asked=asked):
            asked.add(name)
            return wing_function("torch", topic, name)

        check_topic(topic, Implementation(find, "torch", "float64"), [law])
    return found


def _soonest(row):
    """The order in which rows cost little and refuse soon."""
    return not isinstance(row, Rejects), isinstance(row, Law), not isinstance(row, Anchor)


def _by_topic(planted):
    """(topic, its mistakes), a test each: thousands of tests take longer to be handed out than to run."""
    topics = dict.fromkeys(topic for topic, _ in planted)
    return [
        pytest.param(path, [m for topic, m in planted if topic == path], marks=pytest.mark.xdist_group(path), id=path)
        for path in topics
    ]


@pytest.mark.parametrize(("topic", "mistakes"), _by_topic(MISTAKES))
def test_every_planted_mistake_is_refused(topic, mistakes):
    """Wrong in value, gradient or manners: some row of the topic must fail, and say something."""
    assert {(m.function, m.name): why for m in mistakes if (why := _accepted(topic, m))} == {}


def _accepted(topic, mistake):
    """Why a mistake does not count as refused; "" if it does."""
    failed = refusals(topic, mistake)
    if mistake.only_small_batches:
        return "" if {result.word for result in failed} == {"Batch"} else f"refused elsewhere, or nowhere: {failed}"
    if not failed:
        return "no row refuses it"
    if not all(result.message or result.ratio > 1 for result in failed):
        return f"refused without a word: {failed}"
    slips = re.compile("raised (TypeError|NameError|AttributeError|ImportError)")
    if any(slips.search(result.message) for result in failed):
        return f"refused for how it is written, not for its mistake: {failed}"
    widths = re.compile(r"\bin (uint8|int16|int32)\b")
    if mistake.narrow and not all(widths.search(f"{result.quantity} {result.message}") for result in failed):
        return f"refused for more than narrow integers: {failed}"
    return ""


def refusals(topic, mistake):
    """The failures of the first row that refuses the mistake, in float32 if every row accepts it in float64; [] if none does."""
    rows = _rows_for(topic, mistake.function)
    if mistake.only_small_batches:
        return [result for result in check_topic(topic, with_mistake(topic, mistake), rows) if not result.passed]
    for precision in PRECISIONS:
        # A wrong value must not be refused because its function fails on an empty batch: spec=() has none.
        checker = Checker(topic, with_mistake(topic, mistake, precision), spec=(), widths=mistake.narrow)
        for row in sorted(rows, key=_soonest):
            if mistake.only_checks or not isinstance(row, Rejects):
                failed = [result for result in checker.run([row]) if not result.passed]
                if failed:
                    return failed
    return []


@pytest.mark.weekly
@pytest.mark.parametrize(("topic", "forms"), _by_topic(EQUIVALENT))
def test_every_other_right_form_is_accepted(topic, forms):
    """The rows hold to the mathematics, not to one way of writing it."""
    failed = {}
    for form in forms:
        results = [r for p in PRECISIONS for r in results_of_form(topic, form, p)]
        failed[form.function, form.name] = [r for r in results if not r.passed]
    assert {form: results for form, results in failed.items() if results} == {}


def results_of_form(topic, form, precision):
    """The results of the rows that the form must pass."""
    rows = [r for r in _rows_for(topic, form.function) if not (form.core_alone and (isinstance(r, Rejects) or r.edge))]
    return [r for r in check_topic(topic, with_mistake(topic, form, precision), rows) if not (form.core_alone and r.edge)]


@pytest.mark.rule
def test_every_built_topic_plants_mistakes():
    """Rows that were never seen to reject anything prove nothing."""
    with_mistakes = {topic for topic, _ in MISTAKES}
    assert [topic.path for topic in load().built if topic.path not in with_mistakes] == []


@pytest.mark.rule
def test_every_function_of_a_built_topic_has_a_planted_mistake():
    """Function by function, not only topic by topic."""
    planted_in = {(topic, mistake.function) for topic, mistake in MISTAKES}
    functions = {(t.path, row.function) for t in load().built for row in spec_of(t.path) if hasattr(row, "function")}
    assert sorted(functions - planted_in) == []
