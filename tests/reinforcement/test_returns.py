"""Returns and advantages compared with SciPy's filter, torchrl and a loop over the steps."""

import itertools

import numpy as np
import pytest
import scipy.signal
import torch

from practice_torch.reinforcement import returns as practice
from practice_torch.reinforcement.markov_decision import policy_value
from theory_jax.reinforcement import returns as theory

rng = np.random.default_rng(0)
BATCH, LENGTH, DISCOUNT, DECAY = 3, 700, 0.99, 0.95  # longer than the square of a block, which takes three levels of blocks
REWARDS, VALUES = torch.tensor(rng.normal(size=(BATCH, LENGTH))), torch.tensor(rng.normal(size=(BATCH, LENGTH + 1)))
ENDS = torch.tensor(rng.uniform(size=(BATCH, LENGTH)) < 0.02)
NEVER = torch.zeros(BATCH, LENGTH)


def _by_steps(terms, factors):
    total, totals = torch.zeros_like(terms[:, 0]), []
    for t in reversed(range(terms.shape[1])):
        total = terms[:, t] + factors[:, t] * total
        totals.append(total)
    return torch.stack(totals[::-1], 1)


def test_advantages_without_an_end_are_a_filter_run_backwards():
    """1 / (1 - discount lambda z), scipy.signal.lfilter."""
    errors = practice.temporal_difference_errors(REWARDS, VALUES, NEVER, discount=DISCOUNT).numpy()
    filtered = scipy.signal.lfilter([1.0], [1.0, -DISCOUNT * DECAY], errors[:, ::-1])[:, ::-1]
    found = practice.generalized_advantages(REWARDS, VALUES, NEVER, discount=DISCOUNT, trace_decay=DECAY)
    np.testing.assert_allclose(found.numpy(), filtered, rtol=0, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 255, 256, 257, 700])
def test_rows_of_every_length_are_summed_as_by_a_loop(length):
    """At, below and above one block of steps, and one block of blocks; values and gradients, and values where there are none."""
    rewards, values, ends = (part[:, : length + more].clone() for part, more in ((REWARDS, 0), (VALUES, 1), (ENDS, 0)))
    rewards.requires_grad_()
    found = practice.generalized_advantages(rewards, values, ends, discount=DISCOUNT, trace_decay=DECAY)
    keep = 1 - ends.double()
    errors = rewards + DISCOUNT * keep * values[:, 1:] - values[:, :-1]
    wanted = _by_steps(errors, DISCOUNT * DECAY * keep)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    upstream = VALUES[:, :length]
    slopes = [torch.autograd.grad((result * upstream).sum(), rewards, retain_graph=True)[0] for result in (found, wanted)]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-12)
    without_gradient = practice.generalized_advantages(rewards.detach(), values, ends, discount=DISCOUNT, trace_decay=DECAY)
    torch.testing.assert_close(without_gradient, wanted.detach(), rtol=0, atol=1e-12)


def test_both_wings_agree_on_a_long_row():
    """700 steps: the theory wing scans them one by one."""
    row = REWARDS.numpy(), VALUES.numpy(), ENDS.numpy()
    for name in ("generalized_advantages", "lambda_returns"):
        wanted = getattr(theory, name)(*row, discount=DISCOUNT, trace_decay=DECAY)
        found = getattr(practice, name)(REWARDS, VALUES, ENDS, discount=DISCOUNT, trace_decay=DECAY)
        np.testing.assert_allclose(found.numpy(), np.asarray(wanted), rtol=0, atol=1e-11)


@pytest.mark.peers("torchrl")
def test_torchrl_computes_the_same_advantages():
    """generalized_advantage_estimate, with shapes [..., time, 1] and a separate argument for the next state's values."""
    from torchrl.objectives.value import functional

    column = [part.unsqueeze(-1) for part in (VALUES[:, :-1], VALUES[:, 1:], REWARDS, ENDS, ENDS)]
    torch.set_default_dtype(torch.float64)  # in which it multiplies the discount by its masks of integers
    try:
        wanted, _ = functional.generalized_advantage_estimate(DISCOUNT, DECAY, *column)
    finally:
        torch.set_default_dtype(torch.float32)
    found = practice.generalized_advantages(REWARDS, VALUES, ENDS, discount=DISCOUNT, trace_decay=DECAY)
    torch.testing.assert_close(found, wanted.squeeze(-1), rtol=0, atol=1e-10)


def test_the_mean_return_of_all_runs_is_the_value():
    """All runs of four steps of a random process: their mean return, closed with the exact value, is the exact value."""
    transition, reward = rng.dirichlet(np.ones(2), size=(2, 2)), rng.normal(size=(2, 2))
    policy = rng.dirichlet(np.ones(2), size=2)
    value = policy_value(*map(torch.tensor, (transition, reward, np.log(policy))), discount=DISCOUNT).numpy()
    for start in (0, 1):
        mean = 0.0
        for actions in itertools.product((0, 1), repeat=4):
            for states in itertools.product((0, 1), repeat=4):
                visited = (start, *states)
                steps = list(zip(visited[:-1], actions, visited[1:], strict=True))
                chance = np.prod([policy[s, a] * transition[s, a, following] for s, a, following in steps])
                paid = torch.tensor([[reward[s, a] for s, a, _ in steps]])
                last = torch.tensor([value[visited[-1]]])
                mean += chance * practice.discounted_returns(paid, torch.zeros(1, 4), last, discount=DISCOUNT)[0, 0].item()
        assert abs(mean - value[start]) < 1e-9


def test_whitened_advantages_are_those_of_numpy():
    """numpy.ma's mean and population deviation over the valid entries of the whole batch."""
    advantages, valid = 5 + 3 * REWARDS, ~ENDS
    masked = np.ma.masked_array(advantages.numpy(), ENDS.numpy())
    wanted = ((masked - masked.mean()) / (masked.std() + 1e-8)).filled(0.0)
    np.testing.assert_allclose(practice.whiten(advantages, valid, epsilon=1e-8).numpy(), wanted, rtol=0, atol=1e-12)
