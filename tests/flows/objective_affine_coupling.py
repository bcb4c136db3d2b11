"""The objective of the experiment flows/affine_coupling, by functions with contracts."""

from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.dequantization import bits_per_dimension, logit_forward, uniform_dequantize
from tests.support.data.spectra import SIZES
from tests.support.objectives import Objective, uniform


def flow(e, batch, phase, base=standard_normal_log_prob):
    """-log p of points in nats; of pixels the bits of their integers, with noise."""
    if "point" in batch:
        z, log_det = e.network(batch["point"])
        return -(base(z) + log_det).mean()
    image, levels = batch["image"], e.recipe.num_levels
    y = uniform_dequantize((image * (levels - 1)).round().long(), uniform(e, *image.shape), num_levels=levels)
    seen, of_logits = logit_forward(y.flatten(1), alpha=e.recipe.alpha) if e.recipe.alpha else (y.flatten(1) - 0.5, 0.0)
    z, log_det = e.network(seen)
    return bits_per_dimension(base(z) + log_det + of_logits, dim=image[0].numel(), num_levels=levels).mean()


OBJECTIVE = Objective(flow, unread={"points", "noises"}, sizes=dict(residual_blocks=2) | SIZES)
