"""As adversarial/dcgan; the norms of the normalized layers by singular values."""

import torch

from tests.adversarial import metrics_dcgan
from tests.adversarial.metrics_dcgan import COUNT, FIELDS, FLOAT32, NAMES, logs, preview  # noqa: F401


def evaluate(e, data):
    found = metrics_dcgan.evaluate(e, data)
    norms = []
    for layer in e.discriminator.modules():
        if hasattr(layer, "u"):
            rows = layer.weight.flatten(1).double()
            used = rows / (layer.u.double() @ rows).norm()  # one step of power iteration from u
            norms.append(float(torch.linalg.svdvals(used)[0]))
    return found | {"norm_error": max(abs(norm - 1) for norm in norms)}
