"""Which topics a test is about, and the tests that `--topic` keeps."""

from functools import cache
from pathlib import PurePath

import pytest

from shared_specs.syllabus import load, resolve


def asked_for(text):
    """The paths of the topics that --topic names, as every command takes them; none without the option."""
    if text is None:
        return set()
    try:
        topics = resolve(text)
    except LookupError as error:
        raise pytest.UsageError(f"--topic: {error}") from None
    if not any(topic.built for topic in topics):
        raise pytest.UsageError(f"--topic: {topics[0].path} is planned, not built yet")
    return {topic.path for topic in topics if topic.built}


def kept(items, topics):
    """Those of the tests that are about one of the topics, and the rules that hold for all topics at once."""
    return [item for item in items if topics_of(item) & topics or item.get_closest_marker("rule")]


def topics_of(item):
    """The paths of the built topics among a test's parameters and its group; if there are none, the topic of its file."""
    group, parameters = item.get_closest_marker("xdist_group"), getattr(item, "callspec", None)
    named = [*(group.args if group else ()), *(parameters.params.values() if parameters else ())]
    return {word for word in named if isinstance(word, str)} & _built() or topics_of_file(item.path)


def topics_of_file(path):
    """The topic that a file of tests belongs to, by its place: tests/<family>/test_<topic>.py, or a longer name."""
    family, name = PurePath(path).parent.name, PurePath(path).stem.removeprefix("test_") + "_"
    own = [topic for topic in _built() if topic.startswith(f"{family}/") and name.startswith(topic.split("/")[1] + "_")]
    return {max(own, key=len)} if own else set()


@cache
def _built():
    return {topic.path for topic in load().built}
