"""The topics that the words of a command line name."""

import sys
from collections.abc import Callable, Iterable

from shared_specs.commands.errors import UsageError
from shared_specs.syllabus import Topic, resolve


def topics_named(texts: Iterable[str]) -> list[Topic]:
    """The topics, each once, in the order of the texts: family/topic, a unique part of it, or a lecture number."""
    topics = {}
    for text in texts:
        try:
            topics |= {topic.path: topic for topic in resolve(text)}
        except LookupError as error:
            raise UsageError(error.args[0]) from None
    return list(topics.values())


def only_built(topics: Iterable[Topic], is_there: Callable[[Topic], bool] = lambda topic: topic.built) -> list[Topic]:
    """The topics that are there; those that are planned are named on stderr. UsageError if all are planned."""
    topics = list(topics)
    planned = [topic.path for topic in topics if not is_there(topic)]
    if len(planned) == len(topics):
        raise planned_only(planned)
    for path in planned:
        print(f"{path}: planned, not built yet", file=sys.stderr)
    return [topic for topic in topics if topic.path not in planned]


def planned_only(paths: Iterable[str]) -> UsageError:
    """The error for topics that are planned, not built."""
    return UsageError(f"{', '.join(paths)} is planned, not built yet")
