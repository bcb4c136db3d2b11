"""The log-density of 256 points of the plane under a continuous flow, with the exact trace, against zuko and torchdiffeq.

    python -m benchmarks.density.continuous_flow [--repeats 15]

Velocity: a perceptron with two hidden layers of 64, as zuko's own, float32, with weights that are far from the identity. Every
side must be within 1e-3 nats of the solution in float64 by 200 steps, which is checked first, with the cheapest settings of those
tried: fewest steps, largest power of ten as tolerance. zuko and torchdiffeq's dopri5 choose their steps (35 and 32 evaluations);
torchdiffeq's rk4 evaluates the velocity as often as ours does (24). In ours the slopes along both axes pass the network next to
the values, and place and density are one state. No gradient is computed; further rows have that of all parameters. Our compiled
JAX function does the same work by its general form. One thread. Result: benchmarks/results/continuous_flow.json.
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
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.continuous_flow import ContinuousFlow
from theory_jax.flows import continuous_flow as theory

POINTS, HIDDEN, STEPS, CLOSE = 256, (64, 64), 6, 1e-3
GAIN = 1.25  # of the weights: the log-densities differ from the base's by several nats, as after training
TOLERANCES = {"zuko": 1e-5, "torchdiffeq, dopri5": 1e-6}
PEERS = ("zuko", "torchdiffeq")
JAX_GOAL = 8.0  # zuko's time over that of the compiled JAX function


def made(steps=STEPS):
    torch.manual_seed(0)
    flow = ContinuousFlow(dim=2, hidden=HIDDEN, num_steps=steps)
    for layer in flow.velocity[::2]:
        torch.nn.init.normal_(layer.weight, std=GAIN / layer.in_features**0.5)
    return flow


def points():
    return 1.5 * torch.randn(POINTS, 2, generator=torch.Generator().manual_seed(1))


def sides(flow, x):
    """{side: a call that returns log-densities}."""

    def velocity(x, time):
        return flow.velocity(torch.cat([x, time.expand(len(x), 1)], 1))

    def ours():
        z, log_det = flow(x)
        return standard_normal_log_prob(z) + log_det

    return {"ours": ours} | (peers(flow.parameters(), velocity, x) if installed() else {})


def installed():
    """Whether both peers are there."""
    return all(importlib.util.find_spec(name) is not None for name in PEERS)


def peers(parameters, velocity, x):
    """Those of the other libraries."""
    from torchdiffeq import odeint
    from zuko.transforms import FreeFormJacobianTransform

    parameters = list(parameters)

    def zuko():
        tolerance = TOLERANCES["zuko"]
        # without parameters where no gradient is requested, as its own flow hands them over in evaluation
        phi = parameters if torch.is_grad_enabled() else ()
        peer = FreeFormJacobianTransform(lambda t, x: velocity(x, t), 1.0, 0.0, phi, atol=tolerance, rtol=tolerance)
        z, log_det = peer.call_and_ladj(x)
        return standard_normal_log_prob(z) + log_det

    def by_torchdiffeq(method, times, **tolerances):
        graph = torch.is_grad_enabled()

        def rates(t, state):
            with torch.enable_grad():
                x = state[0] if state[0].requires_grad else state[0].requires_grad_()
                found = velocity(x, t)
                trace = sum(
                    torch.autograd.grad(found[:, i].sum(), x, create_graph=graph, retain_graph=True)[0][:, i] for i in range(2)
                )
            return found, -trace

        z, delta = odeint(rates, (x.clone(), x.new_zeros(len(x))), times, method=method, **tolerances)
        return standard_normal_log_prob(z[-1]) - delta[-1]

    ends, tolerance = torch.tensor([1.0, 0.0]), TOLERANCES["torchdiffeq, dopri5"]
    return {
        "zuko": zuko,
        "torchdiffeq, rk4": lambda: by_torchdiffeq("rk4", torch.linspace(1, 0, STEPS + 1)),
        "torchdiffeq, dopri5": lambda: by_torchdiffeq("dopri5", ends, rtol=tolerance, atol=tolerance),
    }


def in_jax(flow, x):
    """The compiled function of the theory wing with the same weights."""
    layers = [(part.weight.detach().numpy().T, part.bias.detach().numpy()) for part in flow.velocity if hasattr(part, "weight")]

    def velocity(x, time):
        h = jnp.concatenate([x, jnp.broadcast_to(time, (len(x), 1)).astype(x.dtype)], axis=1)
        for weight, bias in layers[:-1]:
            h = jax.nn.silu(h @ weight + bias)
        return h @ layers[-1][0] + layers[-1][1]

    probes = np.sqrt(2, dtype=np.float32) * np.repeat(np.eye(2, dtype=np.float32)[:, None], POINTS, axis=1)
    times, given = np.linspace(1, 0, STEPS + 1, dtype=np.float32), x.numpy()
    compiled = jax.jit(lambda x: theory.log_prob(x, probes, times, velocity))
    return lambda: np.array(compiled(given))


def training(call, flow):
    """The gradient of all parameters, one call."""
    return lambda: torch.autograd.grad(call().mean(), list(flow.parameters()), allow_unused=True)


def errors(calls):
    """The largest error of each side, in nats; the exact values are those of 200 steps in float64."""
    exact = sides(made(200).double(), points().double())["ours"]().detach()
    found = {side: float((torch.as_tensor(call()).detach() - exact).abs().max()) for side, call in calls.items()}
    for side, error in found.items():
        if not error < CLOSE:
            raise SystemExit(f"{side} is off by {error:.1e} nats, more than {CLOSE:.0e}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, flow, peer, more = time.perf_counter(), made(), installed(), {}
    calls = sides(flow, points())
    trained = {side: training(call, flow) for side, call in calls.items()}
    with torch.no_grad():
        calls["ours in JAX"] = in_jax(flow, points())
        off = errors(calls)
        seconds = in_turns(calls, repeats=arguments.repeats)
    with_gradient = in_turns(trained, repeats=arguments.repeats)
    if peer:
        against = ratio(seconds, "zuko", "ours in JAX")
        more = {"jax_against_zuko": against, "jax_goal": JAX_GOAL, "jax_met": against["median"] >= JAX_GOAL}
    else:
        print("zuko or torchdiffeq is not installed: both are left out, and results/continuous_flow.json stays as it is")
    ratios = {side: {kind: ratio(with_gradient, side, "ours", kind) for kind in CLOCKS} for side in trained if side != "ours"}
    code = conclude(
        "continuous_flow",
        f"log-densities of {POINTS} points under a continuous flow",
        seconds,
        ours="ours",
        began=began,
        unit=(POINTS, "points"),
        keep=peer,
        errors_in_nats=off,
        steps=STEPS,
        peers={name: version(name) for name in PEERS if peer},
        tolerances=TOLERANCES,
        ratios_with_gradient=ratios,
        seconds_with_gradient=with_gradient,
        **more,
    )
    for side, of_clocks in ratios.items():
        print(f"  with the gradient of all parameters {side} takes {of_clocks['cpu']['median']:.2f}x as long as ours")
    if more:
        print(f"  zuko takes {against['median']:.1f}x as long as ours in JAX, goal {JAX_GOAL:.3g}x {_said(more['jax_met'])}")
    return code or int(not more.get("jax_met", True))


def _said(reached):
    return "reached" if reached else "MISSED"


if __name__ == "__main__":
    sys.exit(main())
