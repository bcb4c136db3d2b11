"""Masked autoregressive flows: ours against zuko's.

    python -m benchmarks.density.masked_autoregressive [--repeats 15]

32 numbers an example, 1024 examples, eight layers with masked networks of two hidden layers of 64; float32, one thread. The
tasks are those of benchmarks.density.affine_coupling. Samples need one entry after the other: zuko computes every unit for each
entry, ours each unit once. Both networks must have the same number of parameters. zuko bounds its log-scales in another way, so
the densities differ; tests/flows/test_masked_autoregressive.py compares them layer by layer. Without zuko (`pip install zuko`)
only our side runs, with a warning.
Results: benchmarks/results/masked_autoregressive_*.json.
"""

import sys

from benchmarks.density.affine_coupling import DIMENSIONS, HIDDEN, LAYERS, compare, with_normal_base
from practice_torch.flows.masked_autoregressive import MAF


def ours():
    """(module, x -> log-density, number -> samples)."""
    return with_normal_base(MAF(dim=DIMENSIONS, layers=LAYERS, hidden=HIDDEN, bound=2.0))


def zuko():
    """The same of zuko."""
    from zuko.flows import MAF

    flow = MAF(DIMENSIONS, transforms=LAYERS, hidden_features=HIDDEN)
    return flow, lambda x: flow().log_prob(x), lambda count: flow().sample((count,))


if __name__ == "__main__":
    sys.exit(compare("masked_autoregressive", "Masked autoregressive flow", __doc__, ours, {"zuko": zuko}))
