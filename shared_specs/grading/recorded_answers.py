"""Which answers judge a file: those of the theory wing, which needs JAX, or those that were recorded of it."""

from functools import cache, partial

from shared_specs.backends import installed
from shared_specs.checking.recorded import Recorded
from shared_specs.grading.declared import docstring
from shared_specs.recording.storage import recording_of

NOT_RECORDED = "gradients, laws that take them, and networks, which only the full installation checks"


def judges_by_record(asked: bool) -> bool:
    """Whether recorded answers judge: on request, and where JAX is not installed."""
    return asked or "jax" not in installed()


@cache
def recorded_reference(topic: str) -> Recorded:
    """What was recorded of a topic, in place of its theory wing.  Raises NotRecorded."""
    return Recorded(topic, recording_of(topic), partial(docstring, topic))
