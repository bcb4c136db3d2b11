"""A language model as a policy compared with whole sequences, an enumeration of all texts and automatic differentiation."""

import itertools

import pytest
import torch

from practice_torch.autoregressive.chain_rule import sequence_log_prob
from practice_torch.reinforcement import language_policy as practice
from tests.support.engine.compiled import steps_compiled

BETA, V, T = 0.7, 3, 3
TEXTS = torch.tensor(list(itertools.product(range(V), repeat=T)))  # [27, 3]


def _normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _tables(seed, parts=None):
    """Log-probabilities of the next token after every prefix: [V], [V, V], [V, V, V]."""
    parts = parts or [_normal(*(V,) * t, seed=seed + t) for t in range(1, T + 1)]
    return tuple(part.log_softmax(-1) for part in parts)


def _by_token(tables):
    """The log-probability of each token of each text, [27, 3]."""
    return torch.stack([table[tuple(TEXTS[:, : t + 1].T)] for t, table in enumerate(tables)], dim=1)


def _objective(tables, reference, rewards):
    log_probs, log_reference = (_by_token(part).sum(1)[None] for part in (tables, reference))
    return practice.kl_regularized_objective(log_probs, log_reference, rewards.flatten()[None], kl_coefficient=BETA)[0]


def test_the_law_of_the_trajectories_is_that_of_the_sequences():
    """27 texts: the log-probabilities of tokens sum to those of autoregressive/chain_rule, and all texts to one."""
    logits = torch.stack([part[tuple(TEXTS[:, :t].T)] if t else part.expand(27, V) for t, part in enumerate(_tables(0))], dim=1)
    mask = torch.ones_like(TEXTS, dtype=torch.bool)
    got = practice.masked_token_log_probs(TEXTS, logits, mask).sum(1)
    torch.testing.assert_close(got, sequence_log_prob(TEXTS, logits, mask), rtol=1e-13, atol=0)
    torch.testing.assert_close(got.exp().sum(), torch.ones((), dtype=torch.float64), rtol=1e-13, atol=0)


def test_the_divergence_of_texts_is_a_sum_over_their_tokens():
    """Each token's divergence, at the prefixes of the policy."""
    policy, reference = _tables(0), _tables(10)
    log_probs, log_reference = _by_token(policy), _by_token(reference)
    whole = (log_probs.sum(1).exp() * (log_probs - log_reference).sum(1)).sum()
    prefix, by_tokens = torch.ones((), dtype=torch.float64), 0.0
    for p, q in zip(policy, reference, strict=True):
        by_tokens = by_tokens + (prefix * (p.exp() * (p - q)).sum(-1)).sum()
        prefix = prefix.unsqueeze(-1) * p.exp()
    torch.testing.assert_close(by_tokens, whole, rtol=1e-12, atol=0)


def test_no_policy_beats_the_value_of_the_empty_prefix():
    """The best policy has it, 50 others have less, by the price of their divergence from it."""
    reference, rewards = _tables(10), _normal(V, V, V, seed=3)
    root = practice.backward_soft_values(rewards, reference, kl_coefficient=BETA)[0]
    best = practice.optimal_token_log_probs(rewards, reference, kl_coefficient=BETA)
    torch.testing.assert_close(_objective(best, reference, rewards), root, rtol=1e-12, atol=0)
    log_best = _by_token(best).sum(1)
    for seed in range(50):
        other = _tables(100 + 10 * seed)
        log_other = _by_token(other).sum(1)
        short = BETA * (log_other.exp() * (log_other - log_best)).sum()
        torch.testing.assert_close(root - _objective(other, reference, rewards), short, rtol=1e-10, atol=0)
        assert short > 0


@pytest.mark.parametrize("to_go", [True, False])
def test_the_policy_gradient_of_tokens_is_the_gradient_of_the_objective(to_go):
    """sum_x pi(x) sum_t grad log pi(x_t|x_<t) times what is paid from t on (or in all), the pay held fixed."""
    parts = [_normal(*(V,) * t, seed=t).requires_grad_() for t in range(1, T + 1)]
    policy, reference, rewards = _tables(0, parts), _tables(10), _normal(V, V, V, seed=3)
    wanted = torch.autograd.grad(_objective(policy, reference, rewards), parts, retain_graph=True)
    log_probs = _by_token(policy)
    paid = practice.shaped_rewards(
        rewards.flatten(), log_probs, _by_token(reference), torch.ones_like(TEXTS, dtype=torch.bool), kl_coefficient=BETA
    ).detach()
    returns = paid.flip(1).cumsum(1).flip(1) if to_go else paid.sum(1, keepdim=True)
    surrogate = (log_probs.sum(1).exp().detach() * (log_probs * returns).sum(1)).sum()
    for got, gradient in zip(torch.autograd.grad(surrogate, parts), wanted, strict=True):
        torch.testing.assert_close(got, gradient, rtol=1e-10, atol=1e-14)


def test_padding_on_either_side_changes_nothing():
    """The rewards of the tokens that count, with junk before, behind, and around them."""
    score, log_probs, reference = _normal(4), _normal(4, 3, seed=1), _normal(4, 3, seed=2)
    plain = practice.shaped_rewards(score, log_probs, reference, torch.ones(4, 3, dtype=torch.bool), kl_coefficient=BETA)
    for before, behind in ((2, 0), (0, 2), (1, 3)):
        padded = [torch.nn.functional.pad(part, (before, behind), value=torch.nan) for part in (log_probs, reference)]
        mask = torch.nn.functional.pad(torch.ones(4, 3, dtype=torch.bool), (before, behind))
        got = practice.shaped_rewards(score, *padded, mask, kl_coefficient=BETA)
        assert torch.equal(got[mask], plain.flatten())
        assert (got[~mask] == 0).all()


def test_hidden_states_of_a_round_are_compiled():
    """A round and its updates call a method of both networks."""
    found = steps_compiled("reinforcement/language_policy", "few_texts")
    found.require_as_said()
    assert found.compilation.compiled == ("policy", "reference")
