"""The objective of the experiment adversarial/minibatch_discrimination, by functions with contracts."""

import torch

from practice_torch.adversarial import minibatch_discrimination as topic
from practice_torch.adversarial.gan import discriminator_loss, minimax_generator_loss, non_saturating_generator_loss
from practice_torch.experiments.adversarial import minibatch_discrimination as experiment
from tests.support.objectives import Mistake, Objective, normal

SIMILARITIES, DEVIATION = topic.minibatch_discrimination, topic.minibatch_standard_deviation  # without a mistake


def of_batches(e, batch, phase):
    real = batch["point"]
    fakes = e.generator_network(normal(e, len(real), e.recipe.noise))

    def logits(x):
        """The statistic is computed from all of x: one batch after the other."""
        features = torch.nn.functional.leaky_relu(e.critic.first(x), 0.2)
        seen = {
            "similarities": lambda: SIMILARITIES(features, e.critic.tensor),
            "deviation": lambda: (features.var(0, correction=0) + 1e-8).sqrt().mean().expand(len(x), 1),
            "none": lambda: features[:, :0],
        }
        return e.critic.rest(torch.cat([features, seen[e.recipe.statistic]()], 1)).flatten()

    if phase == "generator":
        return non_saturating_generator_loss(logits(fakes)).mean()
    return discriminator_loss(logits(real), logits(fakes.detach())).mean()


def of_means(features, tensor):
    """Similarities to the mean of the batch alone."""
    images = torch.tensordot(features, tensor, dims=1)
    return (images - images.mean(0)).abs().sum(-1).neg().exp()


MISTAKES = {
    "similarities to the mean": Mistake(topic, "minibatch_discrimination", of_means),
    "deviations of pairs": Mistake(
        topic, "minibatch_standard_deviation", lambda x, *, group_size: DEVIATION(x, group_size=2), {"statistic": "deviation"}
    ),
    "a generator that saturates": Mistake(experiment, "non_saturating_generator_loss", minimax_generator_loss),
}
OBJECTIVE = Objective(of_batches, unread={"points", "radius", "generator_rate"}, mistakes=MISTAKES)
