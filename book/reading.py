"""The reading list: the sources of every lecture, each work once, in the family that uses it most."""

import ast
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from book.text import escaped

PLACE = "guides/reading"
LECTURES = Path(__file__).resolve().parent.parent / "theory_jax" / "lectures"
SOURCE = re.compile(r"(?P<authors>.+?) (?P<year>(?:1[6-9]|20)\d\d)[a-z]?(?:, (?P<rest>.+))?")
ANOTHER = re.compile(r"; (?=[A-Z][^;]*? (?:1[6-9]|20)\d\d)")
# a place in a work, or a remark on it, which ends its title
PLACES = "section|chapter|theorem|table|figure|algorithm|proposition|lemma|part|page|eq|equation|appendi[cx]e?|for|with|in"
BEHIND = re.compile(rf" \(|, (?:(?:{PLACES})s?\b|\d)|^(?:{PLACES})s?\b")


@dataclass
class Work:
    """A book or a paper, and the paths of the topics whose lectures cite it."""

    authors: str
    year: int
    title: str
    topics: list = field(default_factory=list)

    @property
    def family(self):
        """The family of most of its topics; of several, the first that cites it."""
        return Counter(path.partition("/")[0] for path in self.topics).most_common(1)[0][0]


def works(paths):
    """The works that the lectures on these topics cite, read from their source.

    Sources are one work if the first author and the year agree, and the first two words of the title, as far as both have them.
    """
    found = defaultdict(list)
    for path in paths:
        for source in sources_of(path):
            parts = SOURCE.fullmatch(source)
            title = BEHIND.split(parts["rest"] or "")[0]
            same = found[re.split(r"[ ,]", parts["authors"])[0], parts["year"]]
            work = next((work for work in same if _agree(title, work.title)), None)
            if work is None:
                same.append(work := Work(parts["authors"], int(parts["year"]), title))
            work.title = max(work.title, title, key=len)
            if path not in work.topics:
                work.topics.append(path)
    return [work for same in found.values() for work in same]


def sources_of(path):
    """The sources of a lecture, read from its file."""
    tree = ast.parse((LECTURES / f"{path}.py").read_text(encoding="utf-8"))
    (named,) = (node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "sources")
    return [source for written in ast.literal_eval(named) for source in ANOTHER.split(written)]


def page(topics):
    """The Markdown of the list. topics: those of the syllabus that have pages, in its order."""
    titles = {topic.path: topic.title for topic in topics}
    by_family = defaultdict(list)
    for work in works(titles):
        by_family[work.family].append(work)
    parts = [
        "# Reading list",
        f"The sources of {len(topics)} lectures, each work once, in the family that uses it most. First come the works that "
        "three or more lectures cite; the others follow by year.",
    ]
    for family in dict.fromkeys(topic.family for topic in topics):
        lines = sorted(by_family[family], key=lambda work: (-len(work.topics) if len(work.topics) > 2 else 0, work.year))
        parts += [f"## {family.replace('_', ' ').capitalize()}", "\n".join(_line(work, titles) for work in lines)]
    return "\n\n".join(parts) + "\n"


def _line(work, titles):
    of = ", ".join(f"[{escaped(titles[path])}](../topics/{path}.md)" for path in work.topics)
    title = f", *{escaped(work.title)}*" if work.title else ""
    return f"- {escaped(work.authors)} {work.year}{title}: {of}"


def _agree(*titles):
    return all(one == other for one, other in zip(*(re.findall(r"\w+", title.lower())[:2] for title in titles), strict=False))
