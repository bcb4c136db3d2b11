"""Mistakes planted into the networks of flows/masked_autoregressive, each with the quantity in which a check finds it."""

from torch import nn

from practice_torch.flows import masked_autoregressive
from tests.support.planted_networks import BEGINS, not_bounded, put


def entries_see_themselves(patch):
    """>= where the output layer has >."""
    plain = masked_autoregressive.degrees_to_mask
    patch.setattr(masked_autoregressive, "degrees_to_mask", lambda below, above, *, strict: plain(below, above, strict=False))


def inverse_in_forward_order(patch):
    """The networks of the way to the noise, in the order of that way."""

    def in_forward_order(self, z):
        total = 0.0
        for network in self.networks:
            z, log_det = self._restored(network, z.flip(1))
            total = total + log_det
        return z, total

    patch.setattr(masked_autoregressive.MAF, "inverse", in_forward_order)


MISTAKES = {
    "MAF": {
        "an entry sees itself": (entries_see_themselves, "output"),
        "log-scales without a bound": (put(masked_autoregressive, "bounded_log_scale", not_bounded), "output"),
        "the inverse in forward order": (inverse_in_forward_order, "the inverse undoes it"),
        "the last layers as torch has them": (put(nn.init, "zeros_", lambda tensor: tensor), BEGINS),
    }
}
