"""Contracts of couplings of a batch of noise with a batch of data."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, given, log_of, normal, uniform, zeros

X0, X1, COST, SQUARE = normal(4, 3), normal(5, 3), uniform(4, 5, high=2.0), uniform(5, 5, high=2.0)
CHOICE = "a choice among columns has no gradient"
# The optimum pairs rows 0, 1, 2 with columns 1, 2, 0; each row's cheapest column, or the diagonal, costs more.
CYCLE = [[1.0, 2.0, 9.0], [9.0, 1.0, 2.0], [1.0, 9.0, 9.0]]
# Noise 0 and 2, data 3 and 1: c_11 + c_22 - c_12 - c_21 = 8, so at regularization 4 the first pair has 1/(2 + 2e).
FOUR, P = [[9.0, 1.0], [1.0, 1.0]], 0.5 / (1 + np.e)
ORDERS = np.array([order for order in np.ndindex(5, 5, 5, 5, 5) if len(set(order)) == 5])  # all 120 permutations
RATES = np.array([[0.1, 0.3, 0.1], [0.25, 0.05, 0.2]])  # rows of a plan sum to a half


def _of_two(p):
    return np.log([[p, 0.5 - p], [0.5 - p, p]])


def _paid(f, cost):
    return cost[np.arange(len(cost)), f.optimal_assignment(cost)].sum()


def _least(cost):
    return cost[np.arange(5), ORDERS].sum(axis=1).min()


def _one_hot(f, rng, draws):
    gumbels = -np.log(-np.log(rng.uniform(size=(draws, *RATES.shape))))
    drawn = f.sample_pairs(np.tile(np.log(RATES), (draws, 1)), gumbels.reshape(-1, 3))
    return np.eye(3)[drawn].reshape(draws, *RATES.shape)


SPEC = (
    # Costs.
    Agree("squared_distance_matrix", "regular", given(x0=X0, x1=X1)),
    Agree("squared_distance_matrix", "images", given(x0=normal(4, 1, 3, 2), x1=normal(5, 1, 3, 2))),
    Agree("squared_distance_matrix", "numbers", given(x0=normal(4), x1=normal(5))),
    Agree("squared_distance_matrix", "1e4 from the origin, 1e-3 apart", given(
        x0=normal(4, 3, mean=1e4, scale=1e-3), x1=normal(5, 3, mean=1e4, scale=1e-3))),
    Agree("squared_distance_matrix", "copies", given(x0=np.ones((4, 3)), x1=np.ones((5, 3)))),
    Anchor("squared_distance_matrix", "three, four, five", given(
        x0=[[0.0, 0.0], [3.0, 4.0]], x1=[[3.0, 4.0], [0.0, 0.0], [9.0, 12.0]]),
           gives=[[25.0, 0.0, 225.0], [0.0, 25.0, 100.0]], source="by hand", near_misses={
               "not squared": [[5.0, 0.0, 15.0], [0.0, 5.0, 10.0]],
               "the mean over entries": [[12.5, 0.0, 112.5], [0.0, 12.5, 50.0]]}),
    Rejects("squared_distance_matrix", "examples of other shapes", given(x0=zeros(4, 3), x1=zeros(5, 2)), blames="x1"),
    Rejects("squared_distance_matrix", "no batch", given(x0=np.array(1.0), x1=np.array(1.0)), blames="x0"),
    # Entropic plans.
    Agree("sinkhorn_log_plan", "one iteration", given(cost=COST, regularization=0.5, iterations=1), smallest_batch=1),
    Agree("sinkhorn_log_plan", "regularization 0.01, where every exp(-cost/regularization) is 0", given(
        cost=uniform(4, 5, low=9.0, high=10.0), regularization=0.01, iterations=4),
          cancels=Cancels(2000.0, "cost/regularization, of about 1000, is taken from potentials of its size")),
    Anchor("sinkhorn_log_plan", "two pairs", given(cost=FOUR, regularization=4.0, iterations=25), gives=_of_two(P),
           source="converged: the error falls by tanh(1/2)^2 each time", near_misses={
               "distances that are not squared": _of_two(0.5 / (1 + np.exp(0.25))),
               "without a half": _of_two(0.5 / (1 + np.exp(2.0))), "rows of probabilities": _of_two(P) + np.log(2.0),
               "the assignment": _of_two(1e-9),
               "the dearer pairs": _of_two(0.5 - P)}),
    Anchor("sinkhorn_log_plan", "regularization 1e16: the product of the marginals", given(
        cost=[[1.0, 2.0, 3.0], [3.0, 1.0, 5.0]], regularization=1e16, iterations=1),
           gives=np.full((2, 3), -np.log(6.0)), source="1/N 1/M", near_misses={
               "rows of probabilities": np.full((2, 3), -np.log(3.0)), "columns of probabilities": np.full((2, 3), -np.log(2.0)),
               "not a logarithm": np.full((2, 3), 1 / 6)}),
    Law.equal("columns sum to 1/M", given(cost=COST), right=0.2,
              left=lambda f, c: np.exp(f.sinkhorn_log_plan(c, regularization=0.3, iterations=2)).sum(axis=0)),
    Law.equal("rows sum to 1/N, once it has converged", given(cost=COST), right=0.25,
              left=lambda f, c: np.exp(f.sinkhorn_log_plan(c, regularization=1.0, iterations=40)).sum(axis=1)),
    Law.equal("what all pairs of a row cost more does not count", given(cost=COST, more=normal(4, 1)),
              left=lambda f, c, m: f.sinkhorn_log_plan(c + m, regularization=0.5, iterations=2),
              right=lambda f, c, m: f.sinkhorn_log_plan(c, regularization=0.5, iterations=2)),
    Law.at_least("a plan costs no less than the assignment", given(cost=SQUARE), right=lambda f, c: _paid(f, c) / 5, traced=False,
                 left=lambda f, c: (np.exp(f.sinkhorn_log_plan(c, regularization=0.5, iterations=60)) * c).sum()),
    Rejects("sinkhorn_log_plan", "no row", given(cost=zeros(0, 3), regularization=1.0, iterations=1), blames="cost"),
    Rejects("sinkhorn_log_plan", "a vector", given(cost=zeros(3), regularization=1.0, iterations=1), blames="cost"),
    Rejects("sinkhorn_log_plan", "regularization 0", given(cost=zeros(2, 3), regularization=0.0, iterations=1),
            blames="regularization"),
    Rejects("sinkhorn_log_plan", "no iteration", given(cost=zeros(2, 3), regularization=1.0, iterations=0),
            blames="iterations"),
    # Assignments.
    Agree("optimal_assignment", "regular", given(cost=SQUARE), no_gradient=CHOICE, traced=False),
    Agree("optimal_assignment", "no pair", given(cost=zeros(0, 0)), no_gradient=CHOICE, traced=False),
    Anchor("optimal_assignment", "a cycle", given(cost=CYCLE), gives=[1, 2, 0], source="2 + 2 + 1", traced=False, near_misses={
        "the permutation inverted": [2, 0, 1], "the cheapest of each row": [0, 1, 0], "row after row": [0, 1, 2]}),
    Law.equal("no permutation is cheaper", given(cost=SQUARE), left=_paid, right=lambda f, c: _least(c), traced=False),
    Law.equal("nor where many are as cheap", given(cost=[[1.0, 1.0, 2.0], [1.0, 1.0, 2.0], [2.0, 2.0, 2.0]]), right=4.0,
              left=_paid, traced=False),
    Law.equal("every column once", given(cost=zeros(5, 5)), right=lambda f, c: np.arange(5), traced=False,
              left=lambda f, c: np.sort(f.optimal_assignment(c))),
    Law.equal("on a line, in ascending order", given(x0=normal(5), x1=normal(5)), right=lambda f, x0, x1: np.sort(x1),
              left=lambda f, x0, x1: x1[f.optimal_assignment(f.squared_distance_matrix(x0, x1))][np.argsort(x0)], traced=False),
    Rejects("optimal_assignment", "not square", given(cost=zeros(3, 2)), blames="cost"),
    Rejects("optimal_assignment", "a vector", given(cost=zeros(3)), blames="cost"),
    *(Rejects("optimal_assignment", str(bad), given(cost=[[0.0, 1.0], [bad, 1.0]]), blames=f"cost is {bad}")
      for bad in (np.nan, np.inf)),
    # Draws.
    Agree("sample_pairs", "regular", given(log_plan=normal(4, 5), gumbels=normal(4, 5)), no_gradient=CHOICE),
    Anchor("sample_pairs", "two rows", given(log_plan=log_of(RATES), gumbels=[[1.0, 0.0, 1.5], [0.0, 1.0, -1.0]]), gives=[2, 0],
           source="-0.80, log 0.25", near_misses={
               "without noise": [1, 0], "noise alone": [2, 1], "noise taken off": [1, 2], "the best row": [0, 0]}),
    Anchor("sample_pairs", "what has no chance", given(
        log_plan=log_of([[0.0, 0.5], [0.5, 0.0]]), gumbels=[[9.0, 0.0], [0.0, 9.0]]),
           gives=[1, 0], source="-inf", near_misses={"drawn nevertheless": [0, 1]}),
    Law.unbiased("pairs have the shares of their row", given(), samples=_one_hot, expected=lambda f: 2 * RATES, draws=6000,
                 detects=0.06),
    Rejects("sample_pairs", "shapes differ", given(log_plan=zeros(2, 3), gumbels=zeros(2, 2)), blames="gumbels"),
    Rejects("sample_pairs", "a vector", given(log_plan=zeros(3), gumbels=zeros(3)), blames="log_plan"),
    Rejects("sample_pairs", "no column", given(log_plan=zeros(2, 0), gumbels=zeros(2, 0)), blames="log_plan"),
    Rejects("sample_pairs", "a row without a chance", given(log_plan=log_of([[0.5, 0.5], [0.0, 0.0]]), gumbels=zeros(2, 2)),
            blames="log_plan is -inf"),
    Rejects("sample_pairs", "the logarithm of 0 as noise", given(log_plan=zeros(1, 2), gumbels=[[0.0, np.inf]]),
            blames="gumbels"),
)  # fmt: skip
