"""The printed page: a derivation as it reads in a terminal of 80 columns."""

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from theory_jax.latex import to_unicode

WIDTH = 80


def console_of_the_page(**options):
    """A terminal no wider than the page. Text is printed as it is: brackets in claims are no markup."""
    console = Console(highlight=False, markup=False, emoji=False, **options)
    console.width = min(console.width, WIDTH)
    return console


def print_page(derivation, results, *, topic="", console=None):
    """Title, sources, and every step: its claim, its reason, and what its execution gave."""
    console = console or console_of_the_page()
    lectures = ", ".join(map(str, derivation.lectures))
    place = [topic] if topic else []
    if lectures:
        place.append(f"lecture{'s' if len(derivation.lectures) > 1 else ''} {lectures}")
    console.print()
    if place:
        console.print(Text(" · ".join(place), style="dim"))
    console.print(Text(derivation.title, style="bold"))
    console.print(Rule(style="dim"))
    for source in derivation.sources:
        _print_block(console, source, "dim italic", indent=0)
    for number, result in enumerate(results, start=1):
        console.print()
        _print_step(console, number, result)
    failed = sum(not result.passed for result in results)
    console.print()
    console.print(Rule(style="dim"))
    if failed:
        console.print(Text(f"✗ {failed} of {len(results)} steps FAILED", style="bold red"))
    else:
        console.print(Text(f"✓ all {len(results)} steps hold", style="bold green"))


def _print_step(console, number, result):
    console.print(Text(f"{number:3d} ", style="dim"), end="")
    _print_block(console, to_unicode(result.step.claim), "bold", indent=4, first=0)
    _print_block(console, result.step.because, "", indent=4)
    mark, style = ("✓", "green") if result.passed else ("✗", "bold red")
    _print_block(console, f"{mark} {verdict(result)}", style, indent=4)
    if result.step.since:
        _print_block(console, f"tolerance loosened because {result.step.since}", "dim", indent=6)
    if result.error:
        _print_block(console, result.error, "red", indent=6)


def _print_block(console, words, style, *, indent, first=None):
    """The words, wrapped behind an indent, without the spaces with which rich fills a line."""
    for number, line in enumerate(Text(words, style=style).wrap(console, console.width - indent)):
        line.rstrip()
        line.pad_left(indent if number or first is None else first)
        console.print(line)


def verdict(result):
    """Kind, residual and tolerance in one line."""
    kind = result.step.kind.replace("_", " ")
    if result.residual is None:
        return f"{kind}, no residual"
    if result.step.kind == "symbolic":
        return f"{kind}, the difference reduces to 0"
    relation = "<=" if result.residual <= result.tolerance else ">"
    if result.step.kind == "monte_carlo":
        return f"{kind}, {result.residual:.2f} {relation} {result.tolerance:g} standard errors"
    return f"{kind}, {result.residual:.1e} {relation} {result.tolerance:.0e}"


def print_summary(records, computed_by, *, console=None):
    """Of several topics one line each: steps, time, verdict. Then what computed JAX's operations."""
    console = console or console_of_the_page()
    if len(records) > 1:
        _print_table(console, records)
    console.print(Text(f"JAX's operations computed by {computed_by}", style="dim"))


def _print_table(console, records):
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading, side in (("topic", "left"), ("steps", "right"), ("seconds", "right"), ("verdict", "left")):
        table.add_column(heading, justify=side)
    for record in records:
        failed = sum(not step["passed"] for step in record["steps"])
        words = "✓ proven" if record["passed"] else f"✗ {failed} FAILED" if failed else "✗ FAILED"
        style = "green" if record["passed"] else "bold red"
        table.add_row(record["topic"], str(len(record["steps"])), f"{record['seconds']:.1f}", Text(words, style=style))
    console.print()
    console.print(table)
    console.print()
