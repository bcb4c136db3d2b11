"""The selective scan of Mamba, forward and backward: ours against mambapy's parallel scan, a loop, and the theory wing in JAX.

    python -m benchmarks.sequences.scan [--repeats 7]

One sequence of 2048 tokens, 64 channels of 16 states, float32, one thread: outputs and the gradients of inputs, steps, B, C, A.
Before anything is timed, all sides must give the same outputs and gradients, relative to the largest entry of each. Without
mambapy (`pip install --no-deps mambapy`) the others are timed, with a message; mambapy's side is what its own Mamba block calls.
The theory wing's selective_scan is a compiled loop over tokens, which writes no states to memory. The same by associative
combination of all tokens does more work, and gains nothing from one core. Result:
benchmarks/results/scan.json, which needs mambapy.
"""

import argparse
import importlib.util
import os
import sys
import time
from importlib.metadata import version

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.measuring.turns import CLOCKS, conclude, in_turns, ratio
from practice_torch.state_space.selective import selective_scan, selective_step
from theory_jax.state_space import selective as theory
from theory_jax.state_space.parallel_scan import recurrence_parallel

LENGTHS = (128, 512, 2048)
BATCH, CHANNELS, STATES = 1, 64, 16
CLOSE = 1e-4  # float32, 2048 products in different orders


def arguments_of(steps):
    """Inputs, steps, B, C and A as a new Mamba block has them: steps from 0.001 to 0.1, A = -1, ..., -16."""
    generator = torch.Generator().manual_seed(0)
    u, noise = (torch.randn(BATCH, steps, CHANNELS, generator=generator) for _ in range(2))
    b, c = (torch.randn(BATCH, steps, STATES, generator=generator) for _ in range(2))
    step = 10 ** (noise.sigmoid() * 2 - 3)
    return u, step, b, c, -torch.arange(1.0, STATES + 1).repeat(CHANNELS, 1)


def ours(u, step, b, c, a):
    return selective_scan(u, step, b, c, u.new_zeros(BATCH, *a.shape), a, u.new_zeros(CHANNELS))[0]


def by_loop(u, step, b, c, a):
    state, skip, outputs = u.new_zeros(BATCH, *a.shape), u.new_zeros(CHANNELS), []
    for now in zip(u.unbind(1), step.unbind(1), b.unbind(1), c.unbind(1), strict=True):
        y, state = selective_step(*now, state, a, skip)
        outputs.append(y)
    return torch.stack(outputs, 1)


def by_mambapy(u, step, b, c, a):
    from mambapy.pscan import pscan

    states = pscan(torch.exp(step.unsqueeze(-1) * a), (step.unsqueeze(-1) * b.unsqueeze(2)) * u.unsqueeze(-1))
    return (states @ c.unsqueeze(-1)).squeeze(3)


def in_torch(scan, given, weights):
    given = [array.clone().requires_grad_() for array in given]

    def call():
        outputs = scan(*given)
        return outputs.detach(), *torch.autograd.grad(outputs, given, weights)

    return call


def in_jax(scan, given, weights):
    given, weights = [array.numpy() for array in given], weights.numpy()

    def loss(*given):
        outputs = scan(*given)
        return (outputs * weights).sum(), outputs

    compiled = jax.jit(jax.value_and_grad(loss, argnums=tuple(range(5)), has_aux=True))

    def call():
        (_, outputs), gradients = jax.block_until_ready(compiled(*given))
        return outputs, *gradients

    return call


def of_the_theory_wing(u, step, b, c, a):
    return theory.selective_scan(u, step, b, c, jnp.zeros((BATCH, *a.shape)), a, jnp.zeros(CHANNELS))[0]


def by_association(u, step, b, c, a):
    kept, added = (part.reshape(*u.shape[:2], -1) for part in theory.discretize_selective(u, step, b, a))
    states = recurrence_parallel(added, kept, jnp.zeros_like(added[:, 0])).reshape(*u.shape, STATES)
    return jnp.einsum("btdn,btn->btd", states, c)


def sides(steps, peers):
    given = arguments_of(steps)
    weights = torch.randn(given[0].shape, generator=torch.Generator().manual_seed(1))
    ways = {"ours": ours, "one step after another": by_loop} | peers
    forms = {"theory wing, a loop": of_the_theory_wing, "theory wing, associative": by_association}
    made = {name: in_torch(scan, given, weights) for name, scan in ways.items()}
    return made | {name: in_jax(form, given, weights) for name, form in forms.items()}


def require_same(made):
    """Outputs and gradients of every side, against ours."""
    wanted = made["ours"]()
    for name, call in made.items():
        for number, (got, want) in enumerate(zip(call(), wanted, strict=True)):
            off = float(abs(np.asarray(got) - want.numpy()).max() / want.abs().max())
            if off > CLOSE:
                raise SystemExit(f"{name}: result {number} is off by {off:.1e} of its largest entry, more than {CLOSE:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    found = importlib.util.find_spec("mambapy") is not None
    if not found:
        print("mambapy is not installed: it is left out, and results/scan.json stays as it is")
    by_length = {}
    for steps in LENGTHS:
        made = sides(steps, {"mambapy": by_mambapy} if found else {})
        require_same(made)
        by_length[steps] = in_turns(made, repeats=arguments.repeats)
    longest = LENGTHS[-1]
    ratios = {
        steps: {side: {kind: ratio(seconds, side, "ours", kind) for kind in CLOCKS} for side in seconds if side != "ours"}
        for steps, seconds in by_length.items()
    }
    code = conclude(
        "scan",
        f"a selective scan over {longest} tokens, forward and backward",
        by_length[longest],
        ours="ours",
        began=began,
        unit=(BATCH * longest, "tokens"),
        keep=found,
        shape={"batch": BATCH, "channels": CHANNELS, "states": STATES},
        mambapy=version("mambapy") if found else None,
        ratios_by_length=ratios,
        seconds_by_length=by_length,
    )
    for steps, of_sides in ratios.items():
        times = ", ".join(f"{side} {each['cpu']['median']:.1f}x as long" for side, each in of_sides.items())
        print(f"  {steps:5d} tokens: {times}")
    return code


if __name__ == "__main__":
    sys.exit(main())
