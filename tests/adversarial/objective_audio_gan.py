"""The objective of the experiment adversarial/audio_gan, by functions with contracts."""

import torch

from practice_torch.adversarial.gradient_penalty import gradient_penalty, interpolate, one_sided_gradient_penalty
from practice_torch.experiments.adversarial import audio_gan as experiment
from tests.support.objectives import Mistake, Objective, normal, uniform


def scores(e, x):
    """The critic's, with a shift for every example and every layer but the first."""
    most = e.recipe.shuffle
    return e.critic(x, torch.randint(-most, most + 1, (len(x), len(e.critic.layers) - 1), generator=e.generator))


def wasserstein(e, batch, phase):
    real = batch["audio"]
    fakes = e.generator_network(normal(e, len(real), e.recipe.noise))
    if phase == "generator":
        return -scores(e, fakes).mean()
    fakes = fakes.detach()
    distance = scores(e, real).mean() - scores(e, fakes).mean()
    between = interpolate(real, fakes, uniform(e, len(real)))
    penalty = gradient_penalty if e.recipe.penalty == "two_sided" else one_sided_gradient_penalty
    penalties = penalty(between.flatten(1), lambda rows: scores(e, rows.view(real.shape)))
    return e.recipe.penalty_weight * penalties.mean() - distance


def _one_shift_for_all(self, x, critic=None):
    most = self.recipe.shuffle
    shifts = torch.randint(-most, most + 1, (1, self.critic.shuffles), generator=self.generator)
    return (critic or self.critic)(x, shifts.expand(len(x), -1)).float()


OBJECTIVE = Objective(
    wasserstein,
    unread={"fakes", "generator_rate"},
    sizes={"length": 80, "width": 2},
    mistakes={
        "one shift for all": Mistake(experiment.WaveGan, "_scores", _one_shift_for_all),
        "no phase shuffle": Mistake(
            experiment.WaveGan,
            "_scores",
            lambda self, x, critic=None: (critic or self.critic)(
                x, torch.zeros(len(x), self.critic.shuffles, dtype=torch.int64)
            ).float(),
        ),
    },
)
