"""A thousand kills: does every killed and resumed run end in the bytes of an uninterrupted run?

    python -m benchmarks.training.resume [--kills 1000] [--processes 1] [--seed 1]

Two toys with every kind of state (tests/support/engine/toys.py), each killed half as many times at random moments, and
resumed from every state that a kill inside a save would leave. Result: benchmarks/results/resume.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.measuring.turns import RESULTS
from practice_torch.engine.costs.environment import environment

RESULT = RESULTS / "resume.json"


def main():
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.kills < 2:
        parser.error(f"--kills is {asked.kills}; it must be at least 2")
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        words = [folder, "--random", str(asked.kills // 2), "--seed", str(asked.seed), "--processes", str(asked.processes)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.engine.kills", *words, *(["--save-points"] if asked.processes == 1 else [])],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[2],
        )
    answer = json.loads(done.stdout) | environment(torch.device("cpu"), time.perf_counter() - begun, asked.processes)
    RESULT.write_text(json.dumps(answer, indent=1) + "\n")
    different = answer["different"] or "none"
    print(f"{answer['kills']} kills, {answer['killed_while_alive']} found the run alive; different: {different}")
    print(f"{answer['states']} states at save points")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
