"""Actions of both kinds of actors have their law, and episodes go on with them until they end."""

import torch

from practice_torch.experiments.control import actors, tasks
from tests.support.samplers import Network, built, normal_cdf, require_law, require_same, require_shares, shown


def draws_actions_of_their_law():
    generator, law = torch.Generator().manual_seed(0), torch.tensor([0.2, 0.5, 0.3])
    one = actors.CategoricalActor(1, 3, 2)
    require_shares(one.drawn(law.log().expand(3000, 3), generator), law)
    several = actors.GaussianActor(1, 2, 2)
    drawn = several.drawn(torch.tensor([1.0, -1.0, -2.0, 1.0]).expand(1000, 4), generator)
    for place, (mean, log_var) in enumerate(((1.0, -2.0), (-1.0, 1.0))):
        require_law(drawn[:, place], normal_cdf(mean, torch.tensor(log_var / 2).exp()))


def shows_episodes_until_they_end():
    """Of the cart and the pole, with even chances of left and right; a second time with the steps of the task, written out."""
    experiment = built("reinforcement/ppo", "cart_pole", time_limit=40)
    experiment.actor.network = Network(lambda seen: torch.zeros(len(seen), 2))
    _, lines = shown(experiment.sample(20)["episodes"])
    generator, task = torch.Generator().manual_seed(0), experiment.task
    copies = task.copies(20, 40)
    copies.begin(generator)
    rows, alive, returns = [[] for _ in range(20)], [True] * 20, torch.zeros(20)
    for _ in range(40):
        actions = (torch.rand(20, generator=generator) >= 0.5).long()
        reward, after, _, over = copies.step(actions, generator)
        for k, angle in enumerate(torch.rad2deg(task.angle(after[:, None]))[:, 0].tolist()):
            if alive[k]:
                rows[k].append(angle)
                returns[k] += reward[k]
                alive[k] = not over[k]
    assert len({len(row) for row in rows}) > 1
    for line, row in zip(lines, rows, strict=True):
        assert line[:, 0].tolist() == list(range(1, len(row) + 1)), "an episode has another length"
        require_same(line[:, 1], torch.tensor(row))
    experiment.generator = torch.Generator().manual_seed(0)
    found, lengths, _ = experiment.rollouts.episodes(experiment.actor, 20, experiment.generator)
    assert torch.equal(found, returns) and lengths.tolist() == list(map(len, rows))


def shows_episodes_of_the_likeliest_actions():
    experiment = built("reinforcement/ppo", "cart_pole", time_limit=20)
    experiment.actor.network = Network(lambda seen: torch.tensor([1.0, 1.1]).expand(len(seen), 2))
    taken, step = [], tasks.Copies.step
    tasks.Copies.step = lambda self, action, generator: taken.append(action) or step(self, action, generator)
    try:
        experiment.rollouts.episodes(experiment.actor, 6, experiment.generator, greedy=True)
    finally:
        tasks.Copies.step = step
    assert torch.stack(taken).eq(1).all(), "an action is not the likeliest"


SAMPLERS = {
    draws_actions_of_their_law: {
        "the variance for the deviation": (actors.GaussianActor.at, "(log_var / 2).exp()", "log_var.exp()"),
        "means and log-variances exchanged": (actors.GaussianActor.at, "mean, log_var =", "log_var, mean ="),
        "the law turned over": (actors.CategoricalActor.at, "(law, noise", "(-law, noise"),
    },
    shows_episodes_until_they_end: {
        "rewards after the end": (tasks.Rollouts.episodes, "reward * alive", "reward"),
        "the steps after the end": (tasks.Rollouts.episodes, "+ alive.long()", "+ 1 + 0 * alive.long()"),
        "ends that are forgotten": (tasks.Rollouts.episodes, "alive & ~over", "~over"),
        "the same actions": (tasks.Rollouts.episodes, "actor.drawn(law, generator)", "actor.drawn(law, generator) * 0"),
        "radians": (tasks.ControlEvaluation.sample, "shown = torch.rad2deg(shown)", "shown = 1 * shown"),
    },
    shows_episodes_of_the_likeliest_actions: {"drawn actions": (tasks.Rollouts.episodes, "if greedy else", "if False else")},
}
