"""Wrong couplings that the rows must refuse, and other right forms that they must accept."""

import math

import torch

from practice_torch.flows import minibatch_coupling as right
from tests.support.mistakes import Mistake


def _by_products(x0, x1):
    """Far from the origin no digit is left."""
    right.squared_distance_matrix(x0, x1)  # for its checks
    x0, x1 = x0.reshape(len(x0), math.prod(x0.shape[1:])), x1.reshape(len(x1), math.prod(x1.shape[1:]))
    return x0.square().sum(1)[:, None] - 2 * x0 @ x1.T + x1.square().sum(1)


def _plan(*, rows=True, columns=True, columns_first=False, sums=True, in_logs=True):
    def wrong(cost, *, regularization, iterations):
        right.sinkhorn_log_plan(cost, regularization=regularization, iterations=iterations)  # for its checks
        kernel, f, g = -cost / regularization, torch.zeros_like(cost[:, 0]), torch.zeros_like(cost[0])
        of_row, of_column = (-math.log(size) if sums else 0.0 for size in cost.shape)

        def total(scores, axis):
            return scores.logsumexp(axis) if in_logs else scores.exp().sum(axis).log()

        for _ in range(iterations):
            if columns_first:
                g = of_column - total(kernel + f[:, None], 0)
            if rows:
                f = of_row - total(kernel + g, 1)
            if columns and not columns_first:
                g = of_column - total(kernel + f[:, None], 0)
        return f[:, None] + g + kernel

    return wrong


def _by_row(cost):
    """Each row takes the cheapest column that is left."""
    right.optimal_assignment(cost)
    left, columns = cost.clone(), []
    for row in range(len(cost)):
        columns.append(int(left[row].argmin()))
        left[:, columns[-1]] = torch.inf
    return torch.tensor(columns, dtype=torch.int64)


def _gumbel(formula):
    def wrong(log_plan, gumbels):
        right.sample_pairs(log_plan, gumbels)
        return formula(log_plan, gumbels)

    return wrong


def _unchecked(cost):
    if cost.ndim != 2 or cost.shape[0] != cost.shape[1]:
        raise ValueError("cost")
    return right.optimal_assignment(cost.nan_to_num(0.0, 0.0, 0.0))


MISTAKES = (
    Mistake("squared_distance_matrix", "not squared", lambda x0, x1: right.squared_distance_matrix(x0, x1).sqrt()),
    Mistake("squared_distance_matrix", "by inner products", _by_products),
    Mistake("squared_distance_matrix", "the mean over entries", lambda x0, x1: (
        right.squared_distance_matrix(x0, x1) / max(1, math.prod(x0.shape[1:])))),
    Mistake("squared_distance_matrix", "transposed", lambda x0, x1: right.squared_distance_matrix(x1, x0)),
    Mistake("sinkhorn_log_plan", "no columns", _plan(columns=False)),
    Mistake("sinkhorn_log_plan", "no rows", _plan(rows=False)),
    Mistake("sinkhorn_log_plan", "columns first", _plan(columns_first=True)),
    Mistake("sinkhorn_log_plan", "sums of one", _plan(sums=False)),
    Mistake("sinkhorn_log_plan", "exponentials that underflow", _plan(in_logs=False)),
    Mistake("sinkhorn_log_plan", "the plan, not its logarithm", lambda cost, **how: right.sinkhorn_log_plan(cost, **how).exp()),
    Mistake("sinkhorn_log_plan", "the regularization twice", lambda cost, *, regularization, iterations: (
        right.sinkhorn_log_plan(cost, regularization=2 * regularization, iterations=iterations))),
    Mistake("sinkhorn_log_plan", "one iteration more", lambda cost, *, regularization, iterations: right.sinkhorn_log_plan(
        cost, regularization=regularization, iterations=iterations + bool(iterations))),
    Mistake("optimal_assignment", "the permutation inverted", lambda cost: right.optimal_assignment(cost).argsort()),
    Mistake("optimal_assignment", "row after row", _by_row),
    Mistake("optimal_assignment", "the cheapest of each row", lambda cost: (
        right.optimal_assignment(cost) if len(cost) == 0 else right.optimal_assignment(cost) * 0 + cost.argmin(1))),
    Mistake("optimal_assignment", "the dearest", lambda cost: right.optimal_assignment(-cost)),
    Mistake("optimal_assignment", "costs that are no numbers", _unchecked, only_checks=True),
    Mistake("sample_pairs", "without noise", _gumbel(lambda log_plan, gumbels: log_plan.argmax(1))),
    Mistake("sample_pairs", "noise taken off", _gumbel(lambda log_plan, gumbels: (log_plan - gumbels).argmax(1))),
    Mistake("sample_pairs", "the plan, not its logarithm", _gumbel(
        lambda log_plan, gumbels: (log_plan.exp() + gumbels).argmax(1))),
    Mistake("sample_pairs", "the logarithm of 0 as noise", lambda log_plan, gumbels: right.sample_pairs(
        log_plan, gumbels.nan_to_num(posinf=9.0) if gumbels.shape == log_plan.shape else gumbels), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    Mistake(
        "squared_distance_matrix",
        "a sum of squared differences",
        lambda x0, x1: (
            right.squared_distance_matrix(x0, x1) * 0 + (x0[:, None] - x1).flatten(2).square().sum(2)
            if x0.ndim > 1
            else right.squared_distance_matrix(x0, x1)
        ),
    ),
    Mistake("sinkhorn_log_plan", "written out", _plan()),
    Mistake("sample_pairs", "by exponential clocks", _gumbel(lambda log_plan, gumbels: (-gumbels - log_plan).argmin(1))),
)
