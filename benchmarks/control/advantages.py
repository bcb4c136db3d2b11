"""Generalized advantages of 64 rows of 2048 steps, and of 256 of 128: summed in place by halves, against a loop over the steps.

    python -m benchmarks.control.advantages [--repeats 15]

The second size is a usual rollout of PPO. Its arrays fit the cache, and calls of torch's functions bound both sides: ours makes
92, of which 58 are slices, the loop 1,794. Were each as long, the ratio would be 19.5, just below the goal of 20.

The loop is the one of CleanRL's ppo.py: a step at a time, over tensors with time as first axis. torchrl, if it is installed,
has a vectorized form. All sides get float32 in their own layout (ends are truth values for ours and torchrl), episodes that end
in one step of a hundred, and one thread; the results agree.
Results: benchmarks/results/advantages.json and advantages_256_x_128.json.
"""

import argparse
import importlib.util
import sys
import time
from functools import partial
from importlib.metadata import version

import torch

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.reinforcement.returns import generalized_advantages

SIZES = {"advantages": (64, 2048), "advantages_256_x_128": (256, 128)}  # result -> rows, steps
CALLS = 10
DISCOUNT, TRACE_DECAY = 0.99, 0.95


def cleanrl(rewards, values, terminals):
    """Advantages [T, N] of rewards [T, N], values [T+1, N] and terminals [T, N], in CleanRL's order of operations."""
    advantages, last = torch.zeros_like(rewards), 0
    for t in reversed(range(len(rewards))):
        going_on = 1.0 - terminals[t]
        delta = rewards[t] + DISCOUNT * values[t + 1] * going_on - values[t]
        advantages[t] = last = delta + DISCOUNT * TRACE_DECAY * going_on * last
    return advantages


def sides(rows, steps):
    """{side: a call that returns advantages [N, T]}."""
    generator = torch.Generator().manual_seed(0)
    rewards, values = torch.randn(rows, steps, generator=generator), torch.randn(rows, steps + 1, generator=generator)
    terminals = torch.rand(rows, steps, generator=generator) < 0.01
    by_time = [part.float().T.contiguous() for part in (rewards, values, terminals)]
    found = {
        "ours": lambda: generalized_advantages(rewards, values, terminals, discount=DISCOUNT, trace_decay=TRACE_DECAY),
        "CleanRL's loop": lambda: cleanrl(*by_time).T,
    }
    if importlib.util.find_spec("torchrl"):
        from torchrl.objectives.value.functional import vec_generalized_advantage_estimate

        here, after, paid, ended = (part.unsqueeze(-1) for part in (values[:, :-1], values[:, 1:], rewards, terminals))
        found["torchrl"] = lambda: vec_generalized_advantage_estimate(DISCOUNT, TRACE_DECAY, here, after, paid, ended, ended)[
            0
        ].squeeze(-1)
    return found


def _several(call):
    for _ in range(CALLS):
        call()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    return max(compare(name, rows, steps, arguments.repeats) for name, (rows, steps) in SIZES.items())


def compare(name, rows, steps, repeats):
    """Print and write one size; returns the exit code."""
    began, calls = time.perf_counter(), sides(rows, steps)
    with torch.no_grad():
        for side, call in calls.items():
            torch.testing.assert_close(call(), calls["ours"](), rtol=1e-5, atol=1e-4, msg=f"{side} has other advantages")
        seconds = in_turns({side: partial(_several, call) for side, call in calls.items()}, repeats=repeats)
    return conclude(
        name,
        f"generalized advantages of {rows} rows of {steps} steps, {CALLS} calls",
        seconds,
        ours="ours",
        began=began,
        unit=(CALLS * rows * steps, "steps"),
        peers={side: version(side) for side in calls if side == "torchrl"},
    )


if __name__ == "__main__":
    sys.exit(main())
