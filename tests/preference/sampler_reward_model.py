"""Texts of random printable bytes, best first by the learned reward, with both rewards."""

import torch

from practice_torch.experiments.preference.reward_model import PRINTABLE, Rewards
from tests.support.samplers import Network, built, require_law


def ranks_random_texts():
    experiment = built("preference/reward_model", prompt=4, completion=30, sharpness=2.0)
    places = torch.arange(1, 35).sqrt()  # with which no two texts have one reward
    experiment.reward = Network(lambda tokens, mask: (places * tokens * mask).mean(1) / 40)
    lines = experiment.sample(50)["texts"].text.split("\n")
    texts = torch.randint(*PRINTABLE, (50, 34), generator=torch.Generator().manual_seed(0))
    learned = (places * texts).mean(1) / 40
    wanted = []
    for row in sorted(range(50), key=lambda row: -float(learned[row])):
        text = bytes(texts[row, 4:].tolist()).decode()
        worth = sum((letter in "aeiou") - (not letter.isalpha() and letter != " ") for letter in text)
        wanted.append(f"reward {learned[row]:+6.2f}  true {2 * worth / 30:+6.2f}  {text}")
    assert lines == wanted
    require_law(torch.tensor([[ord(letter) for letter in line[-30:]] for line in lines]), _uniform)


def _uniform(x):
    """Of integers from 32 to 126, each spread over the unit around it."""
    generator = torch.Generator().manual_seed(1)
    return (x - 32 + torch.rand(x.shape, generator=generator)) / 95


SAMPLERS = {
    ranks_random_texts: {
        "worst first": (Rewards.sample, "descending=True", "descending=False"),
        "by the true reward": (Rewards.sample, "learned.argsort", "gold.argsort"),
        "the prompt shown": (Rewards.sample, "texts[row, self.recipe.prompt :]", "texts[row]"),
        "rewards exchanged": (Rewards.sample, "reward {learned[row]:+6.2f}", "reward {gold[row]:+6.2f}"),
    }
}
