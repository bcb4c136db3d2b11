"""Which topics and tests use a file of practice_torch's experiments or pictures, read from their imports."""

from functools import cache
from pathlib import Path

from shared_specs.syllabus import load
from tests.support import uses
from tests.support.topics import is_of_a_family

PRACTICE = uses.ROOT / "practice_torch"
# Modules by which a test runs every experiment without naming one.
ALL = ("support.small_recipes", "support import tiny", "support.samplers", "support import metrics")
# Tests of every recipe that run no experiment in their own process, or use none of its numbers.
ELSEWHERE = {
    "test_book", "test_demo", "test_flops", "test_house", "test_lecture_pages", "test_networks", "test_practice_commands",
    "test_projects", "test_recipe", "test_simulated_gpu", "test_sizes", "test_throughput", "test_widths",
}  # fmt: skip


@cache
def sources():
    """{family/topic, folder/name of a shared part or of a picture: its file}."""
    paths = [*PRACTICE.glob("experiments/*/[!_]*.py"), *PRACTICE.glob("pictures/[!_]*.py")]
    return {f"{path.parent.name}/{path.stem}": path for path in sorted(paths)}


def module_of(file):
    """The name that it is imported by."""
    return ".".join(sources()[file].relative_to(uses.ROOT).with_suffix("").parts)


@cache
def importers(file):
    """The topics with this file as experiment, or with an experiment that imports it, directly or indirectly."""
    found = {file} & set(load().topics)
    for other, path in sources().items():
        if other != file and sources()[file] in uses.of_file(path):
            found |= importers(other)
    return found


def tests():
    """The files of tests that run experiments."""
    return [path for path in sorted((uses.ROOT / "tests").rglob("test_*.py")) if _runs_experiments(path)]


def _runs_experiments(path):
    if path.stem in ELSEWHERE:
        return False
    return bool(uses.of_file(path) & set(sources().values())) or any(module in path.read_text() for module in ALL)


def imports(path: Path, files):
    """Whether a file of tests imports one of these."""
    return bool(uses.of_file(path) & {sources()[file] for file in files})


def is_whole(path):
    """Whether the tests of a file may share what one of them computes, in fixtures and caches: those of a topic do."""
    return is_of_a_family(path)
