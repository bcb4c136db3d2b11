"""The pipeline compared with torch's cross-entropy, SciPy's rank statistics and its optimizer."""

import itertools

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch.nn import functional

from practice_torch.preference import pipeline as practice
from practice_torch.preference.bradley_terry import preference_log_prob
from practice_torch.preference.dpo import dpo_loss
from practice_torch.preference.kl_optimum import reward_kl_frontier, tilted_log_probs

rng = np.random.default_rng(0)
REWARDS, REFERENCE = torch.tensor(rng.normal(size=4)), torch.tensor(scipy.special.log_softmax(rng.normal(size=4)))
FIRST, SECOND = torch.tensor(list(itertools.permutations(range(4), 2))).T
OFTEN = torch.sigmoid(REWARDS[FIRST] - REWARDS[SECOND])


def _texts():
    """Logits, tokens and the mask of four texts with prompts of different lengths, padded on the right."""
    tokens, logits = torch.tensor(rng.integers(0, 11, (4, 9))), torch.tensor(rng.normal(size=(4, 9, 11)))
    return tokens, logits, practice.completion_mask(torch.tensor([1, 4, 0, 6]), torch.tensor([9, 6, 5, 7]), width=9)


def test_the_supervised_loss_is_torchs_cross_entropy_with_ignored_tokens():
    """Also over the batch, if every text has the weight of its scored tokens; and the gradient."""
    tokens, logits, completion = _texts()
    logits.requires_grad_()
    labels = tokens.masked_fill(~completion, -100)[:, 1:]
    losses = practice.supervised_loss(tokens, logits, completion)
    for n in range(4):
        torch.testing.assert_close(losses[n], functional.cross_entropy(logits[n, :-1], labels[n], ignore_index=-100))
    mean = (losses * completion[:, 1:].sum(1)).sum() / completion[:, 1:].sum()
    whole = functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels.flatten(), ignore_index=-100)
    torch.testing.assert_close(mean, whole)
    torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (mean, whole)))


def test_the_win_rate_of_all_pairs_is_the_rank_statistic_of_mann_and_whitney():
    """Of scores with many ties."""
    first, second = rng.integers(0, 5, 12).astype(float), rng.integers(1, 6, 9).astype(float)
    pairs = torch.cartesian_prod(torch.tensor(first), torch.tensor(second)).T
    wanted = scipy.stats.mannwhitneyu(first, second).statistic / pairs.shape[1]
    torch.testing.assert_close(practice.win_rate(*pairs), torch.tensor(wanted), rtol=1e-14, atol=0)


def _minimum(loss):
    """What scipy.optimize.minimize (BFGS) finds from zeros, by torch's gradients."""

    def with_gradient(x):
        x = torch.tensor(x, requires_grad=True)
        value = loss(x)
        return value.item(), torch.autograd.grad(value, x)[0].numpy()

    return torch.tensor(scipy.optimize.minimize(with_gradient, np.zeros(4), jac=True, method="BFGS", options={"gtol": 1e-9}).x)


def test_both_roads_end_at_one_policy():
    """A reward model, fitted by maximum likelihood, and the optimum of its reward; and the pairs alone."""
    fitted = _minimum(lambda rewards: -(OFTEN * preference_log_prob(rewards[FIRST], rewards[SECOND])).sum())
    by_reward = tilted_log_probs(fitted[None], REFERENCE[None], kl_coefficient=0.4)[0]

    def loss(logits):
        policy = logits.log_softmax(0)
        pairs = (log_probs[index] for log_probs in (policy, REFERENCE) for index in (FIRST, SECOND))
        return (OFTEN * dpo_loss(*pairs, kl_coefficient=0.4)).sum()

    by_pairs = _minimum(loss).log_softmax(0)
    torch.testing.assert_close(by_reward, by_pairs, atol=1e-6, rtol=0)
    assert (fitted - REWARDS).std() < 1e-6 < (fitted - REWARDS).abs().max()  # the reward up to a constant


def test_a_lower_price_wins_more_often_and_costs_more_nats():
    """Texts of four letters of two kinds, scored by the share of one; the reference is a chain of tokens."""
    texts = torch.tensor(list(itertools.product(range(2), repeat=5)))[:16]  # the first token, 0, is the prompt
    logits = torch.tensor(rng.normal(size=(2, 2)))[texts]  # of the next token, by the one before
    completion = practice.completion_mask(torch.ones(16, dtype=torch.long), torch.full((16,), 5), width=5)
    reference = practice.completion_log_prob(texts, logits, completion)
    torch.testing.assert_close(reference.logsumexp(0), torch.zeros((), dtype=torch.float64))
    scores = practice.token_class_score(texts, completion, torch.tensor([0.0, 1.0], dtype=torch.float64))
    prices = torch.tensor([100.0, 2.0, 0.5, 0.1, 0.01], dtype=torch.float64)
    tilts = torch.stack([tilted_log_probs(scores[None], reference[None], kl_coefficient=price.item())[0] for price in prices])
    verdicts = (1 + (scores[:, None] - scores).sign()) / 2
    rates = tilts.exp() @ verdicts @ reference.exp()
    assert (rates.diff() > 0).all() and 0.5 < rates[0] < 0.51
    torch.testing.assert_close(rates[-1], 1 - reference[-1].exp() / 2)  # the best text alone, with ties
    assert (reward_kl_frontier(scores, reference, prices)[1].diff() > 0).all()
