"""The thirds of the tests that are marked in_thirds: `make test` runs one a day, `make test-all` and `make topic` run all."""

from functools import cache
from zlib import crc32

from shared_specs.syllabus import load
from tests.support.topics import topics_of


def third_of(item):
    """The third of a test, 0, 1 or 2: by its topic's place among those built; by its own name where it is about none."""
    if topics := topics_of(item):
        return min(map(_places().get, topics)) % 3
    return crc32(item.nodeid.split("@")[0].encode()) % 3


@cache
def _places():
    return {topic.path: place for place, topic in enumerate(load().built)}
