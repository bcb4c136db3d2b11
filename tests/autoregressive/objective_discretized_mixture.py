"""The objective of the experiment autoregressive/discretized_mixture, by functions with contracts."""

import torch

from practice_torch.autoregressive.discretized_mixture import discretized_logistic_mixture_log_prob
from tests.support.objectives import Objective


def logistic_pixels(e, batch, phase):
    """Of every pixel the sum over components of the weight and the product over colors, each by its own mixture of one."""
    codes, levels = (batch["image"] * (e.recipe.num_levels - 1)).round().long(), e.recipe.num_levels
    logits, means, log_scales = e.network(codes, batch["label"] if e.classes else None)
    joint = torch.ones_like(logits)
    for color, (mean, log_scale) in enumerate(zip(means.unbind(1), log_scales.unbind(1), strict=True)):
        x = (2 * codes[:, color] / (levels - 1) - 1).to(mean.dtype).flatten(1)
        for k in range(logits.shape[-1]):
            law = [part[..., k].flatten(1)[..., None] for part in (torch.zeros_like(mean), mean, log_scale)]
            cell = discretized_logistic_mixture_log_prob(x, *law, num_levels=levels).exp().view(mean.shape[:-1])
            joint = joint * torch.where(torch.arange(logits.shape[-1]) == k, cell[..., None], 1.0)
    return -(logits.softmax(-1) * joint).sum(-1).log().sum() / codes.numel()


OBJECTIVE = Objective(logistic_pixels)
