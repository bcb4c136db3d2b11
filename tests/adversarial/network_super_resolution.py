"""Mistakes planted into the network of adversarial/super_resolution, each with the quantity in which a check finds it."""

from practice_torch.adversarial import super_resolution as practice
from tests.support.planted_networks import OTHERS, mean_of_the_batch, put, without_residual

RIGHT = practice.pixel_shuffle


def _exchanged(x, *, factor):
    return RIGHT(x, factor=factor).transpose(2, 3).reshape(len(x), -1, factor * x.shape[2], factor * x.shape[3])


MISTAKES = {
    "ResidualUpsampler": {
        "no residual": (without_residual(practice._Residual), "output"),
        "plain rectifiers": (put(practice, "leaky_relu", lambda x, slope: x.relu()), "output"),
        "rows exchanged with columns": (put(practice, "pixel_shuffle", _exchanged), "output"),
        "the batch mixes": (mean_of_the_batch(practice.ResidualUpsampler), OTHERS),
    }
}
