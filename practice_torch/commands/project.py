"""python -m practice_torch project NAME: train the models of a project, judge them together, and write one report."""

import ast
import importlib
import math
import sys
from pathlib import Path

from practice_torch.commands.options import PROGRAM
from shared_specs.commands.errors import UsageError, nearest
from shared_specs.commands.output import print_json
from shared_specs.stopping import Stopped

FOLDER = Path(__file__).parent.parent / "projects"


def names():
    """name -> the first line of a project's docstring, read from its source: listing needs no torch."""
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.py"))}
    return {name: ast.get_docstring(tree).splitlines()[0] for name, tree in trees.items() if _defines_project(tree)}


def _defines_project(tree):
    return any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PROJECT" for node in tree.body)


def project(command):
    """The command; returns the exit code: 1 where an expectation of the project's own data does not hold."""
    if any(getattr(command, option) is not None for option in ("vgg", "content", "style", "style_weight")):
        return _photographs(command)
    known = names()
    if command.name in (None, "list"):
        return _list(known, command.json)
    if command.name not in known:
        raise UsageError(f"unknown project {command.name!r}; {nearest(command.name, known)}")
    if command.seed < 0:
        raise UsageError(f"seed is {command.seed}; it must be 0 or more")

    from practice_torch.engine.distributed.processes import Processes
    from practice_torch.engine.loop import Interrupted
    from practice_torch.projects.runner import run_project
    from practice_torch.reports.project_page import write_project_page

    if Processes(command.cpu).count > 1:
        raise UsageError("a project runs in one process: start it without a launcher")
    about = importlib.import_module(f"practice_torch.projects.{command.name}").PROJECT
    folder = Path(command.out or f"runs/project-{command.name}")
    asked = {"seed": command.seed, "data": command.data, "cpu": command.cpu}
    try:
        results = run_project(command.name, about, folder, **asked, say=_say)
        page = write_project_page(folder, results, folder / "report.html")
    except Interrupted as stop:
        _say(f"{stop}; the same command continues")
        return 128 + stop.signal_number
    except Stopped as stop:
        _say(f"{stop} between two trainings; the same command continues")
        return stop.exit_code
    if command.json:
        print_json(results)
    else:
        _show(folder, results)
        print(f"report: {page}   table: {folder / 'results.json'}")
    return 1 if results["own_data"] and not all(part["holds"] for part in results["expectations"]) else 0


def _photographs(command):
    """The content image with the style of the other, by the features of the user's network; nothing is trained."""
    if command.name != "style_transfer":
        what = "--vgg, --content, --style and --style-weight"
        raise UsageError(f"{what} are of the project style_transfer, not of {command.name or 'the list'}: name that project")
    if missing := [f"--{option}" for option in ("vgg", "content", "style") if not getattr(command, option)]:
        raise UsageError(f"{' and '.join(missing)} missing: --vgg, --content and --style are given together")
    if command.data:
        raise UsageError("--data is for the models of the project, and none is trained with --vgg: leave one of them out")
    if command.style_weight is not None and not 0 <= command.style_weight < math.inf:
        raise UsageError(f"style_weight is {command.style_weight}; it must be 0 or more, and finite")

    from practice_torch.engine.distributed.processes import Processes
    from practice_torch.engine.errors import RunError
    from practice_torch.engine.storage.run import write_json
    from practice_torch.experiments.media.photograph_style import STYLE_WEIGHT, opened, save, transferred
    from practice_torch.networks.vgg import load_vgg

    device = Processes(command.cpu).device
    content, style = (opened(path).to(device) for path in (command.content, command.style))
    network = load_vgg(command.vgg).to(device)
    weight = STYLE_WEIGHT if command.style_weight is None else command.style_weight
    image, losses = transferred(network, content, style, style_weight=weight, say=_say)
    folder = Path(command.out or f"runs/project-{command.name}-photograph")
    path = folder / "transferred.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save(image, path)
        found = {name: {"begin": begin, "end": end} for name, (begin, end) in losses.items()}
        write_json(folder / "losses.json", found)
    except OSError as error:
        raise RunError(f"cannot write into {folder}: {error.strerror}") from error
    if command.json:
        print_json({"image": str(path), "losses": found})
    else:
        print(f"image: {path}   losses: {folder / 'losses.json'}")
    return 0


def _list(known, as_json):
    if as_json:
        print_json({"projects": [{"project": name, "about": about} for name, about in known.items()]})
        return 0
    width = max(map(len, known))
    print("\n".join(f"{name:{width}}  {about}" for name, about in known.items()))
    print(f"\n{PROGRAM} project NAME trains, judges and reports; the same command continues a stopped project")
    return 0


def _show(folder, results):
    """Print the table, its findings and their assertions."""
    from rich.console import Console
    from rich.table import Table

    from practice_torch.reports.project_page import tables

    console = Console()
    for part in tables(folder, results, []):  # the page reports what is missing
        table = Table(box=None, padding=(0, 2, 0, 0), title=part.name or None, title_justify="left")
        table.add_column("")
        for column, about in part.columns.items():
            table.add_column(f"{column.replace('_', ' ')}\n[dim]{about['unit']}[/]")
        for title, row in part.rows.items():
            cells = (row["cells"].get(column) for column in part.columns)
            table.add_row(title + ("" if row["role"] == "model" else f"\n[dim]{row['role']}[/]"), *map(_spoken, cells))
        console.print(table)
    for sentence in results["reading"]:
        console.print(sentence, markup=False, highlight=False)
    for part in results["expectations"]:
        console.print(f"{'holds' if part['holds'] else 'DOES NOT HOLD'}: {part['words']}", markup=False, highlight=False)


def _spoken(cell):
    from practice_torch.reports.project_page import formatted

    if cell is None:
        return "-"
    below = f"{formatted(cell['low'])} to {formatted(cell['high'])}" if "low" in cell else cell.get("note", "")
    return formatted(cell["value"]) + (f"\n[dim]{below}[/]" if below else "")


def _say(line):
    print(line, file=sys.stderr, flush=True)
