"""The contracts under every instruction set that this processor has, and on one thread and two: `make test-processors`.

Libraries choose their kernels by the processor, and each set of instructions rounds differently. A sound program must be
accepted under all sets: no error of a wing or of another right form may exceed 0.75 of its tolerance. Planted mistakes and near
misses must be refused under all sets.

    python -m tests.support.processors [TOPIC ...] [--sound]     prints a line for each setting; --sound leaves the mistakes out
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from shared_specs.syllabus import load

LARGEST = 0.75
# Of torch, its convolutions and its products of matrices, NumPy's products of matrices, and XLA. Checks run XLA with AVX (see
# shared_specs/backends/jax_settings.py), whatever the processor has.
LOWEST = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Prescott",
    "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
}
SETS = {
    "default": LOWEST,
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2", "OPENBLAS_CORETYPE": "Haswell"},
    "avx512": {"ATEN_CPU_CAPABILITY": "avx512"},
}


def settings() -> dict[str, dict[str, str]]:
    """{name: environment variables}: every set that the processor has on one thread, and its own on two threads."""
    import torch

    own = torch.backends.cpu.get_cpu_capability().lower()
    sets = list(SETS)[: list(SETS).index(own) + 1] if own in SETS else []  # another architecture has its own set alone
    one, two = {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}
    return (
        {f"{name}, 1 thread": SETS[name] | one for name in sets}
        | ({} if sets else {f"{own}, 1 thread": one})
        | {f"{own}, 2 threads": two}
    )


def comparisons(topics: list[str], environment: dict[str, str], *, sound: bool = False, processes: int = 1) -> list[dict]:
    """Results of `seen` for the topics in processes with these environment variables."""

    def of(share):
        command = [sys.executable, "-m", "tests.support.processors", "--here", *(["--sound"] if sound else []), *share]
        lines = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        return [json.loads(line) for line in lines.splitlines()]

    with ThreadPoolExecutor(processes) as pool:
        shares = [topics[i::processes] for i in range(min(processes, len(topics)))]
        return [found for share in pool.map(of, shares) for found in share]


def seen(topic: str, *, sound: bool) -> Iterator[dict]:
    """Every comparison of a topic with a measured tolerance: kind (wing, form, mistake), compared quantity, and ratio.

    The ratio of a mistake is the largest of the row that refuses it, 0 if none does; that of near misses that are accepted is
    infinite, as is that of a comparison that fails without a measured tolerance.
    """
    from shared_specs.checking.check import Checker, forget, rows_to_compile, spec_of
    from shared_specs.checking.measuring import PRECISIONS
    from shared_specs.checking.reference import wing
    from shared_specs.checking.trial import RowFault
    from shared_specs.rows import Law
    from tests.specs.test_mistakes import refusals, results_of_form
    from tests.support.mistakes import planted

    forget()
    without = {row.case for row in spec_of(topic) if isinstance(row, Law) and row.relation != "equal"}

    def measured(result):
        of_law = result.word == "Law" and result.case in without
        return not of_law and result.quantity != "central differences" and not result.quantity.startswith("initial")

    def line(kind, what, ratio):
        return {"topic": topic, "kind": kind, "what": what, "ratio": ratio}

    def lines(kind, name, results):
        for r in results:
            if measured(r) or not r.passed:
                what = f"{name}: {r.function} {r.case!r}, {r.precision}, {r.quantity}"
                yield line(kind, what, float("inf") if r.ratio <= 1 and not r.passed else r.ratio)

    compiled = rows_to_compile(topic)
    for backend in ("torch", "jax"):
        for precision in PRECISIONS:
            try:
                results = Checker(topic, wing(backend, topic, precision), compiled=compiled).run(spec_of(topic))
            except RowFault as fault:
                yield line("wing", str(fault), float("inf"))
            else:
                yield from lines("wing", backend, results)
    for form in (form for path, form in planted("EQUIVALENT") if path == topic):
        for precision in PRECISIONS:
            yield from lines("form", form.name, results_of_form(topic, form, precision))
    for mistake in (mistake for path, mistake in planted("MISTAKES") if path == topic and not sound):
        ratio = max((r.ratio for r in refusals(topic, mistake)), default=0.0)
        yield line("mistake", f"{mistake.function}: {mistake.name}", ratio)


def summary(found: list[dict]) -> tuple[str, list[str]]:
    """A summary line, and the errors."""
    sound = sorted((each["ratio"], f"{each['topic']} {each['what']}") for each in found if each["kind"] != "mistake")
    mistakes = [each for each in found if each["kind"] == "mistake"]
    above = [sum(ratio > limit for ratio, _ in sound) for limit in (0.25, 0.5, LARGEST)]
    wrong = [f"{ratio:.3g} of its tolerance: {what}" for ratio, what in sound if not ratio <= LARGEST]
    wrong += [f"accepted: {each['topic']} {each['what']}" for each in mistakes if each["ratio"] <= 1]
    text = "{} sound comparisons, {} above 1/4, {} above 1/2, {} above 3/4; the largest {:.3g}, {}".format(
        len(sound), *above, *(sound[-1] if sound else (0.0, "none"))
    )
    if mistakes:
        close = sum(each["ratio"] < 16 for each in mistakes)
        text += f"; {len(mistakes)} mistakes, {sum(each['ratio'] > 1 for each in mistakes)} refused, {close} below 16"
    return text, wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.processors", description="Contracts on every processor.")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="family/topic; without any: every built topic")
    parser.add_argument("--sound", action="store_true", help="wings and right forms only, no planted mistakes")
    parser.add_argument("--here", action="store_true", help="print the comparisons of this process, as JSON lines")
    arguments = parser.parse_args()
    topics = arguments.topics or [topic.path for topic in load().built]
    if arguments.here:
        for topic in topics:
            for each in seen(topic, sound=arguments.sound):
                print(json.dumps(each), flush=True)
        return 0
    faults = 0
    for name, environment in settings().items():
        text, wrong = summary(comparisons(topics, environment, sound=arguments.sound, processes=os.cpu_count() or 1))
        print(f"{name}: {text}", *(f"    {each}" for each in wrong), sep="\n", flush=True)
        faults += len(wrong)
    return min(faults, 1)


if __name__ == "__main__":
    sys.exit(main())
