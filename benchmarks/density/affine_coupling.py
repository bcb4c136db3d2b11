"""Real NVP: ours against the flows of zuko and normflows.

    python -m benchmarks.density.affine_coupling [--repeats 15]

32 numbers an example, 1024 examples, eight layers with perceptrons of two hidden layers of 64; float32, one thread. Three
tasks: log-densities without gradients, a step of training (density, gradients, Adam), and samples. All three libraries hand half
of an example to a layer's perceptron, which has a log-scale and a shift for each of the others; they must have the same number
of parameters. They bend the log-scale each in their own way (ours by tanh, zuko by x / (1 + |x|), normflows not at all), so their
densities are not equal; layer by layer they are compared in tests/flows/test_affine_coupling.py. Without
zuko or normflows (`pip install zuko normflows`) the others are timed, with a message.
Results: benchmarks/results/affine_coupling_*.json.
"""

import argparse
import importlib.util
import sys
import time
from importlib.metadata import version

import torch

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.flows.affine_coupling import RealNVP
from practice_torch.flows.change_of_variables import standard_normal_log_prob

DIMENSIONS, LAYERS, HIDDEN, BATCH, CALLS = 32, 8, (64, 64), 1024, 5


def with_normal_base(network):
    """(module, x -> log-density, number -> samples) of one of our flows."""

    def log_prob(x):
        z, log_det = network(x)
        return standard_normal_log_prob(z) + log_det

    return network, log_prob, lambda count: network.inverse(torch.randn(count, DIMENSIONS))[0]


def ours():
    """The flow of this project."""
    return with_normal_base(RealNVP(shape=(DIMENSIONS,), layers=LAYERS, hidden=HIDDEN, bound=2.0))


def zuko():
    """The same of zuko."""
    from zuko.flows import RealNVP

    flow = RealNVP(DIMENSIONS, transforms=LAYERS, hidden_features=HIDDEN)
    return flow, lambda x: flow().log_prob(x), lambda count: flow().sample((count,))


def normflows():
    """The same of normflows."""
    from normflows import NormalizingFlow
    from normflows.distributions import DiagGaussian
    from normflows.flows import AffineCouplingBlock, Permute
    from normflows.nets import MLP

    half = DIMENSIONS // 2
    layers = [
        layer
        for _ in range(LAYERS)
        for layer in (AffineCouplingBlock(MLP([half, *HIDDEN, DIMENSIONS], init_zeros=True)), Permute(DIMENSIONS, mode="swap"))
    ]
    flow = NormalizingFlow(DiagGaussian(DIMENSIONS, trainable=False), layers)
    return flow, flow.log_prob, lambda count: flow.sample(count)[0]


def tasks(side):
    """{task: call}, each CALLS times the work."""
    torch.manual_seed(0)
    network, log_prob, sample = side
    optimizer, x = torch.optim.Adam(network.parameters(), lr=1e-4), torch.randn(BATCH, DIMENSIONS)

    def density():
        with torch.no_grad():
            for _ in range(CALLS):
                log_prob(x)

    def training():
        for _ in range(CALLS):
            optimizer.zero_grad()
            log_prob(x).mean().neg().backward()
            optimizer.step()

    def samples():
        with torch.no_grad():
            for _ in range(CALLS):
                sample(BATCH)

    return {"density": density, "training": training, "samples": samples}


def compare(name, title, description, ours, peers):
    """All tasks of our flow and its peers, in turns; the exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, sides = time.perf_counter(), {"ours": ours()}
    for library, peer in peers.items():
        if importlib.util.find_spec(library) is None:
            print(f"{library} is not installed: it is left out, and the results stay as they are")
        else:
            sides[library] = peer()
    sizes = {side: sum(parameter.numel() for parameter in flow[0].parameters()) for side, flow in sides.items()}
    if len(set(sizes.values())) > 1:
        raise SystemExit(f"the networks differ in size: {sizes}")
    calls, missed = {side: tasks(flow) for side, flow in sides.items()}, 0
    for task in calls["ours"]:
        missed |= conclude(
            f"{name}_{task}",
            f"{title}, {task}: {CALLS} times {BATCH} examples of {DIMENSIONS} numbers",
            in_turns({side: of[task] for side, of in calls.items()}, repeats=arguments.repeats),
            ours="ours",
            began=began,
            unit=(CALLS, "batches"),
            keep=len(sides) == 1 + len(peers),
            shape={"layers": LAYERS, "hidden": HIDDEN, "parameters": sizes["ours"]},
            peers={side: version(side) for side in sides if side != "ours"},
        )
    return missed


if __name__ == "__main__":
    sys.exit(compare("affine_coupling", "Real NVP", __doc__, ours, {"zuko": zuko, "normflows": normflows}))
