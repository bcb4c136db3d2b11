"""python -m shared_specs.recording [TOPIC ...]: record the topics that have changed since they were recorded (`make record`).

Needs JAX. With topics, these are recorded whether they have changed or not.
"""

import os
import sys
from collections.abc import Sequence

from shared_specs.checking.check import forget
from shared_specs.commands.program import exit_code
from shared_specs.commands.topics import only_built, topics_named
from shared_specs.recording.record import record
from shared_specs.recording.sources import digest
from shared_specs.recording.storage import FOLDER, pack, path_of, unpack
from shared_specs.syllabus import load


def main(words: Sequence[str]) -> int:
    """Returns the exit code."""
    built = [topic.path for topic in load().built]
    topics = [topic.path for topic in only_built(topics_named(words))] if words else list(filter(is_stale, built))
    for topic in topics:
        path = path_of(topic)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(pack(record(topic), digest(topic)))
        os.replace(unfinished, path)
        print(f"{topic}: {path.stat().st_size / 1000:.1f} KB", flush=True)
        forget()
    for path in set(FOLDER.glob("*/*")) - {path_of(topic) for topic in built}:
        path.unlink()
    total = sum(path_of(topic).stat().st_size for topic in built)
    print(f"{len(topics)} of {len(built)} topics recorded; {total / 1e6:.2f} MB in all")
    return 0


def is_stale(topic: str) -> bool:
    """Whether the recording of a topic is missing, or of other contracts or functions than those that are there."""
    path = path_of(topic)
    return not path.is_file() or unpack(path.read_bytes())[1] != digest(topic)


if __name__ == "__main__":
    sys.exit(exit_code(lambda: main(sys.argv[1:]), sys.argv))
