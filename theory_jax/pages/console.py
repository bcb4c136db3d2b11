"""The terminal that pages and tables are printed on. Needs neither JAX nor SymPy."""

from rich.console import Console

WIDTH = 80


def console_of_the_page(**options):
    """A terminal no wider than the page. Text is printed as it is: brackets in claims are no markup."""
    console = Console(highlight=False, markup=False, emoji=False, **options)
    console.width = min(console.width, WIDTH)
    return console
