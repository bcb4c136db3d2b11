"""Two topics that are planned, for the tests of what commands do with such topics: all topics of the course may be built."""

import pytest

from shared_specs.syllabus import Topic, load

PLANNED = "foundations/unbuilt_coin", "foundations/unbuilt_urn"


@pytest.fixture
def planned_topics(monkeypatch):
    """The paths of two planned topics, in the syllabus during a test."""
    for path in PLANNED:
        monkeypatch.setitem(load().topics, path, Topic(path, "Not built", built=False, asked_for_by="a test"))
    return PLANNED
