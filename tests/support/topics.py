"""Which topics a test is about, the tests that `--topic` keeps, and the day of the week of those that are marked weekly."""

from functools import cache
from pathlib import PurePath
from zlib import crc32

import pytest

from shared_specs.syllabus import load, resolve
from tests.support import uses

DAYS = 7  # of the tests that are marked weekly, `make test` runs one day's, `make test-all` and `make topic` all


def selected_topics(text):
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
    """The tests of these topics and of the parts that they use, and the rules that hold for all topics at once."""

    def is_kept(item):
        if topics_of(item) & topics or item.get_closest_marker("rule"):
            return True
        return not _named(item) and concerns_a_part(item.path, item.originalname, topics)

    return [item for item in items if is_kept(item)]


def may_hold(path, topics):
    """Whether a file of tests may hold tests to keep: not if it is another topic's, and imports no part that these topics use."""
    return not (own := topics_of_file(path)) or bool(own & topics or uses.of_file(path) & _parts(topics))


def concerns_a_part(path, name, topics):
    """Whether a test is about a part that these topics use.

    A file in a family's folder that is named after no topic is about all that it imports, also from a topic. Any other test is
    about the parts that it names.
    """
    if is_of_a_family(path) and not topics_of_file(path):
        return bool(uses.of_file(path) & _parts(topics).union(*map(uses.own, topics)))
    return bool(uses.of_test(path, name) & _parts(topics))


def topics_of(item):
    """The paths of the built topics among a test's parameters and its group; if there are none, the topic of its file."""
    return _named(item) or topics_of_file(item.path)


def _named(item):
    group, parameters = item.get_closest_marker("xdist_group"), getattr(item, "callspec", None)
    named = [*(group.args if group else ()), *(parameters.params.values() if parameters else ())]
    return {word for word in named if isinstance(word, str)} & _built().keys()


def topics_of_file(path):
    """The topic that a file of tests belongs to, by its place: tests/<family>/test_<topic>.py, or a longer name."""
    family, name = PurePath(path).parent.name, PurePath(path).stem.removeprefix("test_") + "_"
    own = [topic for topic in _built() if topic.startswith(f"{family}/") and name.startswith(topic.split("/")[1] + "_")]
    return {max(own, key=len)} if own else set()


def _parts(topics):
    return set().union(*map(uses.parts, topics))


def is_of_a_family(path):
    """Whether a file of tests is in the folder of a family."""
    return any(topic.startswith(f"{PurePath(path).parent.name}/") for topic in _built())


def day_of(item):
    """The day of a weekly test, 0 to 6: by its topic's place among those built; by its own name where it is about none."""
    if topics := topics_of(item):
        return min(map(_built().get, topics)) % DAYS
    return crc32(item.nodeid.split("@")[0].encode()) % DAYS


@cache
def _built():
    """{path: place} of the built topics, in the order of the syllabus."""
    return {topic.path: place for place, topic in enumerate(load().built)}
