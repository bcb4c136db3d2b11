"""Every comparison on this machine's CPU, one after another, and then one table of all results that are kept.

    python -m benchmarks [NAME ...] [--table]

Each NAME is a script with its own options, benchmarks/SUBJECT/NAME.py (python -m benchmarks.SUBJECT.NAME --help). Comparisons on
a GPU are python -m benchmarks.gpu. The thousand kills of resume, the whole suite, the mutants of experiments, the gigabytes of
prepared_images, streamed_text and scale, and the launches that a training step takes, run only when they are named. Exit code: 1
if a goal was missed, after all have run.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from benchmarks.measuring.goals import EXTRA_BYTES, GOALS, MEMORY_GOALS
from benchmarks.measuring.turns import RESULTS, bounds, judged

NO_SUBJECTS = {"gpu", "measuring", "results"}
SCRIPTS = {  # name -> module
    path.stem: f"benchmarks.{path.parent.name}.{path.stem}"
    for path in sorted(Path(__file__).parent.glob("*/*.py"), key=lambda path: path.stem)
    if path.parent.name not in NO_SUBJECTS
}
NOT_A_COMPARISON = {"experiment_mutants", "launches", "prepared_images", "resume", "scale", "streamed_text", "suite"}


def table():
    """All kept results, judged by the goals of today: speedups over the other side, then results that are not ratios."""
    kept = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    columns = (Column("benchmark", overflow="fold"), "against", "as fast", "quartiles", "goal")
    made = Table(*columns, box=SIMPLE, caption="\n".join(notes(kept)))
    for name in sorted({*kept, *GOALS}):
        result = kept.get(name, {"ratios": {}, "seconds": {}})
        if "ratios" not in result:
            continue
        goals = result["goals"] if name.startswith("gpu_") else GOALS.get(name, {})
        limits = bounds(result)
        for side, found, goal in judged(result, goals):
            asked = "" if goal is None else f"{goal:.3g}x"
            if found is None:
                made.add_row(name, side, "", "", f"{asked} [bold red]not measured[/]")
                continue
            (low, high), median = found["quartiles"], found["median"]
            verdict = "" if goal is None else f" {said(median >= goal)}"
            if goal is not None and median < goal and (bound := limits.get(side.split(" (ours")[0])):
                verdict += f", at most {bound[0]:.2f}x"
            made.add_row(name, side, f"{median:.2f}x", f"{low:.2f} to {high:.2f}", asked + verdict)
    return made


def notes(kept):
    """What is no ratio, a line each, and the hardware."""
    loading = kept["data_loading"]
    shares = [each["share"] for each in loading["measured"].values()]
    yield f"getting batches takes {min(shares):.2%} to {max(shares):.2%} of training, goal below {loading['goal']:.0%}"
    cores = [each["cores_for_an_h100"] for found in kept["prepared_images"]["sets"].values() for each in found["load"].values()]
    yield f"prepared images: {min(cores):.1f} to {max(cores):.1f} cores decode what an H100 would take"
    yield f"resumed after {kept['resume']['kills']} kills: {len(kept['resume']['different'])} runs ended in other bytes"
    for name, goal in MEMORY_GOALS.items():
        share = kept[name]["memory"]
        yield f"{name}: {share:.2f} of the other side's memory, goal {goal:g} {said(share <= goal)}"
    for name, most in EXTRA_BYTES.items():
        extra = kept[name]["extra_bytes"]["ours"]
        yield f"{name}: {extra / 1e6:.0f} MB, goal {most / 1e6:.0f} {said(extra <= most)}"
    for name, result in kept.items():
        for side, (most, why) in bounds(result).items() if "floors" in result else ():
            yield f"{name}, against {side}: at most {most:.2f}x; {why}"
    if suite := kept.get("suite"):
        yield f"verifying everything: {suite['check']['seconds']:.0f} CPU s of check, {suite['suite']['seconds']:.0f} of suite"
    devices = {result.get("environment", result)["device"] for result in kept.values()}
    yield f"measured on {', '.join(sorted(devices))}"


def said(reached):
    return "reached" if reached else "[bold red]MISSED[/]"


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(SCRIPTS)}")
    parser.add_argument("--table", action="store_true", help="run nothing, only show what is kept")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(SCRIPTS):
        parser.error(f"{', '.join(sorted(unknown))}: the benchmarks are {', '.join(SCRIPTS)}")
    chosen = arguments.names or [name for name in SCRIPTS if name not in NOT_A_COMPARISON]
    codes = []
    for name in () if arguments.table else chosen:
        print(f"== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", SCRIPTS[name]]).returncode)
    Console().print(table())
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
