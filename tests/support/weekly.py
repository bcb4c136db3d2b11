"""The days of the tests that are marked weekly: `make test` runs one day's, `make test-all` and `make topic` run all."""

from functools import cache
from zlib import crc32

from shared_specs.syllabus import load
from tests.support.topics import topics_of

DAYS = 7


def day_of(item):
    """The day of a test, 0 to 6: by its topic's place among those built; by its own name where it is about none."""
    if topics := topics_of(item):
        return min(map(_places().get, topics)) % DAYS
    return crc32(item.nodeid.split("@")[0].encode()) % DAYS


@cache
def _places():
    return {topic.path: place for place, topic in enumerate(load().built)}
