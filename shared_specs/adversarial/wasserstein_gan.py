"""Contracts of transport and of its critic (lecture 9)."""

import numpy as np

from shared_specs.rows import LOG_3, Agree, Anchor, Law, Rejects, given, log_of, log_simplex, normal, scalar, uniform, zeros

X, Y = normal(5), normal(5, mean=1.0)
PLACES, OTHERS = normal(4, 3), normal(5, 3, mean=0.5)
COST = uniform(4, 5, low=0.5, high=2.0)
A, B = log_simplex(4), log_simplex(5)
# Three points on a line, at 0, 1 and 3.
LINE = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
P, Q = log_of([[0.5, 0.25, 0.25]]), log_of([[0.25, 0.0, 0.75]])
HALVES = log_of([0.5, 0.5])
TIES = "the distance has a kink where two values tie"


def _distances(f, x):
    return f.cost_matrix(x, x)


def _between(a, b, cost, **how):
    return given(log_weights_a=a, log_weights_b=b, cost=cost, **how)


def _plan(f, *given, **how):
    return np.exp(f.sinkhorn(*given, **how)[0])


SPEC = (
    # Samples on a line.
    Agree("wasserstein_distance_1d", "order 1", given(x=X, y=Y), smallest_batch=1),
    Agree("wasserstein_distance_1d", "order 2", given(x=X, y=Y, order=2)),
    Agree("wasserstein_distance_1d", "order 1.5", given(x=X, y=Y, order=1.5)),
    Agree("wasserstein_distance_1d", "order 30, far apart", given(x=X, y=normal(5, mean=1e4), order=30)),
    Agree("wasserstein_distance_1d", "order 3, gaps with powers that vanish or overflow", given(
        x=uniform(5, low=1e15, high=2e15), y=uniform(5, low=-2e15, high=-1e15), order=3)),
    Agree("wasserstein_distance_1d", "order 3, small gaps", given(
        x=uniform(5, low=1e-16, high=2e-16), y=uniform(5, low=-2e-16, high=-1e-16), order=3),
          no_gradient="a central difference's step is larger than the gaps"),
    *(Agree("wasserstein_distance_1d", f"equal samples, order {order}", given(
        x=[2.0, 0.0, 2.0, 1.0], y=[1.0, 2.0, 2.0, 0.0], order=order), no_gradient=TIES) for order in (1, 2)),
    Anchor("wasserstein_distance_1d", "{0, 4} and {1, 1}, order 2", given(x=[4.0, 0.0], y=[1.0, 1.0], order=2), gives=5**0.5,
           source="the root of (1 + 9)/2",
           near_misses={"root forgotten": 5.0, "sum for mean": 10**0.5, "order 1": 2.0, "root of order 1": 5.0**2}),
    Anchor("wasserstein_distance_1d", "{2, 0} and {3, 1}", given(x=[2.0, 0.0], y=[1.0, 3.0]), gives=1.0, source="1 and 1",
           near_misses={"only one side sorted": 2.0, "the difference of the means, squared": 0.5, "sum for mean": 2.0}),
    Law.equal("a common shift changes nothing, a common factor scales it", given(x=X, y=Y),
              left=lambda f, x, y: f.wasserstein_distance_1d(-2.5 * x + 4, -2.5 * y + 4, order=2),
              right=lambda f, x, y: 2.5 * f.wasserstein_distance_1d(x, y, order=2)),
    Law.equal("either sample may come first", given(x=X, y=Y),
              left=lambda f, x, y: f.wasserstein_distance_1d(x, y), right=lambda f, x, y: f.wasserstein_distance_1d(y, x[::-1])),
    Law.at_least("the triangle inequality", given(x=X, y=Y, z=normal(5, scale=2.0)),
                 left=lambda f, x, y, z: f.wasserstein_distance_1d(x, z, order=2) + f.wasserstein_distance_1d(z, y, order=2),
                 right=lambda f, x, y, z: f.wasserstein_distance_1d(x, y, order=2)),
    Rejects("wasserstein_distance_1d", "sizes differ", given(x=zeros(3), y=zeros(2)), blames="y"),
    Rejects("wasserstein_distance_1d", "no entry", given(x=zeros(0), y=zeros(0)), blames="x"),
    Rejects("wasserstein_distance_1d", "order below 1", given(x=zeros(3), y=zeros(3), order=0.5), blames="order"),
    Rejects("wasserstein_distance_1d", "infinite order", given(x=zeros(3), y=zeros(3), order=float("inf")), blames="order"),
    # Costs.
    *(Agree("cost_matrix", f"power {power}", given(x=PLACES, y=OTHERS, power=power)) for power in (1.0, 2.0, 0.5)),
    Agree("cost_matrix", "coincident points", given(x=zeros(4, 3), y=zeros(5, 3))),
    Agree("cost_matrix", "coincident points, power 1/2", given(x=np.ones((4, 3)), y=np.ones((5, 3)), power=0.5)),
    Agree("cost_matrix", "far from the origin", given(x=normal(4, 3, mean=1e3), y=normal(5, 3, mean=1e3))),
    Anchor("cost_matrix", "a right triangle", given(x=[[0.0, 0.0], [3.0, 4.0]], y=[[0.0, 0.0]]), gives=[[0.0], [5.0]],
           source="3, 4, 5", near_misses={"squared": [[0.0], [25.0]], "sum of absolute values": [[0.0], [7.0]]}),
    Anchor("cost_matrix", "power 2", given(x=[[0.0, 0.0], [3.0, 4.0]], y=[[0.0, 0.0]], power=2.0), gives=[[0.0], [25.0]],
           source="5 squared", near_misses={"power 4": [[0.0], [625.0]], "the distance": [[0.0], [5.0]]}),
    Law.equal("the gradient at coincident points is zero", given(x=PLACES),
              left=lambda f, x: 1 + f.gradient("cost_matrix", x[:1], x[:1], power=0.5), right=1.0),
    Rejects("cost_matrix", "rows differ in length", given(x=zeros(3, 2), y=zeros(3, 4)), blames="y"),
    Rejects("cost_matrix", "power 0", given(x=zeros(3, 2), y=zeros(3, 2), power=0.0), blames="power"),
    # Potentials.
    Agree("c_transform", "regular", given(potential=normal(5), cost=COST)),
    Agree("c_transform", "one point", given(potential=normal(1), cost=uniform(4, 1))),
    Anchor("c_transform", "on a line", given(potential=[0.0, 2.0, 0.0], cost=LINE), gives=[-1.0, -2.0, 0.0],
           source="c_i1 - 2, c_11 - 2, c_22",
           near_misses={"maximum": [3.0, 2.0, 3.0], "plus f": [0.0, 1.0, 0.0], "over the rows": [0.0, -1.0, 0.0]}),
    Law.at_least("for a metric it is 1-Lipschitz, for every f", given(f=normal(4, scale=3.0), x=PLACES),
                 left=lambda f, potential, x: 1 - f.lipschitz_constant(
                     f.c_transform(potential, _distances(f, x)), _distances(f, x)), right=0.0),
    Law.equal("it is -f where f is 1-Lipschitz, a distance from some point, say", given(x=PLACES, origin=normal(1, 3)),
              left=lambda f, x, origin: f.c_transform(f.cost_matrix(x, origin)[:, 0], _distances(f, x)),
              right=lambda f, x, origin: -f.cost_matrix(x, origin)[:, 0]),
    Law.equal("three transforms are one, for every cost", given(potential=normal(5), cost=COST),
              left=lambda f, g, c: f.c_transform(f.c_transform(f.c_transform(g, c), c.T), c),
              right=lambda f, g, c: f.c_transform(g, c)),
    Rejects("c_transform", "sizes differ", given(potential=zeros(3), cost=zeros(3, 2)), blames="cost"),
    Rejects("c_transform", "no entry", given(potential=zeros(0), cost=zeros(3, 0)), blames="potential"),
    Agree("dual_objective", "regular", given(
        log_probs_p=log_simplex(5, 3), log_probs_q=log_simplex(5, 3), potential=normal(5, 3))),
    Agree("dual_objective", "zeros", given(log_probs_p=P, log_probs_q=Q, potential=normal(1, 3))),
    Anchor("dual_objective", "the best critic on a line", given(log_probs_p=P, log_probs_q=Q, potential=[[3.0, 2.0, 0.0]]),
           gives=[1.25], source="3/4 + 2/4", near_misses={"sign": [-1.25], "mean": [1.25 / 3], "p alone": [2.0]}),
    Law.equal("a constant added to the potential changes nothing",
              given(p=log_simplex(5, 3), q=log_simplex(5, 3), potential=normal(5, 3)),
              left=lambda f, p, q, potential: 1 + f.dual_objective(p, q, potential + 3),
              right=lambda f, p, q, potential: 1 + f.dual_objective(p, q, potential)),
    Law.at_least("no 1-Lipschitz critic estimates more than any plan costs", given(a=A, b=log_simplex(4), x=PLACES, g=normal(4)),
                 left=lambda f, a, b, x, g: f.sinkhorn(a, b, _distances(f, x), epsilon=1.0, iterations=60)[1],
                 right=lambda f, a, b, x, g: f.dual_objective(a[None], b[None], f.c_transform(g, _distances(f, x))[None])[0]),
    Rejects("dual_objective", "sizes differ", given(log_probs_p=P, log_probs_q=Q, potential=zeros(1, 2)), blames="potential"),
    Rejects("dual_objective", "p does not sum to one", given(log_probs_p=zeros(1, 3), log_probs_q=Q, potential=zeros(1, 3)),
            blames="log_probs_p"),
    Rejects("dual_objective", "q does not sum to one", given(log_probs_p=P, log_probs_q=zeros(1, 3), potential=zeros(1, 3)),
            blames="log_probs_q"),
    Agree("lipschitz_constant", "regular", given(potential=normal(4), cost=uniform(4, 4, low=0.5, high=2.0))),
    Agree("lipschitz_constant", "a constant", given(potential=np.full(4, 3.0), cost=uniform(4, 4, low=0.5, high=2.0)),
          no_gradient=TIES),
    Agree("lipschitz_constant", "zeros on the diagonal", given(potential=[3.0, 1.0, 0.5], cost=LINE)),
    Anchor("lipschitz_constant", "on a line", given(potential=[3.0, 1.0, 0.5], cost=LINE), gives=2.0, source="|3 - 1|/1",
           near_misses={"the largest difference": 2.5, "the smallest slope": 0.25, "neighbors by their mean": 1.125}),
    Law.equal("a distance from one of the points has slope 1", given(x=PLACES),
              left=lambda f, x: f.lipschitz_constant(_distances(f, x)[0], _distances(f, x)), right=1.0),
    Rejects("lipschitz_constant", "coincident points", given(potential=zeros(3), cost=zeros(3, 3)), blames="cost"),
    Rejects("lipschitz_constant", "one point", given(potential=zeros(1), cost=zeros(1, 1)), blames="potential"),
    Rejects("lipschitz_constant", "sizes differ", given(potential=zeros(3), cost=np.ones((3, 2))), blames="cost"),
    # Entropic plans.
    Agree("sinkhorn", "regular", _between(A, B, COST, epsilon=0.5, iterations=20)),
    Agree("sinkhorn", "one iteration", _between(A, B, COST, epsilon=0.5, iterations=1)),
    Agree("sinkhorn", "weights of zero", _between(
        log_of([0.5, 0.0, 0.25, 0.25]), log_of([0, 0.5, 0.5, 0, 0]), COST, epsilon=0.5, iterations=3),
          no_gradient="the logarithm of a plan's zero has no slope"),
    Agree("sinkhorn", "where every exp(-c/epsilon) is 0", _between(
        A, B, uniform(4, 5, low=40.0, high=40.1), epsilon=0.05, iterations=3)),
    Agree("sinkhorn", "one row, epsilon 0.01", _between(zeros(1), B, uniform(1, 5), epsilon=0.01, iterations=2)),
    Anchor("sinkhorn", "two points, epsilon 1/log 3",
           _between(HALVES, HALVES, [[0.0, 1.0], [1.0, 0.0]], epsilon=1 / LOG_3, iterations=3),
           gives=(np.log([[0.375, 0.125], [0.125, 0.375]]), 0.25), source="3 to 1 in every row",
           near_misses={"the plan, not its logarithm": ([[0.375, 0.125], [0.125, 0.375]], 0.25),
                        "epsilon multiplies": (np.log([[0.35652, 0.14348], [0.14348, 0.35652]]), 0.28696),
                        "the entropy taken off": (np.log([[0.375, 0.125], [0.125, 0.375]]), -0.892)}),
    Anchor("sinkhorn", "epsilon 1e16: the product", _between(
        log_of([0.25, 0.75]), log_of([0.5, 0.2, 0.3]), [[1.0, 2.0, 3.0], [3.0, 1.0, 5.0]], epsilon=1e16, iterations=2),
           gives=(np.log([[0.125, 0.05, 0.075], [0.375, 0.15, 0.225]]), 2.85), source="a_i b_j",
           near_misses={"uniform marginals": (np.full((2, 3), -np.log(6.0)), 2.5),
                        "the cheapest plan": (np.log([[1e-9, 1e-9, 0.25], [0.5, 0.2, 0.05]]), 2.7)}),
    Law.equal("columns sum exactly", given(a=A, b=B, cost=COST),
              left=lambda f, a, b, c: _plan(f, a, b, c, epsilon=0.3, iterations=2).sum(axis=0),
              right=lambda f, a, b, c: np.exp(b)),
    Law.equal("rows sum, too, once it has converged", given(a=A, b=B, cost=COST),
              left=lambda f, a, b, c: _plan(f, a, b, c, epsilon=1.0, iterations=40).sum(axis=1),
              right=lambda f, a, b, c: np.exp(a)),
    Law.at_least("less entropy, less cost", given(a=A, b=B, cost=COST),
                 left=lambda f, a, b, c: f.sinkhorn(a, b, c, epsilon=1.0, iterations=40)[1],
                 right=lambda f, a, b, c: f.sinkhorn(a, b, c, epsilon=0.5, iterations=80)[1]),
    Rejects("sinkhorn", "a does not sum to one", _between(zeros(4), B, COST, epsilon=1.0, iterations=1), blames="log_weights_a"),
    Rejects("sinkhorn", "b does not sum to one", _between(A, zeros(5), COST, epsilon=1.0, iterations=1), blames="log_weights_b"),
    Rejects("sinkhorn", "cost transposed", _between(A, B, zeros(5, 4), epsilon=1.0, iterations=1), blames="cost"),
    Rejects("sinkhorn", "epsilon 0", _between(A, B, COST, epsilon=0.0, iterations=1), blames="epsilon"),
    Rejects("sinkhorn", "no iteration", _between(A, B, COST, epsilon=1.0, iterations=0), blames="iterations"),
    # The two players.
    Agree("critic_loss", "regular", given(scores_real=normal(7), scores_fake=normal(7))),
    Anchor("critic_loss", "a critic that is right", given(scores_real=[3.0, 2.0], scores_fake=[0.5, -1.0]), gives=[-2.5, -3.0],
           source="by hand", near_misses={"sign": [2.5, 3.0], "mean": [-2.75, -2.75], "sigmoid first": [-0.330115, -0.611856]}),
    Rejects("critic_loss", "sizes differ", given(scores_real=zeros(3), scores_fake=zeros(2)), blames="scores_fake"),
    Rejects("critic_loss", "two axes", given(scores_real=zeros(3, 2), scores_fake=zeros(3, 2)), blames="scores_real"),
    Agree("generator_loss", "regular", given(scores_fake=normal(7))),
    Anchor("generator_loss", "two scores", given(scores_fake=[0.5, -1.0]), gives=[-0.5, 1.0], source="by hand",
           near_misses={"sign": [0.5, -1.0], "mean": [0.25, 0.25]}),
    Law.equal("the players' losses part in the real scores alone", given(real=normal(7), fake=normal(7)),
              left=lambda f, r, g: f.critic_loss(r, g) + f.generator_loss(g), right=lambda f, r, g: -r),
    Rejects("generator_loss", "no axis", given(scores_fake=scalar(0.5)), blames="scores_fake"),
)  # fmt: skip
