"""Contracts of the evidence lower bound and its relatives (lecture 17)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, log_of, log_simplex, normal, zeros

# Log weights log_joint - log_q of [[-0.5, -0.5, -3], [-2, -0.5, -1.75]].
JOINT, Q = [[-1.0, -2.0, -4.0], [-3.0, -2.5, -2.0]], [[-0.5, -1.5, -1.0], [-1.0, -2.0, -0.25]]
WITH_ZEROS = log_of([[0.25, 0.75, 0.0], [0.5, 0.25, 0.25]])

REGULAR = {"log_joint": normal(4, 3, mean=-4.0, scale=2.0), "log_q": normal(4, 3, mean=-1.0)}
EDGES = {  # far from 0, nearly equal weights, a dominating weight, an impossible sample
    "log_joint": [[-1700.0, -1703.5, -1699.2], [-30.0, -30.001, -29.9995], [-900.0, -1.0, -700.0], [-np.inf, -3.0, -4.0]],
    "log_q": [[-2.5, -1.25, -3.0], [-0.5, -0.5, -0.5], [0.3, -2.0, 1.0], [-1.0, -0.7, 0.2]],
}
ONE_SAMPLE = {"log_joint": normal(4, 1, mean=-4.0), "log_q": normal(4, 1)}


def _common():
    """The same cases for every function of log weights: the rows differ in the function and the order only."""
    for case, arguments in (("regular", REGULAR), ("extreme log weights", EDGES), ("one sample", ONE_SAMPLE)):
        yield Agree("importance_weighted_bound", case, given(**arguments))
        yield Agree("normalized_importance_weights", case, given(**arguments))
        yield Agree("effective_sample_size", case, given(**arguments))
    for order in (0.0, 0.5, 0.999, 1.0, 2.0):
        yield Agree("renyi_bound", f"regular, order {order:g}", given(**REGULAR, order=order))
    for order in (0.5, 0.999):
        yield Agree("renyi_bound", f"extreme log weights, order {order:g}", given(**EDGES, order=order))


def _log_sum(log_joint):
    return np.logaddexp.reduce(log_joint, axis=1)


def _drawn(f_bound, rng, draws, log_joint, log_q, size):
    """The bound of `size` samples of q, for each of `draws` repetitions: the one row of log_joint and log_q has every state."""
    states = rng.choice(log_q.shape[1], size=(draws, size), p=np.exp(log_q[0]))
    return f_bound(log_joint[0][states], log_q[0][states])


SPEC = (
    *_common(),
    # The evidence lower bound.
    Agree("elbo", "regular", given(**REGULAR)),
    Agree("elbo", "log weights near -700", given(log_joint=normal(4, 3, mean=-700.0), log_q=normal(4, 3))),
    Agree("elbo", "one sample", given(**ONE_SAMPLE)),
    Anchor(
        "elbo",
        "two rows of three",
        given(log_joint=JOINT, log_q=Q),
        gives=[-1.3333333333333333, -1.4166666666666667],
        source="by hand",
        near_misses={
            "sum over the samples": [-4.0, -4.25],
            "forgets log q": [-2.3333333333333333, -2.5],
            "sign of log q": [-3.3333333333333333, -3.5833333333333333],
            "log of the mean weight": [-0.86524249384089848, -1.1867444173930143],
        },
    ),
    Law.equal(
        "the ELBO moves with the scale of p",
        given(log_joint=normal(5, 3), log_q=normal(5, 3), shift=normal(5)),
        left=lambda f, log_joint, log_q, shift: f.elbo(log_joint + shift[:, None], log_q),
        right=lambda f, log_joint, log_q, shift: f.elbo(log_joint, log_q) + shift,
    ),
    Law.unbiased(
        "the ELBO of drawn samples averages to that of all states",
        given(log_joint=log_of([[0.1, 0.3, 0.02, 0.2]]), log_q=log_of([[0.3, 0.3, 0.2, 0.2]])),
        samples=lambda f, rng, draws, log_joint, log_q: _drawn(f.elbo, rng, draws, log_joint, log_q, 3),
        expected=lambda f, log_joint, log_q: f.exact_elbo(log_joint, log_q)[0],
        draws=20_000,
        detects=0.05,
    ),
    Rejects("elbo", "shapes differ", given(log_joint=zeros(5, 3), log_q=zeros(5, 2)), blames="log_q"),
    Rejects("elbo", "no samples", given(log_joint=zeros(5, 0), log_q=zeros(5, 0)), blames="log_joint"),
    Rejects("elbo", "no axis of samples", given(log_joint=zeros(5), log_q=zeros(5)), blames="log_joint"),
    # The importance-weighted bound.
    Anchor(
        "importance_weighted_bound",
        "two rows of three",
        given(log_joint=JOINT, log_q=Q),
        gives=[-0.86524249384089848, -1.1867444173930143],
        source="mpmath, 40 digits",
        near_misses={
            "mean of the logs": [-1.3333333333333333, -1.4166666666666667],
            "forgets to divide by S": [0.23336979482721120, -0.088132128724904640],
            "forgets log q": [-1.7496000718999233, -2.4183426180263748],
        },
    ),
    Law.at_least(
        "more samples tighten: L_S is at least the ELBO",
        given(log_joint=normal(9, 4, scale=3.0), log_q=normal(9, 4)),
        left=lambda f, *pair: f.importance_weighted_bound(*pair),
        right=lambda f, *pair: f.elbo(*pair),
    ),
    Law.equal(
        "one sample makes all bounds equal",
        given(log_joint=normal(6, 1, scale=3.0), log_q=normal(6, 1)),
        left=lambda f, *pair: np.stack([f.elbo(*pair), f.importance_weighted_bound(*pair), f.renyi_bound(*pair, order=2.0)]),
        right=lambda f, log_joint, log_q: np.tile((log_joint - log_q)[:, 0], (3, 1)),
    ),
    Law.equal(
        "at the posterior every bound is log p(x)",
        given(log_joint=normal(6, 4, mean=-3.0)),
        left=lambda f, log_joint: np.stack(
            [
                bound(log_joint, log_joint - _log_sum(log_joint)[:, None])
                for bound in (f.elbo, f.importance_weighted_bound, lambda *pair: f.renyi_bound(*pair, order=3.0), f.exact_elbo)
            ]
        ),
        right=lambda f, log_joint: np.tile(_log_sum(log_joint), (4, 1)),
    ),
    Law.unbiased(
        "the mean weight is unbiased for p(x)",
        given(log_joint=log_of([[0.1, 0.3, 0.02, 0.2]]), log_q=log_of([[0.3, 0.3, 0.2, 0.2]])),
        samples=lambda f, rng, draws, log_joint, log_q: np.exp(
            _drawn(f.importance_weighted_bound, rng, draws, log_joint, log_q, 5)
        ),
        expected=0.62,
        draws=20_000,
        detects=0.02,
    ),
    Law.equal(
        "the gradient of L_S in the log weights is the normalized weights",
        given(log_joint=normal(6, 4, scale=2.0), log_q=normal(6, 4)),
        left=lambda f, *pair: f.gradient("importance_weighted_bound", *pair, wrt=0),
        right=lambda f, *pair: f.normalized_importance_weights(*pair),
    ),
    Rejects("importance_weighted_bound", "shapes differ", given(log_joint=zeros(5, 3), log_q=zeros(4, 3)), blames="log_q"),
    Rejects("importance_weighted_bound", "no samples", given(log_joint=zeros(5, 0), log_q=zeros(5, 0)), blames="log_joint"),
    # The Renyi bounds.
    Agree(
        "renyi_bound", "far from 0, order 2", given(log_joint=normal(4, 3, mean=-700.0, scale=3.0), log_q=normal(4, 3), order=2.0)
    ),
    Agree("renyi_bound", "one sample, order 2", given(**ONE_SAMPLE, order=2.0)),
    Agree("renyi_bound", "a millionth from order 1", given(**REGULAR, order=1.000001)),
    Anchor(
        "renyi_bound",
        "order 2",
        given(log_joint=JOINT, log_q=Q, order=2.0),
        gives=[-2.0533960957230255, -1.5954998977338045],
        source="mpmath, 40 digits",
        near_misses={
            "order used as 1 - order": [-0.70105089844301552, -0.98736966514937110],
            "forgets 1 / (1 - order)": [2.0533960957230255, 1.5954998977338045],
            "forgets to divide by S": [-3.1520083843911352, -2.6941121864019142],
            "order does not reach the weights": [0.86524249384089848, 1.1867444173930143],
        },
    ),
    Anchor(
        "renyi_bound",
        "order 1/2",
        given(log_joint=JOINT, log_q=Q, order=0.5),
        gives=[-1.0431758532983184, -1.3033167445994562],
        source="mpmath, 40 digits",
        near_misses={
            "forgets 1 / (1 - order)": [-0.52158792664915921, -0.65165837229972810],
            "forgets to divide by S": [1.1540487240379010, 0.89390783273676314],
            "order does not reach the weights": [-1.7304849876817970, -2.3734888347860286],
        },
    ),
    Law.equal(
        "order 0 is the importance-weighted bound, order 1 the ELBO",
        given(log_joint=normal(6, 4, scale=2.0), log_q=normal(6, 4)),
        left=lambda f, *pair: np.stack([f.renyi_bound(*pair, order=0.0), f.renyi_bound(*pair, order=1.0)]),
        right=lambda f, *pair: np.stack([f.importance_weighted_bound(*pair), f.elbo(*pair)]),
    ),
    Law.limit(
        "the Renyi bound tends to the ELBO at order 1",
        given(log_joint=normal(6, 4), log_q=normal(6, 4)),
        value=lambda f, h, *pair: f.renyi_bound(*pair, order=1.0 - h),
        at=(1e-2, 1e-3, 1e-4),
        limit=lambda f, *pair: f.elbo(*pair),
        order=1,
    ),
    Law.at_least(
        "the Renyi bound falls with its order",
        given(log_joint=normal(9, 4, scale=2.0), log_q=normal(9, 4)),
        left=lambda f, *pair: np.stack([f.renyi_bound(*pair, order=order) for order in (0.0, 0.3, 0.999, 1.0, 2.0)]),
        right=lambda f, *pair: np.stack([f.renyi_bound(*pair, order=order) for order in (0.3, 0.999, 1.0, 2.0, 6.0)]),
    ),
    Rejects("renyi_bound", "a negative order", given(log_joint=zeros(5, 3), log_q=zeros(5, 3), order=-0.5), blames="order"),
    Rejects("renyi_bound", "shapes differ", given(log_joint=zeros(5, 3), log_q=zeros(5, 2), order=0.5), blames="log_q"),
    Rejects("renyi_bound", "no samples", given(log_joint=zeros(5, 0), log_q=zeros(5, 0), order=0.5), blames="log_joint"),
    # Weights and their effective number.
    Anchor(
        "normalized_importance_weights",
        "two rows of three",
        given(log_joint=JOINT, log_q=Q),
        gives=[
            [0.48028778876026895, 0.48028778876026895, 0.039424422479462077],
            [0.14780404965619499, 0.66241179389587370, 0.18978415644793140],
        ],
        source="mpmath, 40 digits",
        near_misses={
            "normalized over the batch": [
                [0.81757447619364366, 0.5, 0.22270013882530884],
                [0.18242552380635635, 0.5, 0.77729986117469116],
            ],
            "divided by the largest": [[1.0, 1.0, 0.082084998623898795], [0.22313016014842983, 1.0, 0.28650479686019010]],
            "forgets log q": [
                [0.70538451269824119, 0.25949646034241913, 0.035119026959339723],
                [0.18632372322584759, 0.30719588571849843, 0.50648039105565398],
            ],
        },
    ),
    Law.normalized(
        "the weights of each x sum to one",
        given(log_joint=normal(7, 4, scale=5.0), log_q=normal(7, 4)),
        total=lambda f, *pair: f.normalized_importance_weights(*pair).sum(axis=1),
    ),
    Rejects("normalized_importance_weights", "shapes differ", given(log_joint=zeros(5, 3), log_q=zeros(5, 2)), blames="log_q"),
    Rejects("normalized_importance_weights", "no samples", given(log_joint=zeros(5, 0), log_q=zeros(5, 0)), blames="log_joint"),
    Anchor(
        "effective_sample_size",
        "two rows of three",
        given(log_joint=JOINT, log_q=Q),
        gives=[2.1602611083213132, 2.0134764076998849],
        source="mpmath, 40 digits",
        near_misses={
            "its inverse": [0.46290700515229664, 0.49665344782577319],
            "as a fraction": [0.72008703610710439, 0.67115880256662831],
            "one over the largest weight": [2.0820849986238988, 1.5096349570086198],
            "perplexity of the weights": [2.2977510748182738, 2.3888310391139000],
        },
    ),
    Law.at_least(
        "the effective sample size is at least 1 and at most S",
        given(log_joint=normal(9, 4, scale=6.0), log_q=normal(9, 4)),
        left=lambda f, *pair: np.stack([f.effective_sample_size(*pair), 4.0 - f.effective_sample_size(*pair)]),
        right=lambda f, *pair: np.stack([np.ones(9), np.zeros(9)]),
    ),
    Law.equal(
        "equal weights count as S samples",
        given(log_joint=normal(6, 4), shift=normal(6)),
        left=lambda f, log_joint, shift: f.effective_sample_size(log_joint, log_joint - shift[:, None]),
        right=4.0,
    ),
    Rejects("effective_sample_size", "shapes differ", given(log_joint=zeros(5, 3), log_q=zeros(5, 2)), blames="log_q"),
    Rejects("effective_sample_size", "no samples", given(log_joint=zeros(5, 0), log_q=zeros(5, 0)), blames="log_joint"),
    # The exact bound over a finite z.
    Agree("exact_elbo", "regular", given(log_joint=normal(5, 3, mean=-3.0), log_q=log_simplex(5, 3))),
    Agree("exact_elbo", "q with zeros", given(log_joint=normal(2, 3, mean=-3.0), log_q=WITH_ZEROS)),
    Agree(
        "exact_elbo", "q and p with the same zeros", given(log_joint=log_of([[0.1, 0.2, 0.0], [0.2, 0.3, 0.1]]), log_q=WITH_ZEROS)
    ),
    Agree("exact_elbo", "one state", given(log_joint=normal(4, 1), log_q=log_simplex(4, 1))),
    Agree("exact_elbo", "log joint near -700", given(log_joint=normal(4, 3, mean=-700.0), log_q=log_simplex(4, 3, scale=3.0))),
    Anchor(
        "exact_elbo",
        "two rows of three",
        given(log_joint=JOINT, log_q=WITH_ZEROS),
        gives=[-1.1876648553811918, -1.5852792291600821],
        source="mpmath, 40 digits",
        near_misses={
            "forgets the entropy": [-1.75, -2.625],
            "sign of log q": [-2.3123351446188082, -3.6647207708399179],
            "mean over the states": [-0.39588828512706392, -0.52842640972002738],
            "log p(x) itself": [-0.65098778323181363, -1.3197303293582654],
        },
    ),
    Law.at_least(
        "the exact ELBO is at most log p(x)",
        given(log_joint=normal(9, 4), log_q=log_simplex(9, 4)),
        left=lambda f, log_joint, log_q: _log_sum(log_joint),
        right=lambda f, *pair: f.exact_elbo(*pair),
    ),
    Rejects(
        "exact_elbo",
        "q off the simplex",
        given(log_joint=zeros(2, 3), log_q=log_of([[0.5, 0.4, 0.2], [0.2, 0.3, 0.5]])),
        blames="log_q",
    ),
    Rejects("exact_elbo", "shapes differ", given(log_joint=zeros(5, 3), log_q=log_simplex(5, 2)), blames="log_q"),
    Rejects("exact_elbo", "no states", given(log_joint=zeros(5, 0), log_q=zeros(5, 0)), blames="log_joint"),
)
