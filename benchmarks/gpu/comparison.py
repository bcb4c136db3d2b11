"""One training, in the engine and in loops by hand: what each takes of the card's memory when alone, then time in turns."""

import dataclasses
import itertools
import statistics
import time

import torch

from benchmarks.measuring.alternation import alternate
from benchmarks.measuring.turns import conclude

FEW = 3  # steps to warm up before memory is counted, and steps while it is
BLOCK = 10  # steps of a turn


def compare(
    card, name, what, asked, recipe, build, data, loops, *, steps, amount, unit, operations, goals, memory_goals=(), **more
):
    """Print the table, write results/gpu_<name>.json, return the exit code.

    asked: (topic, recipe's name). build(): a fresh experiment. loops: side -> a function that makes a fresh generator, which
    yields after each step. amount: what a step is made of, in `unit`. operations: of a step. goals, memory_goals: side -> least
    ratio of its time to the engine's, and largest of the engine's allocated memory to its.
    """
    began = time.perf_counter()
    block, steps = (2, 14) if card.smoke else (BLOCK, steps)

    def in_engine(steps, block, others):
        shorter = dataclasses.replace(recipe, steps=steps)
        return alternate(*asked, shorter, build(), (data, data), others, block=block, cpu=card.smoke)

    def alone(loop):
        def work(start):
            for number, _ in enumerate(itertools.islice(loop(), 2 * FEW), start=1):
                if number == FEW:
                    start()

        return card.peak(work)

    memory = {"engine": card.peak(lambda start: in_engine(2 * FEW, FEW, {"": _whenever_asked(start)}))}
    memory |= {side: alone(loop) for side, loop in loops.items()}
    torch.compiler.reset()
    seconds = in_engine(steps, block, {side: loop() for side, loop in loops.items()})
    torch.compiler.reset()
    medians = {side: statistics.median(kinds["wall"]) / block for side, kinds in seconds.items()}
    used = {side: card.utilization(operations, median) for side, median in medians.items()}
    code = conclude(
        f"gpu_{name}", what, seconds, ours="engine", goals={} if card.smoke else goals, began=began, unit=(block * amount, unit),
        clock="wall", device=card.device, keep=not card.smoke, steps_of_a_turn=block, operations_of_a_step=operations,
        utilization=used, memory=memory, memory_goals=dict(memory_goals), machine=card.facts(), **more,
    )  # fmt: skip
    return code | print_costs(card, used, memory, "engine", memory_goals)


def print_costs(card, used, memory, ours, memory_goals=()):
    """Utilization and memory by side; returns 1 if a goal of memory is missed."""
    missed = 0
    for side, share in used.items():
        line = f"  {side:28s}{share['of_measured_product']:.3f} of the product's rate"
        if share["of_data_sheet"] is not None:
            line += f", {share['of_data_sheet']:.3f} of the data sheet's"
        if memory[side] is not None:
            line += ", " + ", ".join(f"{size / 1e9:.2f} GB {kind}" for kind, size in memory[side].items())
            if side in memory_goals:
                share = memory[ours]["allocated"] / memory[side]["allocated"]
                reached = share <= memory_goals[side]
                line += f"; {ours} takes {share:.2f} of it, goal {memory_goals[side]} {'reached' if reached else 'MISSED'}"
                missed |= not reached
        print(line)
    return int(missed)


def _whenever_asked(start):
    while True:
        start()
        yield
