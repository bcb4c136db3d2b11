"""On one GPU, the engine against bare compiled loops and its peers, and what a user waits for, in the order of an hour on a card.

    python -m benchmarks.gpu [SUBJECT ...] [--minutes M] [--weights FOLDER --inception FILE] [--data FOLDER]
        [--steps 200] [--repeats 7] [--smoke]

First the machine itself: the rate of its bfloat16 matrix product, of copying, and of copying from the host. Then the subjects
that are named, or all, in this order: the FID of the published DDPM of CIFAR-10, where its weights and Inception's are given
(imported); training steps of a GPT (language) and of the CIFAR-10 U-Net (diffusion), the FID of 50,000
images (inception), a DCGAN from its first step to its last (whole_run), the step of a DCGAN (adversarial), DDIM (sampling), and
the GPT and the U-Net on data that worker processes stream from the disk (streaming); each module documents its own. At the end a
table. Every side is first run alone, for its peak of memory, and then in turns with the others, for its time
(measuring/alternation.py). Wall time decides: on a GPU, CPU time is that of the waiting process. Utilization counts the
operations of the networks' matrix products and convolutions, no other, over the measured and the data-sheet rate.
Compiling takes minutes. Each result is written as soon as it is known, to benchmarks/results/gpu_<device>_<subject>.json: an hour
that is cut off leaves what was measured. --minutes: no subject begins after so many. A subject that fails does not keep the
others from running; the exit code is then 1, as where a goal is missed. --data: a prepared folder of CelebA for whole_run.
--smoke: everything at toy size, on the CPU where there is no GPU, to see that all of it runs; nothing is kept.
"""

import argparse
import importlib
import sys
import time
import traceback

import torch
from rich.console import Console

from benchmarks.gpu.card import Card
from benchmarks.gpu.comparison import keep, table

SUBJECTS = ("imported", "language", "diffusion", "inception", "whole_run", "adversarial", "sampling", "streaming")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subjects", nargs="*", metavar="subject", help=f"one or more of {', '.join(SUBJECTS)}; all if left out")
    parser.add_argument("--steps", type=int, default=200, help="training steps of each side (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="turns of sampling (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no subject begins after so many (default: no limit)")
    parser.add_argument("--weights", metavar="FOLDER", help="ddpm-cifar10-32, for imported (default: not measured)")
    parser.add_argument(
        "--inception", metavar="FILE", help="Inception's weights, for imported, as evaluate --inception takes them"
    )
    parser.add_argument("--data", metavar="FOLDER", help="a prepared folder of CelebA for whole_run (default: made-up pictures)")
    parser.add_argument("--smoke", action="store_true", help="toy sizes, to see that everything runs")
    arguments, began = parser.parse_args(), time.perf_counter()
    if unknown := set(arguments.subjects) - set(SUBJECTS):
        parser.error(f"{', '.join(sorted(unknown))}: the subjects are {', '.join(SUBJECTS)}")
    if not arguments.minutes > 0:
        parser.error(f"--minutes is {arguments.minutes:g}; it must be more than 0")
    if not arguments.smoke and not torch.cuda.is_available():
        print("error: torch finds no GPU; --smoke runs everything at toy size on the CPU", file=sys.stderr)
        return 2
    card = Card(arguments.smoke)
    keep(card, "card", "rates of matrix products and of copying", began)
    print(card.words(), flush=True)
    code = run(card, [name for name in SUBJECTS if name in (arguments.subjects or SUBJECTS)], arguments, began)
    Console(width=None if sys.stdout.isatty() else 130).print(table(card))
    return code


def run(card, subjects, arguments, began):
    """The subjects one after another while there is time. Returns the exit code."""
    code = 0
    for number, subject in enumerate(subjects):
        if time.perf_counter() - began >= 60 * arguments.minutes:
            print(f"{arguments.minutes:g} minutes are over: {', '.join(subjects[number:])} not measured", flush=True)
            break
        print(f"== {subject}", flush=True)
        try:
            code |= measured(card, subject, arguments)
        except Exception:
            traceback.print_exc()
            print(f"error: {subject} failed", file=sys.stderr, flush=True)
            code = 1
    return code


def measured(card, subject, arguments):
    """The exit code of a subject, in which its options are its own."""
    measure = importlib.import_module(f"benchmarks.gpu.{subject}").measure
    match subject:
        case "imported":
            return measure(card, arguments.weights, arguments.inception)
        case "inception":
            return measure(card)
        case "whole_run":
            return measure(card, arguments.data)
        case "sampling":
            return measure(card, arguments.repeats)
    return measure(card, arguments.steps)


if __name__ == "__main__":
    sys.exit(main())
