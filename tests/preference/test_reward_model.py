"""Reward models compared with trl, SciPy's optimizer and a trained network."""

import itertools
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch

from practice_torch.networks.decoder_transformer import DecoderTransformer
from practice_torch.preference import reward_model as practice

rng = np.random.default_rng(0)
SIZES = dict(vocabulary_size=7, context_length=10, width=12, layers=1, heads=2)


def _pairs(count):
    return [torch.tensor(rng.normal(size=count, scale=2.0)) for _ in range(2)]


@pytest.mark.peers("datasets", "trl")
def test_loss_and_accuracy_are_trls():
    """RewardTrainer.compute_loss on given rewards, with a margin and centered."""
    import trl

    chosen, rejected = _pairs(6)
    metrics = defaultdict(lambda: defaultdict(list))
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False),
        args=SimpleNamespace(center_rewards_coefficient=0.01),
        _total_train_tokens=0,
        accelerator=SimpleNamespace(gather=torch.as_tensor, gather_for_metrics=torch.as_tensor),
        _metrics=metrics,
    )

    def model(**inputs):
        return SimpleNamespace(logits=torch.cat([chosen, rejected])[:, None])

    wanted = trl.RewardTrainer.compute_loss(trainer, model, {"margin": 0.4})
    got = practice.pairwise_reward_loss(chosen, rejected, margin=0.4, center_coefficient=0.01).mean()
    torch.testing.assert_close(got, wanted)
    (accuracy,) = metrics["eval"]["accuracy"]
    assert practice.preference_accuracy(chosen, rejected).mean() == pytest.approx(accuracy)


def _fitted(true, pairs, **settings):
    """The rewards at which scipy.optimize.minimize finds the least expected loss of Bradley-Terry labels."""
    first, second = torch.tensor(pairs).T
    often = torch.tensor(scipy.special.expit(true[first] - true[second]))

    def loss(rewards):
        rewards = torch.tensor(rewards, requires_grad=True)
        one, other = rewards[first], rewards[second]
        either = (practice.pairwise_reward_loss(*order, **settings) for order in ((one, other), (other, one)))
        value = torch.lerp(*reversed(tuple(either)), often).sum()
        return value.item(), torch.autograd.grad(value, rewards)[0].numpy()

    return scipy.optimize.minimize(loss, rng.normal(size=len(true)), jac=True, method="BFGS", options={"gtol": 1e-9}).x


TRUE = np.array([1.0, -0.5, 0.25, 2.0])
ALL = list(itertools.combinations(range(4), 2))


def test_the_population_minimum_has_the_true_differences_and_any_level():
    """Of all pairs, and of a chain of neighbors; without one of its pairs the two sides are not compared."""
    for pairs in (ALL, [(0, 1), (1, 2), (2, 3)]):
        found = _fitted(TRUE, pairs)
        np.testing.assert_allclose(found - found[0], TRUE - TRUE[0], atol=1e-6)
    found = _fitted(TRUE, [(0, 1), (2, 3)])
    np.testing.assert_allclose(found[[0, 2]] - found[[1, 3]], TRUE[[0, 2]] - TRUE[[1, 3]], atol=1e-6)
    assert abs(found[0] - found[2] - (TRUE[0] - TRUE[2])) > 0.1


def test_centering_of_one_pair_is_free_and_of_all_pairs_shrinks_the_differences():
    alone = _fitted(TRUE[:2], [(0, 1)], center_coefficient=0.5)
    np.testing.assert_allclose(alone, [0.75, -0.75], atol=1e-6)
    found = _fitted(TRUE, ALL, center_coefficient=0.1)
    assert abs(found.sum()) < 0.1
    assert np.ptp(found) < 0.8 * np.ptp(TRUE)


def test_a_margin_exaggerates_and_accuracy_is_unchanged():
    """The positive root of (1 - p) u^2 / M + (1 - 2 p) u - p / M, M = e^m, by numpy.roots."""
    difference, margin = 1.2, 0.7
    p, shrunk = scipy.special.expit(difference), np.exp(-margin)
    root = np.log(np.roots([(1 - p) * shrunk, 1 - 2 * p, -p * shrunk]).max())
    found = _fitted(np.array([difference, 0.0]), [(0, 1)], margin=margin)
    assert found[0] - found[1] == pytest.approx(root, abs=1e-6)
    assert root > difference + 0.1
    chosen, rejected = _pairs(50)
    plain = practice.preference_accuracy(chosen, rejected)
    louder = 1.5 * chosen, 1.5 * rejected
    assert torch.equal(plain, practice.preference_accuracy(*louder))
    assert practice.pairwise_reward_loss(*louder).sum() != practice.pairwise_reward_loss(chosen, rejected).sum()


def test_the_network_reads_a_text_as_if_there_were_no_padding():
    """Right padding of any tokens: the trunk is causal. The mask may leave out the prompt."""
    torch.manual_seed(0)
    network = practice.RewardModel(**SIZES).double().eval()
    texts = torch.randint(7, (4, 8))
    lengths = torch.tensor([8, 3, 5, 1])
    mask = torch.arange(8) < lengths[:, None]
    rewards = network(texts, mask)
    for text, length, reward in zip(texts, lengths, rewards, strict=True):
        torch.testing.assert_close(network(text[None, :length], torch.ones(1, length)), reward[None])
    torch.testing.assert_close(network(texts.where(mask, 6 - texts), mask), rewards)
    torch.testing.assert_close(network(texts, mask & (torch.arange(8) >= lengths[:, None] - 1)), rewards)


def test_the_trunk_takes_over_a_trained_decoder_and_learns_what_is_preferred():
    """Texts of 6 tokens; the one with more tokens 5 and 6 is preferred: nine of ten new pairs after 60 steps, half before."""
    torch.manual_seed(0)
    network = practice.RewardModel(**SIZES)
    network.trunk.load_state_dict(DecoderTransformer(**SIZES).state_dict())

    def pairs(count):
        texts = torch.randint(7, (4 * count, 2, 6))
        score = (texts >= 5).sum(2)
        texts = texts[score[:, 0] != score[:, 1]][:count]
        better = ((texts >= 5).sum(2).argmax(1))[:, None, None].expand(-1, 1, 6)
        return texts.gather(1, better)[:, 0], texts.gather(1, 1 - better)[:, 0]

    def rewards(chosen, rejected):
        return [network(texts, torch.ones(len(texts), 6)) for texts in (chosen, rejected)]

    held_out = pairs(200)
    with torch.no_grad():
        before = practice.preference_accuracy(*rewards(*held_out)).mean()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(60):
        loss = practice.pairwise_reward_loss(*rewards(*pairs(64)), center_coefficient=0.01).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        after = practice.preference_accuracy(*rewards(*held_out)).mean()
    assert before < 0.7
    assert after > 0.9


def test_pessimism_picks_better_completions_where_the_noise_differs():
    """Gold N(0, 1); four models with noise 0.2 or 2 by completion; the best of 64, 2000 times: 2.0 against 1.7 (measured)."""
    gold = torch.tensor(rng.normal(size=(2000, 64)))
    noise = torch.tensor(rng.choice((0.2, 2.0), size=(2000, 64)))
    models = (gold + noise * torch.tensor(rng.normal(size=(4, 2000, 64)))).flatten(1)
    picked = {}
    for pessimism in (0.0, 1.0):
        proxy = practice.pessimistic_reward(models, pessimism=pessimism).view(2000, 64)
        best = proxy.argmax(1, keepdim=True)
        picked[pessimism] = gold.gather(1, best).mean()
        if not pessimism:
            assert proxy.gather(1, best).mean() > picked[0.0] + 1  # the winner's curse
    assert picked[1.0] > picked[0.0] + 0.2


def test_the_standardized_references_are_scikit_learns():
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler()
    reference, rewards = rng.normal(size=(9, 1), loc=3.0), rng.normal(size=(5, 1))
    wanted = scaler.fit(reference).transform(rewards)[:, 0]
    got = practice.standardize_rewards(torch.tensor(rewards[:, 0]), torch.tensor(reference[:, 0]), epsilon=1e-12)
    np.testing.assert_allclose(got, wanted, rtol=1e-10)
