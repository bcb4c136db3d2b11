"""Functions that are given a function take its slopes under no_grad and inference_mode, too, where samplers run."""

import pytest

from shared_specs.syllabus import load
from tests.support.gradients_off import calls_of, differing

TOPICS = [pytest.param(t.path, id=t.path, marks=pytest.mark.xdist_group(t.path)) for t in load().built if calls_of(t.path)]


@pytest.mark.parametrize("topic", TOPICS)
def test_results_are_the_same_where_gradients_are_off(topic):
    assert differing(topic) == set()
