"""The objective of the experiment preference/reward_model, by functions with contracts."""

import torch

from practice_torch.experiments.preference import reward_model as experiment
from practice_torch.preference.bradley_terry import soft_preference_loss
from practice_torch.preference.reward_model import pairwise_reward_loss
from tests.support.objectives import Mistake, Objective, uniform


def votes_on_texts(e, batch, phase):
    """-log p of the vote on two completions of each prompt, and centering; the vote is drawn by their scores."""
    recipe, windows = e.recipe, batch["tokens"]
    longest = windows.shape[1]
    other = torch.cat([windows[:, : recipe.prompt], torch.cat([windows[-1:], windows[:-1]])[:, recipe.prompt :]], dim=1)
    ends = torch.randint(longest - recipe.completion // 2, longest + 1, (2, len(windows)), generator=e.generator)
    worths, rewards = [], []
    for texts, lengths in zip((windows, other), ends, strict=True):
        worths.append(torch.stack([e.values[text[recipe.prompt : end]].mean() for text, end in zip(texts, lengths, strict=True)]))
        alone = [e.reward(text[None, :end], torch.ones(1, end)) for text, end in zip(texts, lengths.tolist(), strict=True)]
        rewards.append(torch.cat(alone))  # each without padding
    wins = uniform(e, len(windows)) < (recipe.sharpness * (worths[0] - worths[1])).sigmoid()
    center = recipe.center_coefficient * (rewards[0] + rewards[1]) ** 2
    return (soft_preference_loss(wins.to(rewards[0].dtype), *rewards) + center).mean()


MISTAKES = {
    "the vote turned over": Mistake(
        experiment, "pairwise_reward_loss", lambda chosen, rejected, **how: pairwise_reward_loss(rejected, chosen, **how)
    ),
    "padding read as text": Mistake(
        experiment.Rewards,
        "_rewards",
        lambda self, pairs: self.reward(pairs.tokens.flatten(0, 1), torch.ones_like(pairs.mask.flatten(0, 1))).view(2, -1),
    ),
}
# the few votes here are the same where they are twice as sharp
OBJECTIVE = Objective(votes_on_texts, unread={"judged"}, together=[dict(sharpness=0.01)], mistakes=MISTAKES)
