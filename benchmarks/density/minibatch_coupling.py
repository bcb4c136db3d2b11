"""Training steps of flow matching with pairs of exact optimal transport: ours against torchcfm.

    python -m benchmarks.density.minibatch_coupling [--repeats 15]

256 of 16384 points of the two moons at a time, a network of three layers of 128, Adam, float32, one thread. A step draws noise
and times, pairs noise with data, takes the loss and its gradient, and moves the network. Before anything is timed, both sides
must find the same pairs, and have the same loss and gradients for them. torchcfm draws pairs from the plan, with repetition; ours
takes each pair of the assignment once. Next to them, both with random pairs. Bound there: the network, its gradient from a given
one, and the optimizer alone, as if draws and loss cost nothing.
Without torchcfm (`pip install torchcfm`) only our side is timed, with a message. Result:
benchmarks/results/minibatch_coupling.json.
"""

import argparse
import importlib.util
import sys
import time
from importlib.metadata import version

import torch
from torch import nn

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.data.points import load
from practice_torch.flows.flow_matching import conditional_flow_matching_loss
from practice_torch.flows.minibatch_coupling import optimal_assignment, squared_distance_matrix

POINTS, BATCH, WIDTH, STEPS = 16384, 256, 128, 20


class Velocity(nn.Module):
    """v(x, t) in the plane."""

    def __init__(self):
        super().__init__()
        sizes = (3, WIDTH, WIDTH, WIDTH)
        layers = [part for pair in zip(sizes, sizes[1:], strict=False) for part in (nn.Linear(*pair), nn.SiLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(WIDTH, 2))

    def forward(self, x, time):
        return self.layers(torch.cat([x, time[:, None]], dim=1))


def ours(*, exact):
    def loss(network, x1):
        x0, time = torch.randn_like(x1), torch.rand(len(x1))
        if exact:
            x1 = x1[optimal_assignment(squared_distance_matrix(x0, x1))]
        return conditional_flow_matching_loss(x0, x1, time, network).mean() / 2

    return loss


def torchcfm(*, exact):
    from torchcfm import ConditionalFlowMatcher, ExactOptimalTransportConditionalFlowMatcher

    matcher = ExactOptimalTransportConditionalFlowMatcher(sigma=0.0) if exact else ConditionalFlowMatcher(sigma=0.0)

    def loss(network, x1):
        time, x_t, velocity = matcher.sample_location_and_conditional_flow(torch.randn_like(x1), x1)
        return (network(x_t, time) - velocity).square().mean()

    return loss


def training(loss, points):
    """STEPS steps, one call."""
    torch.manual_seed(0)
    network, drawn = Velocity(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def steps():
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss(network, points[torch.randint(len(points), (BATCH,), generator=drawn)]).backward()
            optimizer.step()

    return steps


def network_alone(points):
    """STEPS passes of the network, forth and back, and steps of its optimizer: no draws, no path, no loss."""
    network, time, cotangent = Velocity(), torch.rand(BATCH), torch.randn(BATCH, 2)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def steps():
        for _ in range(STEPS):
            optimizer.zero_grad()
            network(points[:BATCH], time).backward(cotangent)
            optimizer.step()

    return steps


def require_same(points):
    """The pairs, and the loss and its gradients from the same draws of random pairs."""
    from torchcfm.optimal_transport import OTPlanSampler

    network, x1, found = Velocity(), points[:BATCH], []
    for loss in (ours(exact=False), torchcfm(exact=False)):
        torch.manual_seed(1)
        value = loss(network, x1)
        found.append((value.detach(), *torch.autograd.grad(value, list(network.parameters()))))
    for got, wanted in zip(*found, strict=True):
        torch.testing.assert_close(got, wanted)
    x0 = torch.randn_like(x1)
    plan = torch.as_tensor(OTPlanSampler(method="exact").get_map(x0, x1))
    if not torch.equal(plan.argmax(1), optimal_assignment(squared_distance_matrix(x0, x1))):
        raise SystemExit("torchcfm finds other pairs")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, peer = time.perf_counter(), importlib.util.find_spec("torchcfm") is not None
    points = load("two_moons", count=POINTS)[0].batch()["point"]
    sides = {"ours": ours(exact=True), "ours, random pairs": ours(exact=False)}
    if peer:
        require_same(points)
        sides |= {"torchcfm": torchcfm(exact=True), "torchcfm, random pairs": torchcfm(exact=False)}
    else:
        print("torchcfm is not installed: it is left out, and results/minibatch_coupling.json stays as it is")
    calls = {side: training(loss, points) for side, loss in sides.items()} | {"network alone": network_alone(points)}
    return conclude(
        "minibatch_coupling",
        f"{STEPS} steps of flow matching on {BATCH} points of the moons, exact pairs",
        in_turns(calls, repeats=arguments.repeats),
        ours="ours",
        began=began,
        unit=(STEPS, "steps"),
        keep=peer,
        floors={"torchcfm, random pairs": ("network alone", "draws, path and loss would cost nothing")} if peer else None,
        shape={"batch": BATCH, "width": WIDTH},
        peers={name: version(name) for name in ("torchcfm", "pot") if peer},
    )


if __name__ == "__main__":
    sys.exit(main())
