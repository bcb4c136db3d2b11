"""The syllabus: lectures, topics, and the search for a topic by name. Standard library only; syllabus.toml contains the list."""

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SYLLABUS = Path(__file__).with_name("syllabus.toml")
BOOK = SYLLABUS.parent.parent / "build" / "book" / "html" / "index.html"  # where `make book` writes the course as a book


@dataclass(frozen=True)
class Topic:
    """One topic. requires: paths of the topics it builds on; asked_for_by: its source, if no lecture covers it.

    built: whether its spec is there. In the repository the other files are then there too (tests/house/test_house.py); an
    installed package has no tests.
    """

    path: str
    title: str
    built: bool
    requires: tuple[str, ...] = ()
    lectures: tuple[int, ...] = ()
    asked_for_by: str = ""

    @property
    def family(self) -> str:
        return self.path.split("/")[0]


@dataclass(frozen=True)
class Lecture:
    """One lecture of the course. module: its module's title; topics: the paths of the topics that cover it, in order."""

    number: int
    title: str
    module: str
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Syllabus:
    """lectures in order; topics by path, in course order; floors: the families, lowest floor first."""

    lectures: tuple[Lecture, ...]
    topics: dict[str, Topic]
    floors: tuple[tuple[str, ...], ...]

    @property
    def built(self) -> list[Topic]:
        """The topics that are built, in course order."""
        return [topic for topic in self.topics.values() if topic.built]

    def floor(self, family: str) -> int:
        """The floor of a family: it may build on families of lower floors."""
        for height, families in enumerate(self.floors):
            if family in families:
                return height
        raise LookupError(f"no family {family!r}; there are {', '.join(name for floor in self.floors for name in floor)}")


@cache
def load(path: Path = SYLLABUS) -> Syllabus:
    """Read the syllabus from the file; the specs are in the same folder. ValueError names an error in the file."""
    table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    topics = {name: _topic(name, entry, Path(path).parent) for name, entry in table["topics"].items()}
    covered = {}
    for topic in topics.values():
        for number in topic.lectures:
            covered.setdefault(number, []).append(topic.path)
    lectures = tuple(
        Lecture(lecture["number"], lecture["title"], module["title"], tuple(covered.pop(lecture["number"], ())))
        for module in table["modules"]
        for lecture in module["lectures"]
    )
    if covered:
        raise ValueError(f"syllabus: {next(iter(covered.values()))[0]} covers lecture {next(iter(covered))}, which is not listed")
    syllabus = Syllabus(lectures, topics, tuple(map(tuple, table["floors"])))
    _check(syllabus)
    return syllabus


def _topic(path, entry, specs):
    family, _, name = path.partition("/")
    if not (family and name):
        raise ValueError(f"syllabus: the topic {path!r} must be written family/topic")
    fields = {"title", "requires", "lectures", "asked_for_by"}
    if unknown := set(entry) - fields:
        raise ValueError(f"syllabus: {path} has {', '.join(sorted(unknown))}; allowed are {', '.join(sorted(fields))}")
    if "title" not in entry:
        raise ValueError(f"syllabus: {path} has no title")
    if ("lectures" in entry) == ("asked_for_by" in entry):
        raise ValueError(f"syllabus: {path} must say either lectures or asked_for_by, and not both")
    requires = tuple(other if "/" in other else f"{family}/{other}" for other in entry.get("requires", ()))
    built = (specs / f"{path}.py").is_file()
    return Topic(path, entry["title"], built, requires, tuple(entry.get("lectures", ())), entry.get("asked_for_by", ""))


def _check(syllabus):
    """Lectures are numbered 1, 2, ... and covered; prerequisites exist, stand no higher, and do not run in a circle."""
    numbers = [lecture.number for lecture in syllabus.lectures]
    if numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(f"syllabus: the lectures must be numbered 1..{len(numbers)} in order")
    for lecture in syllabus.lectures:
        if not lecture.topics:
            raise ValueError(f"syllabus: no topic covers lecture {lecture.number}")
    for topic in syllabus.topics.values():
        height = syllabus.floor(topic.family)
        for other in topic.requires:
            if other not in syllabus.topics:
                raise ValueError(f"syllabus: {topic.path} requires {other}, which is not a topic")
            family = other.split("/")[0]
            if family != topic.family and syllabus.floor(family) >= height:
                raise ValueError(f"syllabus: {topic.path} requires {other}, but its family is not on a lower floor")
    done, path = set(), []

    def visit(name):
        if name in path:
            raise ValueError(f"syllabus: prerequisites in a circle: {' -> '.join([*path[path.index(name) :], name])}")
        if name not in done:
            path.append(name)
            for other in syllabus.topics[name].requires:
                visit(other)
            done.add(path.pop())

    for name in syllabus.topics:
        visit(name)


def resolve(text: str | int, syllabus: Syllabus | None = None) -> list[Topic]:
    """The topics for `family/topic`, a unique part of it, or a lecture number.

    An exact path or topic name wins over a part, and a built topic over those that are planned. LookupError names built topics
    only: those that the text is a part of, or those that come nearest.
    """
    syllabus = syllabus or load()
    text = str(text).strip()
    wanted = text.lower().replace("-", "_").replace(" ", "_")
    if wanted.lstrip("_").isdigit():
        return _lecture(text, syllabus)
    paths = syllabus.topics
    if not wanted:
        raise LookupError("an empty topic; give family/topic, a unique part of it, or a lecture number")
    if wanted in paths:
        return [paths[wanted]]
    for matches in ([path for path in paths if path.split("/")[1] == wanted], [path for path in paths if wanted in path]):
        matches = [path for path in matches if paths[path].built] or matches
        if len(matches) == 1:
            return [paths[matches[0]]]
        if matches:
            why = "it is part of" if paths[matches[0]].built else "it is part of these, which are planned, not built yet:"
            raise LookupError(f"{text!r} is not unique: {why} {_listed(matches)}")
    raise LookupError(f"no topic {text!r}; {_nearest(wanted, [topic.path for topic in syllabus.built])}")


def _lecture(text, syllabus):
    last = len(syllabus.lectures)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= last):
        raise LookupError(f"no lecture {text}; the course has lectures 1..{last}")
    return [syllabus.topics[path] for path in syllabus.lectures[int(text) - 1].topics]


def _listed(paths, most=8):
    shown = ", ".join(paths[:most])
    return shown if len(paths) <= most else f"{shown} and {len(paths) - most} more"


def _nearest(wanted, paths):
    """The paths most similar to the input: whole paths and bare topic names are both compared."""
    names = {}
    for path in paths:
        names[path] = path
        names.setdefault(path.split("/")[1], path)
    close = [names[name] for name in difflib.get_close_matches(wanted, names, n=6, cutoff=0.6)]
    close = list(dict.fromkeys(close))[:3]
    return f"did you mean {' or '.join(close)}?" if close else "`list` shows them all"
