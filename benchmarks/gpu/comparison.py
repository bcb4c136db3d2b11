"""One training, in the engine and in loops by hand: peak memory of each alone, then times in alternation."""

import dataclasses
import itertools
import json
import statistics
import time

import torch
from rich.box import SIMPLE
from rich.table import Column, Table

from benchmarks.measuring.alternation import WARM_UP, alternate
from benchmarks.measuring.turns import RESULTS, conclude
from practice_torch.engine.costs.environment import environment

FEW = 3  # steps to warm up before memory is counted, and steps while it is
BLOCK = 10  # steps of a turn


def compare(
    card, name, what, asked, recipe, build, data, loops, *, steps, amount, unit, operations, goals, memory_goals=(), **more
):
    """Print the comparison, write results/gpu_<device>_<name>.json, return the exit code.

    asked: (topic, recipe's name). build(): a fresh experiment. data: training and held-out data. loops: side -> a
    function that makes a fresh generator, which yields after each step. amount: what a step is made of, in `unit`. operations:
    of a step. goals, memory_goals: side -> least ratio of its time to the engine's, and largest of the engine's allocated
    memory to its.
    """
    began = time.perf_counter()
    few, warm_up, block, steps = (1, 0, 1, 3) if card.toy else (FEW, WARM_UP, BLOCK, steps)

    def in_engine(steps, block, others):
        shorter = dataclasses.replace(recipe, steps=steps)
        return alternate(*asked, shorter, build(), data, others, block=block, cpu=not card.on_gpu, warm_up=warm_up)

    def alone(loop):
        def work(start):
            for number, _ in enumerate(itertools.islice(loop(), 2 * few), start=1):
                if number == few:
                    start()

        return card.peak(work)

    memory = {"engine": card.peak(lambda start: in_engine(2 * few, few, {"": _whenever_asked(start)}))}
    memory |= {side: alone(loop) for side, loop in loops.items()}
    torch.compiler.reset()
    seconds = in_engine(steps, block, {side: loop() for side, loop in loops.items()})
    torch.compiler.reset()
    medians = {side: statistics.median(kinds["wall"]) / block for side, kinds in seconds.items()}
    used = {side: card.utilization(operations, median) for side, median in medians.items()}
    code = conclude(
        card.file(name),
        what,
        seconds,
        ours="engine",
        goals={} if card.toy else goals,
        began=began,
        unit=(block * amount, unit),
        clock="wall",
        device=card.device,
        keep=not card.toy,
        steps_of_a_turn=block,
        operations_of_a_step=operations,
        utilization=used,
        memory=memory,
        memory_goals=dict(memory_goals),
        machine=card.facts(),
        **more,
    )
    rates = {side: f"{amount / median:,.0f} {unit}/s" for side, median in medians.items()}
    return code | judge(card, name, rates, used, memory, "engine", () if card.toy else memory_goals)


def judge(card, name, rates, used, memory, ours, memory_goals=()):
    """Keep a row of the table for each side; returns 1 if a goal of memory is missed."""
    missed = 0
    for side, rate in rates.items():
        shares = ["" if share is None else f"{share:.1%}" for share in used[side].values()]
        sizes = [f"{size / 1e9:.2f} GB" for size in (memory[side] or {}).values()] or ["", ""]
        card.rows.append((name, side, rate, *shares, *sizes))
        if side in memory_goals and memory[side]:
            share = memory[ours]["allocated"] / memory[side]["allocated"]
            reached = share <= memory_goals[side]
            print(f"  {ours} takes {share:.2f} of the memory of {side}, goal {memory_goals[side]} {said(reached)}")
            missed |= not reached
    return int(missed)


def keep(card, name, what, began, **facts):
    """Write results/gpu_<device>_<name>.json of what is no comparison in turns; nothing of a toy."""
    if not card.toy:
        known = environment(card.device, time.perf_counter() - began)
        result = {"what": what, **facts, "machine": card.facts(), "environment": known}
        (RESULTS / f"{card.file(name)}.json").write_text(json.dumps(result, indent=1) + "\n")


def said(reached):
    return "reached" if reached else "MISSED"


def table(card):
    """Everything that was measured in this call."""
    columns = ("rate", "of the measured product", "of the data sheet", "allocated", "reserved")
    right = [Column(name, justify="right") for name in columns]
    made = Table("subject", "side", *right, box=SIMPLE, title=card.words(), title_justify="left")
    for number, row in enumerate(card.rows):
        repeated = number > 0 and card.rows[number - 1][0] == row[0]
        made.add_row("" if repeated else row[0], *row[1:])
    return made


def _whenever_asked(start):
    while True:
        start()
        yield
