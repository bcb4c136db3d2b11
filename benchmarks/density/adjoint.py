"""Gradients through a flow of many steps: the adjoint's memory and time, against backpropagation and torchdiffeq's adjoint.

    python -m benchmarks.density.adjoint [--repeats 7]

256 points of the plane, a perceptron with two hidden layers of 128 as velocity, the gradients in the points and in all
parameters, float32, one thread; steps of Runge-Kutta methods of order four, equally many for all sides. Memory (on Linux) is the
process's peak beyond what it held before, each side in its own processes: backpropagation stores every step, the adjoint none.
Time has no goal: the adjoint solves twice, and products by torch.func cost more than autograd's own in torchdiffeq. Before
anything is timed, all sides must give the same gradients. Result: benchmarks/results/adjoint.json.
"""

import argparse
import importlib.util
import sys
import time
from importlib.metadata import version

import torch
from torch import nn

from benchmarks.measuring.memory import peak
from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.flows.adjoint import adjoint_gradients
from practice_torch.flows.ode_solvers import solve_fixed
from practice_torch.networks.perceptron import perceptron

BATCH, HIDDEN, FEW, MANY = 256, 128, 16, 64
SHARE = 0.05  # of backpropagation's memory in many steps, at most


class Velocity(nn.Module):
    """A perceptron of place and time, called as torchdiffeq calls its fields."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = perceptron(3, HIDDEN, HIDDEN, 2, activation=nn.SiLU)

    def forward(self, time, x):
        return self.body(torch.cat([x, time.expand(len(x), 1)], dim=1))


def sides(steps):
    """{side: a call that returns the gradient in the points and in the parameters, in one vector}."""
    field, times = Velocity(), torch.linspace(0, 1, steps + 1)
    named = dict(field.named_parameters())
    sizes, flat = [part.numel() for part in named.values()], nn.utils.parameters_to_vector(named.values()).detach()
    x, cotangent = torch.randn(2, BATCH, 2, generator=torch.Generator().manual_seed(1))

    def velocity_fn(x, time, parameters):
        parts = zip(named.items(), parameters.split(sizes), strict=True)
        return torch.func.functional_call(field, {name: part.view(old.shape) for (name, old), part in parts}, (time, x))

    def ours():
        with torch.no_grad():
            return adjoint_gradients(x, cotangent, flat, times, velocity_fn)[1:]

    def through(solve):
        start = x.clone().requires_grad_()
        by_x, *others = torch.autograd.grad(solve(start), (start, *field.parameters()), cotangent)
        return by_x, nn.utils.parameters_to_vector(others)

    found = {"ours": ours, "backpropagation": lambda: through(lambda x: solve_fixed(x, times, lambda x, time: field(time, x)))}
    if importlib.util.find_spec("torchdiffeq"):
        from torchdiffeq import odeint_adjoint

        options = {"method": "rk4", "options": {"step_size": 1 / steps}, "adjoint_options": {"step_size": 1 / steps}}
        found["torchdiffeq, adjoint"] = lambda: through(lambda x: odeint_adjoint(field, x, times[[0, -1]], **options)[-1])
    return found


def side(name):
    """One side with a number of steps, for its own process."""
    torch.set_num_threads(1)
    side, _, steps = name.rpartition(", ")
    sides(1)[side]()  # torch loads parts of itself with the first call
    return sides(int(steps))[side]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, calls = time.perf_counter(), sides(MANY)
    wanted = calls["ours"]()
    for call in calls.values():
        for got, expected in zip(call(), wanted, strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-3)
    peer = "torchdiffeq, adjoint" in calls
    if not peer:
        print("torchdiffeq is not installed: it is left out, and results/adjoint.json stays as it is")
    extra = {side: {steps: peak("benchmarks.density.adjoint", f"{side}, {steps}") for steps in (FEW, MANY)} for side in calls}
    met = extra["ours"][MANY] <= SHARE * extra["backpropagation"][MANY]
    code = conclude(
        "adjoint",
        f"gradients through {MANY} steps of {BATCH} points",
        in_turns(calls, repeats=arguments.repeats),
        ours="ours",
        began=began,
        unit=(BATCH * MANY, "steps"),
        keep=peer,
        peers={"torchdiffeq": version("torchdiffeq")} if peer else {},
        extra_bytes=extra,
        extra_bytes_goal=f"{SHARE:.0%} of backpropagation's",
        extra_bytes_met=met,
    )
    for name, sizes in extra.items():
        print(f"  extra memory of {name}: " + ", ".join(f"{size / 1e6:.1f} MB in {steps} steps" for steps, size in sizes.items()))
    return code or int(not met)


if __name__ == "__main__":
    sys.exit(main())
