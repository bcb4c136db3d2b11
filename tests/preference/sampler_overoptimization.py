"""Texts that the proxy chose: bags of words as frequent as the best of so many random texts is, with their rewards."""

import torch

from practice_torch.experiments.preference.overoptimization import KINDS, GoldAndProxy
from tests.support.samplers import built, require_shares

COUNT = 1500


def draws_the_best_of_so_many():
    """Of one, of 32 and of 64: P(best) = F^n - (F - p)^n, F the probability of a proxy that is not larger."""
    experiment = built("preference/overoptimization", "linear", length=6, samples=64)
    experiment.proxy[0].weight.copy_(torch.tensor([[1.5, 0.7, -0.4, 0.1]]))  # no two bags alike
    lines = experiment.sample(COUNT)["texts"].text.split("\n")
    assert lines[:: COUNT + 1] == ["best of 1", "best of 32", "best of 64"]
    gold, proxy = experiment._standardized()
    random = experiment.log_probs.double().exp()
    order = proxy.argsort()
    below = random[order].cumsum(0)
    for group, samples in enumerate((1, 32, 64)):
        mine = lines[group * (COUNT + 1) + 1 :][:COUNT]
        words = [line.split()[4:] for line in mine]
        bags = torch.tensor([[text.count(kind) for kind in KINDS] for text in words])
        index = (bags[:, None] == experiment.counts).all(2).int().argmax(1)
        assert all(len(text) == 3 for text in words)
        law = torch.zeros_like(random)
        law[order] = below**samples - (below - random[order]).clamp(min=0) ** samples
        require_shares(index, law)
        said = [f"  gold {gold[k]:+.2f}  proxy {proxy[k]:+.2f}  {' '.join(text)}" for k, text in zip(index, words, strict=True)]
        assert said == mine
        first = torch.tensor([KINDS.index(text[0]) for text in words])  # the order of words is random
        if samples == 1:
            require_shares(first, (random @ experiment.counts.double()) / 3)


SAMPLERS = {
    draws_the_best_of_so_many: {
        "the best of half as many": (GoldAndProxy.sample, "samples=samples)", "samples=(samples + 1) // 2)"),
        "the best by the gold reward": (GoldAndProxy.sample, "best_of_n_log_probs(proxy[None]", "best_of_n_log_probs(gold[None]"),
        "words in the order of their kinds": (GoldAndProxy.sample, "text[order]", "text"),
        "the other reward": (GoldAndProxy.sample, "proxy {proxy[index]:+.2f}", "proxy {gold[index]:+.2f}"),
        "three groups of one": (GoldAndProxy.sample, "min(32, self", "min(16, self"),
    }
}
