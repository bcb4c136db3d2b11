"""Sound code is accepted on every processor: a few topics under the lowest instruction set; `make test-processors` runs all."""

import pytest

from tests.support.processors import SETS, comparisons, settings, summary

TOPICS = ["energy/contrastive_divergence", "flows/flow_matching", "preference/overoptimization"]  # that failed on another one


@pytest.mark.weekly
@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.skipif("default, 1 thread" not in settings(), reason="the instruction sets are those of x86")
def test_sound_code_is_accepted_under_the_lowest_instruction_set(topic):
    found = comparisons([topic], SETS["default"] | {"OMP_NUM_THREADS": "1"}, sound=True)
    assert {each["topic"] for each in found} == {topic}
    assert {each["kind"] for each in found} == {"wing", "form"}
    assert summary(found)[1] == []


def test_a_summary_names_what_is_wrong():
    def line(kind, what, ratio):
        return {"topic": "a/b", "kind": kind, "what": what, "ratio": ratio}

    sound = [line("wing", "torch", 0.3), line("form", "another", 0.76), line("form", "a third", 0.75)]
    mistakes = [line("mistake", what, ratio) for what, ratio in (("seen", 40.0), ("hardly", 1.5), ("not seen", 0.9))]
    text, wrong = summary(sound + mistakes)
    assert text == (
        "3 sound comparisons, 3 above 1/4, 2 above 1/2, 1 above 3/4; the largest 0.76, a/b another; "
        "3 mistakes, 2 refused, 2 below 16"
    )
    assert wrong == ["0.76 of its tolerance: a/b another", "accepted: a/b not seen"]
