"""Output of commands: JSON, and the list of the course."""

import json
from typing import TYPE_CHECKING, Any

from shared_specs.syllabus import load
from shared_specs.terminal import print_table

if TYPE_CHECKING:
    from rich.console import Console


def print_json(data: Any) -> None:
    """Print data as JSON, in ASCII, which every encoding of stdout can write. ValueError for a number that is not finite."""
    print(json.dumps(data, indent=2, allow_nan=False))


def print_course(as_json: bool, console: "Console | None" = None) -> None:
    """Print the topics of the syllabus, each with its lectures, its title, and whether it is built: as a table or as JSON."""
    topics = [(topic, "built" if topic.built else "planned") for topic in load().topics.values()]
    if as_json:
        rows = [{"topic": t.path, "title": t.title, "lectures": list(t.lectures), "state": state} for t, state in topics]
        print_json({"topics": rows})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("lecture", justify="right", no_wrap=True)
    table.add_column("topic", no_wrap=True)
    table.add_column("title")
    table.add_column("", no_wrap=True)
    for topic, state in topics:
        lectures = ", ".join(map(str, topic.lectures)) or "-"
        table.add_row(lectures, topic.path, Text(topic.title), Text(state, style="green" if topic.built else "dim"))
    print_table(table, console)
