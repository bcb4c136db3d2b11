"""Alternating measurement of several ways to do the same work, on a machine with other load."""

import json
import statistics
import time
from pathlib import Path

import torch

from benchmarks.measuring.goals import GOALS
from practice_torch.engine.costs.environment import environment

CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}
RESULTS = Path(__file__).parent.parent / "results"
LEAST = 5  # turns
_CPU = torch.device("cpu")


def timed(call):
    """Seconds of one call by each clock."""
    began = {kind: clock() for kind, clock in CLOCKS.items()}
    call()
    return {kind: clock() - began[kind] for kind, clock in CLOCKS.items()}


def in_turns(sides, *, repeats, warm_up=1):
    """{side: {clock: [seconds of each turn]}}: A B C A B C ..., after `warm_up` turns that are not counted."""
    if repeats < 1:
        raise SystemExit(f"--repeats is {repeats}; it must be at least 1")
    turns = [{side: timed(call) for side, call in sides.items()} for _ in range(warm_up + repeats)][warm_up:]
    return {side: {kind: [turn[side][kind] for turn in turns] for kind in CLOCKS} for side in sides}


def ratio(seconds, theirs, ours, kind="cpu"):
    """Median and quartiles over the turns of the other side's time divided by ours: above 1 we are faster."""
    each = [b / a for a, b in zip(seconds[ours][kind], seconds[theirs][kind], strict=True)]
    quartiles = statistics.quantiles(each, n=4)[::2] if len(each) > 1 else 2 * each
    return {"median": statistics.median(each), "quartiles": quartiles}


def judged(result, goals):
    """(other side, median and quartiles, goal) of every ratio of a result, then of the goals that no ratio is for.

    None in place of a goal: the ratio has none. None in place of the median: a side that has a goal was not measured.
    """
    asked = dict(goals)
    for side, ratios in result["ratios"].items():
        yield side, ratios[result["clock"]], asked.pop(side, None)
    for side, goal in asked.items():
        ours, theirs = side if isinstance(side, tuple) else (None, side)
        measured = {ours, theirs} <= set(result["seconds"])
        found = ratio(result["seconds"], theirs, ours, result["clock"]) if measured else None
        yield f"{theirs} ({ours})" if ours else theirs, found, goal


def bounds(result):
    """{other side: (the largest ratio that ours can reach, why)}, for the sides that have a floor.

    It is the upper quartile over the turns: a bound that a busy neighbor made too tight would excuse too much.
    """
    found = {}
    for theirs, (floor, why) in result.get("floors", {}).items():
        found[theirs] = (ratio(result["seconds"], theirs, floor, result["clock"])["quartiles"][1], why)
    return found


def conclude(
    name, what, seconds, *, ours, began, goals=None, unit=None, clock="cpu", device=_CPU, keep=True, floors=None, **more
):
    """Print the table, write results/<name>.json, return the exit code: 1 if a goal was missed.

    goals: of a GPU's result, side -> ratio, which are kept with it; those on a CPU are in measuring/goals.py, by name.

    unit: (amount, name), the work of one turn, for a column of amounts per second. clock: the clock for the goals.
    floors: other side -> (a side that is only the part of the work that ours cannot leave out, why it cannot).
    keep=False only prints, and so does a run of less than LEAST turns, which proves nothing.
    """
    parts = {ours, *(floor for floor, _ in (floors or {}).values())}
    ratios = {side: {kind: ratio(seconds, side, ours, kind) for kind in CLOCKS} for side in seconds if side not in parts}
    medians = {side: {kind: statistics.median(values) for kind, values in kinds.items()} for side, kinds in seconds.items()}
    result = {
        "what": what + "; a ratio is the other side's time over ours, above 1 ours is faster",
        **more,
        "medians": medians,
        "ratios": ratios,
        **({} if goals is None else {"goals": goals}),
        "clock": clock,
        **({} if floors is None else {"floors": floors}),
        "seconds": seconds,
        "environment": environment(device, time.perf_counter() - began),
    }
    turns = len(seconds[ours][clock])
    if keep and turns >= LEAST:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    elif keep:
        print(f"only {turns} turns were measured, at least {LEAST} are needed: results/{name}.json is left as it is")
    print(what)
    for side, median in medians.items():
        rate = f"{unit[0] / median[clock]:12.1f} {unit[1]}/s" if unit else ""
        times = ", ".join(f"{_spoken(median[kind])} {kind}" for kind in CLOCKS)
        print(f"  {side:28s}{times:30s}{rate}")
    return pronounced(result, GOALS.get(name, {}) if goals is None else goals)


def pronounced(result, goals):
    """Print every ratio of a result with its goal; returns 1 if one was missed, else 0."""
    verdicts = list(judged(result, goals))
    for side, of_turns, goal in verdicts:
        print(f"  against {side}: {_spoken_ratio(of_turns, goal)}")
    for side, (most, why) in bounds(result).items():
        print(f"  against {side}, at most {most:.2f}x: {why}")
    return int(any(of_turns and goal and of_turns["median"] < goal for _, of_turns, goal in verdicts))


def _spoken_ratio(of_turns, goal):
    """A ratio with its quartiles, and its goal."""
    asked = "" if goal is None else f", goal {goal:.3g}x"
    if of_turns is None:
        return f"not measured{asked}"
    low, high = of_turns["quartiles"]
    verdict = "" if goal is None else " reached" if of_turns["median"] >= goal else " MISSED"
    return f"{of_turns['median']:.2f}x as fast ({low:.2f}-{high:.2f}){asked}{verdict}"


def _spoken(seconds):
    """A time with its unit."""
    return f"{1e6 * seconds:8.1f} us" if seconds < 1e-3 else f"{1e3 * seconds:8.1f} ms"
