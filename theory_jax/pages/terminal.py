"""The printed page: a derivation as it reads in a terminal of 80 columns, one line an equation."""

import re

from rich.cells import cell_len
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from theory_jax.pages.console import console_of_the_page
from theory_jax.pages.mistakes import lead
from theory_jax.pages.page import functions_of
from theory_jax.pages.unicode import to_unicode

TIED = "\u00a0"  # a space at which no line breaks
RELATIONS = tuple("=≤≥<>≈⇒⇔→")
LONGEST_TIED = 40  # characters of mathematics in a sentence that stay in one line


def print_page(page, *, console=None):
    """The page of a derivation (theory_jax/pages/page.py), from its title to its summary."""
    _Printer(console or console_of_the_page()).page(page)


class _Printer:
    def __init__(self, console):
        self.console = console

    # ------------------------------------------------------------------------------------------------ words

    def line(self, words="", style="", indent=0):
        self.console.print(Text(" " * indent + words, style=style) if words else "")

    def prose(self, words, style="", indent=0, first=None):
        """Words with mathematics between dollar signs, wrapped behind an indent."""
        for number, line in enumerate(Text(prose(words), style=style).wrap(self.console, self.console.width - indent)):
            line.rstrip()
            line.plain = line.plain.replace(TIED, " ")
            line.pad_left(indent if number or first is None else first)
            self.console.print(line)

    def equation(self, latex, relation="", indent=4, style="bold"):
        """A line of mathematics; if it is too long it breaks before a relation or a term, and the rest is indented."""
        mark = f"{to_unicode(relation)} " if relation else ""
        for number, text in enumerate(broken(to_unicode(latex), self.console.width - indent - len(mark) - 2)):
            self.console.print(Text(" " * indent + (mark if number == 0 else " " * (len(mark) + 2)) + text, style=style))

    def heading(self, words):
        self.line()
        self.prose(words, "bold underline")

    # ------------------------------------------------------------------------------------------------ the page

    def page(self, page):
        place = " · ".join(filter(None, (page.topic, page.lectures)))
        self.line()
        if place:
            self.line(place, "dim")
        self.prose(page.title, "bold")
        self.console.print(Rule(style="dim"))
        self.front_matter(page)
        for item in page.body:
            self.item(item)
        self.paragraphs("What this does not show", page.limits)
        if page.exercises:
            self.heading("Exercises")
        for number, item in enumerate(page.exercises, start=1):
            self.exercise(number, item)
        if page.appendix:
            self.heading("How the code keeps it")
        for item in page.appendix:
            self.item(item)
        self.back_matter(page)
        self.line()
        self.console.print(Rule(style="dim"))
        for error in page.refused:
            self.prose(error, "red")
        mark, style = ("✓", "bold green") if page.passed else ("✗", "bold red")
        self.prose(f"{mark} {page.summary}", style, indent=2, first=0)

    def front_matter(self, page):
        for words, style in ((page.question, "italic"), (page.answer, "")):
            if words:
                self.prose(words, style)
                self.line()
        if page.central:
            self.equation(page.central)
        if page.setting:
            self.heading("Setting")
        for paragraph in page.setting:
            self.prose(paragraph)
        if page.introduced:
            self.heading("Symbols")
        for symbol in page.introduced:
            self.symbol(symbol)
        self.heading("Derivation")

    def symbol(self, symbol):
        note = ", ".join(filter(None, (symbol.assumed, f"in the code {symbol.code}" if symbol.code else "")))
        words = symbol.meaning + (f" ({note})" if note else "")
        written = to_unicode(symbol.latex)
        if cell_len(written) > 11:
            self.equation(symbol.latex, indent=2)
            self.prose(words, indent=15)
        else:
            text = prose(words)
            for number, line in enumerate(Text(text).wrap(self.console, self.console.width - 15)):
                line.rstrip()
                front = Text("  " + written + " " * (13 - cell_len(written)) if number == 0 else " " * 15, style="bold")
                self.console.print(front + Text(line.plain.replace(TIED, " ")))

    def introduced(self, item):
        """The symbols that a part is the first to need."""
        if item.introduces:
            self.line()
        for symbol in item.introduces:
            self.symbol(symbol)

    def item(self, item):
        self.introduced(item)
        self.line()
        head = f"({item.number}) " if item.number else ""
        role = item.role if item.role in ("lemma", "definition", "remark", "assumption") else "the result" if item.central else ""
        if item.title:
            words = head + (f"{role.capitalize()}: " if role else "Algorithm. " if item.lines else "") + item.title
            words += f" (from {item.rests_on})" if item.rests_on else ""
            self.prose(words, "bold", indent=len(head), first=0)
        match item.form:
            case "say":
                self.prose(item.before)
            case "step":
                self.step(item, head, role)
            case "figure":
                self.prose(f"Figure. {item.before}", "italic", indent=4)
                self.outcome(item, "drawn on the HTML page (--html)")
            case _:
                self.rows(item)

    def step(self, item, head, role):
        for number, row in enumerate(item.rows):
            first = f"{head:<4}{role.capitalize()}{': ' if role else ''}" if number == 0 else " " * 4
            for at, piece in enumerate(broken(to_unicode(row.latex), self.console.width - max(6, len(first)))):
                self.console.print(Text((" " * 6 if at else first) + piece, style="bold"))
        if item.rests_on:
            self.prose(f"from {item.rests_on}", "dim", indent=4)
        self.prose(item.after, indent=4)
        self.mistakes(item.mistakes, indent=4)
        self.outcome(item, item.words)
        for row in item.rows:
            self.error(row.error)

    def rows(self, item):
        if item.before:
            self.prose(f"{item.form.capitalize()}. {item.before}")
        for number, line in enumerate(item.lines, start=1):
            source = ", ".join(filter(None, (line.number, *line.functions)))
            head = f"{number:>2}. " + "  " * line.indent
            self.prose(f"{head}{line.text}{f'  [{source}]' if source else ''}", indent=4 + len(head), first=4)
        if item.lines:
            self.line("Its first steps on the example:", "dim", indent=4)
        for row in item.rows:
            if item.form == "chain":
                self.line()
            self.equation(row.latex, row.relation, indent=4 if row.relation else 6 if item.form == "chain" else 4)
            if row.because:
                self.prose(row.because, indent=8)
            self.mistakes(row.mistakes, indent=8)
            self.error(row.error)
        if item.form == "bridge" and (names := functions_of(item.part)):
            self.prose(f"in the code: {', '.join(names)}", "dim", indent=4)
        if item.after:
            self.line() if item.form == "chain" else None
            self.prose(item.after, indent=4)
        self.mistakes(item.mistakes, indent=4)
        self.outcome(item, item.words)

    def exercise(self, number, item):
        self.line()
        level = f"({item.level}) " if item.level else ""
        self.prose(f"{number}. {level}{item.before}", indent=3, first=0)
        if item.hint:
            self.prose(f"Hint. {item.hint}", "dim", indent=3)
        self.prose(f"Answer. {item.after}", "dim", indent=3)
        self.outcome(item, item.words, indent=3)

    def outcome(self, item, words, indent=4):
        mark, style = ("✓ ", "green") if item.passed else ("✗ ", "bold red")
        if item.form == "assumption":
            mark, style = "", "dim"
        if words or not item.passed:
            self.prose(mark + words, style, indent=indent + 2, first=indent)
        if item.since:
            self.prose(f"tolerance loosened because {item.since}", "dim", indent=indent + 2)
        for error in item.errors:
            self.error(error)

    def mistakes(self, mistakes, indent):
        """Descriptions of the mistakes, with the wrong formulas if they fit in one line; the HTML page has them all."""
        if mistakes:
            formulas = [to_unicode(f"{mistake.relation} {mistake.latex}") for mistake in mistakes]
            labels = (mistake.label + f": {words}" * bool(words) for mistake, words in zip(mistakes, formulas, strict=True))
            whole = f"{lead(mistakes)}: {'; '.join(labels)}"
            short = f"{lead(mistakes)}: {'; '.join(mistake.label for mistake in mistakes)}"
            fits = cell_len(prose(whole)) <= self.console.width - indent
            self.prose(whole if fits else short, "dim", indent=indent + 2, first=indent)

    def error(self, words):
        if words:
            self.prose(words, "red", indent=6)

    def paragraphs(self, heading, paragraphs):
        if paragraphs:
            self.heading(heading)
        for paragraph in paragraphs:
            self.prose(f"- {paragraph}", indent=2, first=0)

    def back_matter(self, page):
        self.paragraphs("Functions of this topic", [f"{name}: {words}" for name, words in page.functions])
        if page.trained:
            self.paragraphs("Training", [page.trained, *(f"{path}: {names}" for path, names in page.used_by)])
        self.paragraphs("Sources", page.sources)
        self.paragraphs("It builds on", [f"{path}: {title}" for path, title in page.builds_on])
        self.paragraphs("What builds on it", [f"{path}: {title}" for path, title in page.next])


# ---------------------------------------------------------------------------------------------------- text


def prose(words):
    """A sentence with its mathematics as Unicode; short mathematics does not break."""

    def converted(found):
        text = to_unicode(found[1])
        return text.replace(" ", TIED) if cell_len(text) <= LONGEST_TIED else text

    return re.sub(r"\$([^$]*)\$", converted, words)


def broken(text, width):
    """A line of mathematics in pieces of at most `width`: broken before relations, then terms, outside parentheses first."""
    pieces = []
    while cell_len(text) > width:
        at = _break(text, width)
        pieces.append(text[:at].rstrip())
        text = text[at:].lstrip()
    return [*pieces, text]


def _break(text, width):
    best, depth = (9, 0), 0
    for at, character in enumerate(text[: width + 1]):
        depth += (character in "([{") - (character in ")]}")
        if character != " " or at < width // 3 or not text[:at].strip():
            continue
        if text[at + 1 : at + 2] in RELATIONS:
            worth = 0
        else:
            worth = 1 if text[at : at + 3] in (" + ", " - ", " − ") or text[at - 1] in ",;" else 4
        best = min(best, (depth + worth, -at))
    return -best[1] if best[0] < 9 else width


# ---------------------------------------------------------------------------------------------------- summary


def print_summary(records, computed_by, *, console=None):
    """One line for each of several topics: claims, time, verdict. Then the backend of JAX's operations."""
    console = console or console_of_the_page()
    if len(records) > 1:
        _print_table(console, records)
    console.print(Text(f"JAX's operations computed by {computed_by}", style="dim"))


def _print_table(console, records):
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading, side in (("topic", "left"), ("claims", "right"), ("seconds", "right"), ("verdict", "left")):
        table.add_column(heading, justify=side)
    for record in records:
        failed = sum(not claim["passed"] for claim in record["claims"])
        words = "✓ all hold" if record["passed"] else f"✗ {failed} FAILED" if failed else "✗ FAILED"
        style = "green" if record["passed"] else "bold red"
        table.add_row(record["topic"], str(len(record["claims"])), f"{record['seconds']:.1f}", Text(words, style=style))
    console.print()
    console.print(table)
    console.print()
