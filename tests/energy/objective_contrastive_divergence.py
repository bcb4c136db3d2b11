"""The objective of the experiment energy/contrastive_divergence, by functions with contracts."""

from practice_torch.energy.contrastive_divergence import chain, gradient
from tests.support.objectives import Objective, pixels, uniform


def short_chains(e, batch, phase):
    """A loss with the slope of contrastive divergence; the chains begin at the particles, or at the images."""
    x = pixels(e, batch)
    parameters = e.weight, e.visible_bias, e.hidden_bias
    weight, visible_bias, hidden_bias = (parameter.detach() for parameter in parameters)
    start = e.particles if e.recipe.particles else x
    up, down = (uniform(e, e.recipe.chain_steps, len(start), units) for units in weight.T.shape)
    ends = chain(start, up, down, weight, visible_bias, hidden_bias)
    slopes = gradient(x, ends, weight, hidden_bias)
    return -sum((slope * parameter).sum() for slope, parameter in zip(slopes, parameters, strict=True))


OBJECTIVE = Objective(short_chains, unread={"temperatures", "runs", "sampling_steps"}, surrogate=True)
