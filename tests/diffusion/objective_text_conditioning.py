"""The objective of the experiment diffusion/text_conditioning, by functions with contracts."""

import torch

from practice_torch.diffusion.simple_loss import simple_loss
from practice_torch.diffusion.training import timesteps_from_uniforms
from practice_torch.experiments.media.captions import picture
from tests.support.objectives import Objective, normal, uniform


def captioned(e, batch, phase):
    """The noise's error in pictures with random stroke, place and form of the caption, some without a caption."""
    label, count = batch["label"], len(batch["label"])
    of_stroke, of_place = uniform(e, 2, count)
    stroke, place, form = (2 * of_stroke).long(), (3 * of_place).long(), (3 * uniform(e, count)).long()
    tokens = e.captions.tokens[label, stroke, place, form]
    x0 = 2 * picture(batch["image"], stroke, place) - 1
    tokens = torch.where(uniform(e, count, 1) < e.recipe.drop_probability, e.captions.nothing(), tokens)
    t = timesteps_from_uniforms(uniform(e, count), num_steps=e.recipe.num_steps)
    losses = simple_loss(x0, t, normal(e, *x0.shape), lambda x, t: e.network(x, t, tokens), e.alpha_bar)
    return losses.mean() / x0[0].numel()


OBJECTIVE = Objective(captioned, unread={"judged_samples", "judged_steps", "guidance"}, together=[dict(attention_at=())])
