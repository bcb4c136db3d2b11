"""Contracts of over-optimization (lecture 54)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Cancels, Law, Rejects, given, log_of, log_simplex, normal, uniform, zeros

FROZEN = ("rewards",)  # the law jumps where two rewards become equal
TIES = np.array(
    [
        [3.0, -1.0, 3.0, 0.5, 0.5, 3.0],
        [2.0, 2.0, 2.0, 2.0, 2.0, 2.0],
        [0.0, 1.0, 2.0, 2.0, 1.0, 0.0],
        [-1e-3, 0.0, 1e-3, 0.0, 1e-3, 5.0],
    ]
)
REWARDS, LOG_P = normal(4, 6), log_simplex(4, 6)
SPARSE = log_of(
    [
        [0.0, 0.5, 0.25, 0.0, 0.25, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.25, 0.25, 0.0, 0.0, 0.25, 0.25],
        [0.5, 0.0, 0.0, 0.125, 0.375, 0.0],
    ]
)
QUARTERS = log_of([[0.5, 0.25, 0.25]])
# A best completion of probability 1e-12, and a worst one: 1 - (1 - e)^n and e^n.
RARE = np.log([[1e-12, 0.5, 0.5 - 1e-12]])


def _kl(log_p, log_q):
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=1)


def _by_enumeration(rewards, log_probs, samples):
    """The law of the winner over all tuples of draws, one row after the other."""
    rows = []
    for reward, p in zip(rewards, np.exp(log_probs), strict=True):
        law = np.zeros(len(p))
        for drawn in np.ndindex(*[len(p)] * samples):
            drawn = np.array(drawn)
            best = drawn[reward[drawn] == reward[drawn].max()]
            np.add.at(law, best, np.prod(p[drawn]) / len(best))
        rows.append(law)
    return np.array(rows)


SPEC = (
    *(
        Agree("best_of_n_log_probs", case, given(rewards=rewards, log_probs=log_probs, samples=samples), frozen=FROZEN,
              differentiate=("log_probs",), no_gradient=silent)
        for case, rewards, log_probs, samples, silent in (
            ("regular", REWARDS, LOG_P, 3, ""),
            ("one sample", REWARDS, LOG_P, 1, ""),
            ("64 samples, with ties", TIES, LOG_P, 64, ""),
            ("completions of small probability", REWARDS, log_simplex(4, 6, scale=8.0), 16, ""),
            ("an impossible completion", TIES, SPARSE, 4, "a logarithm of 0 has no slope"),
        )
    ),
    Anchor("best_of_n_log_probs", "one completion", given(rewards=[[3.0], [-1.0]], log_probs=zeros(2, 1), samples=5),
           gives=[[0.0], [0.0]], source="by definition", frozen=FROZEN, near_misses={"n times": [[1.609], [1.609]]}),
    Anchor(
        "best_of_n_log_probs", "the best of two among three, then with a tie",
        given(rewards=[[0.0, 1.0, 2.0], [0.0, 1.0, 1.0]], log_probs=QUARTERS.repeat(2, axis=0), samples=2),
        gives=log_of([[4 / 16, 5 / 16, 7 / 16], [1 / 4, 3 / 8, 3 / 8]]), source="by hand", frozen=FROZEN,
        near_misses={"F^n": log_of([[1 / 4, 9 / 16, 1.0], [1 / 4, 1.0, 1.0]]),
                     "the least": log_of([[3 / 4, 3 / 16, 1 / 16], [3 / 4, 1 / 8, 1 / 8]]),
                     "tilted by n F^(n-1)": log_of([[1 / 2, 3 / 8, 1 / 2], [1 / 2, 1 / 2, 1 / 2]]),
                     "all of the tie to each": log_of([[4 / 16, 5 / 16, 7 / 16], [1 / 4, 3 / 4, 3 / 4]]),
                     "the first of the tie": log_of([[4 / 16, 5 / 16, 7 / 16], [1 / 4, 3 / 4, 0.0]]),
                     "the tie by its order": log_of([[4 / 16, 5 / 16, 7 / 16], [4 / 16, 5 / 16, 7 / 16]])},
    ),
    Anchor(
        "best_of_n_log_probs", "the best and the worst of three are rare, 1000 samples",
        given(rewards=[[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]], log_probs=RARE.repeat(2, axis=0), samples=1000),
        gives=[[-20.723265837445865, -1.0000000000005e-9, -693.147180561945], [-27631.021115928547, -693.147180557945, 0.0]],
        source="mpmath, 40 digits", frozen=FROZEN,
        near_misses={"F^n": [[0.0, -1e-9, -693.147180561945], [-27631.021115928547, -693.147180557945, 0.0]],
                     "bounded below": [[-20.723265837445865, -1e-9, -103.0], [-103.0, -103.0, 0.0]]},
    ),
    Law.normalized("the winner is somebody", given(rewards=REWARDS, log_probs=LOG_P),
                   total=lambda f, r, p: np.exp(f.best_of_n_log_probs(r, p, samples=7)).sum(axis=1)),
    Law.equal("all tuples of three draws", given(rewards=TIES[:, :4], log_probs=log_simplex(4, 4)),
              left=lambda f, r, p: np.exp(f.best_of_n_log_probs(r, p, samples=3)),
              right=lambda f, r, p: _by_enumeration(r, p, 3), frozen=FROZEN),
    Law.equal("the best of 3 of the best of 4 is the best of 12", given(rewards=TIES, log_probs=LOG_P),
              left=lambda f, r, p: f.best_of_n_log_probs(r, f.best_of_n_log_probs(r, p, samples=4), samples=3),
              right=lambda f, r, p: f.best_of_n_log_probs(r, p, samples=12), frozen=FROZEN),
    Law.equal("only the order of the rewards counts", given(rewards=REWARDS, log_probs=LOG_P),
              left=lambda f, r, p: f.best_of_n_log_probs(np.exp(r), p, samples=4),
              right=lambda f, r, p: f.best_of_n_log_probs(r, p, samples=4)),
    *(
        Law.at_least(f"the bound of the divergence, {samples} samples", given(rewards=TIES, log_probs=LOG_P),
                     left=lambda f, r, p, n=samples: f.best_of_n_kl_bound(samples=n) * np.ones(4),
                     right=lambda f, r, p, n=samples: _kl(f.best_of_n_log_probs(r, p, samples=n), p), frozen=FROZEN)
        for samples in (2, 16)
    ),
    *(Agree("best_of_n_kl_bound", f"{samples} samples", given(samples=samples)) for samples in (2, 5, 1000)),
    Anchor("best_of_n_kl_bound", "one sample", given(samples=1), gives=0.0, source="by definition",
           near_misses={"of two": LOG_2 - 0.5}),
    Anchor("best_of_n_kl_bound", "four samples", given(samples=4), gives=0.6362943611198906, source="2 log 2 - 3/4",
           near_misses={"log n": 2 * LOG_2, "added": 2.1362943611198906, "1/n": 1.1362943611198906, "in bits": 0.9179787}),
    Agree("expected_gold_reward", "regular",
          given(proxy=normal(5, mean=2.0), gold_mean=0.5, gold_variance=2.0, noise_variance=0.7)),
    Agree("expected_gold_reward", "no noise", given(proxy=normal(5), gold_mean=0.5, gold_variance=2.0, noise_variance=0.0)),
    Agree("expected_gold_reward", "far from the mean",
          given(proxy=[300.0, -300.0, 1e4], gold_mean=-100.0, gold_variance=1e-3, noise_variance=1e3)),
    Anchor("expected_gold_reward", "a quarter of the variance",
           given(proxy=[6.0, -2.0], gold_mean=2.0, gold_variance=1.0, noise_variance=3.0),
           gives=[3.0, 1.0], source="by hand: 2 + 4/4, 2 - 4/4",
           near_misses={"the noise's share": [5.0, -1.0], "towards 0": [1.5, -0.5], "deviations": [3.4641016151, 0.5358983849],
                        "the proxy": [6.0, -2.0]}),
    *(Agree("normal_maximum_mean", f"{samples} samples", given(samples=samples)) for samples in (2, 16)),
    Agree("normal_maximum_mean", "1000000 samples", given(samples=10**6), cancels=Cancels(14.0, "log n and x^2/2, both near 14")),
    Anchor("normal_maximum_mean", "one sample", given(samples=1), gives=0.0, source="by symmetry",
           cancels=Cancels(0.4, "the positive and the negative half of the integral"),
           near_misses={"of two": 0.5641895835}),
    Anchor("normal_maximum_mean", "two samples", given(samples=2), gives=0.5641895835477563, source="1/sqrt(pi)",
           near_misses={"sqrt(2 log n)": 1.1774100226, "the median": 0.5449521356, "two half-normals": 0.7978845608}),
    Anchor("normal_maximum_mean", "three samples", given(samples=3), gives=0.8462843753216345, source="3/(2 sqrt(pi))",
           near_misses={"of two": 0.5641895835, "quantile n/(n+1)": 0.6744897502}),
    *(
        Agree("overoptimization_curve", f"{method}{case}", given(kl=kl, gain=gain, decay=decay, method=method),
              no_gradient=silent)
        for method in ("best_of_n", "reinforcement")
        for case, kl, gain, decay, silent in (
            ("", uniform(5, low=0.1, high=3.0), 1.0, 0.25, ""),
            (", near and at the start", [0.0, 1e-300, 1e-8, 1.0, 400.0], 0.7, 0.1, "the slope at 0 is infinite"),
            (", without decay", uniform(5, low=0.1, high=9.0), 2.0, 0.0, ""),
        )
    ),
    Anchor("overoptimization_curve", "best of n: d = 2 and 4, the peak and the end",
           given(kl=[0.0, 4.0, 16.0], gain=1.0, decay=0.25, method="best_of_n"), gives=[0.0, 1.0, 0.0], source="by hand",
           near_misses={"in the divergence itself": [0.0, 0.0, -48.0], "a logarithm": [0.0, 1.6534264097, 2.6137056389],
                        "decay added": [0.0, 3.0, 8.0]}),
    Anchor("overoptimization_curve", "reinforcement: d = 1, and 2 with log 2",
           given(kl=[0.0, 1.0, 4.0], gain=1.5, decay=0.5, method="reinforcement"), gives=[0.0, 1.5, 3.0 - LOG_2],
           source="by hand",
           near_misses={"in the divergence itself": [0.0, 1.5, 6.0 - 4 * LOG_2],
                        "the logarithm of the divergence": [0.0, 1.5, 3 - 2 * LOG_2], "base 10": [0.0, 1.5, 2.6989700043],
                        "a line": [0.0, 1.0, 1.0]}),
    *(
        Law.at_least(f"{method}: nowhere higher than at its peak", given(kl=uniform(7, low=0.1, high=60.0)),
                     left=lambda f, kl, m=method, d=peak: f.overoptimization_curve(
                         np.full(7, d**2), gain=0.9, decay=0.3, method=m),
                     right=lambda f, kl, m=method: f.overoptimization_curve(kl, gain=0.9, decay=0.3, method=m))
        for method, peak in (("best_of_n", 1.5), ("reinforcement", np.exp(2.0)))
    ),
    *(
        Rejects("best_of_n_log_probs", case, given(rewards=rewards, log_probs=log_probs, samples=samples), blames=blamed)
        for case, rewards, log_probs, samples, blamed in (
            ("no sample", zeros(2, 3), log_simplex(2, 3), 0, "samples"),
            ("no completion", zeros(2, 0), zeros(2, 0), 2, "rewards"),
            ("not a number", [[0.0, np.nan, 1.0]], QUARTERS, 2, "rewards"),
            ("an infinite reward", [[0.0, np.inf, 1.0]], QUARTERS, 2, "rewards"),
            ("off the simplex", zeros(2, 3), zeros(2, 3), 2, "log_probs"),
            ("probabilities for their logarithms", zeros(1, 3), [[0.5, 0.25, 0.25]], 2, "log_probs"),
            ("shapes differ", zeros(2, 3), log_simplex(2, 4), 2, "log_probs"),
            ("no batch", zeros(3), log_simplex(3), 2, "rewards"),
        )
    ),
    Rejects("best_of_n_kl_bound", "no sample", given(samples=0), blames="samples"),
    Rejects("normal_maximum_mean", "no sample", given(samples=0), blames="samples"),
    *(
        Rejects("expected_gold_reward", case, given(**{"proxy": [1.0], "gold_mean": 0.0, "gold_variance": 1.0,
                                                       "noise_variance": 1.0, name: value}), blames=name)
        for case, name, value in (("a gold without variance", "gold_variance", 0.0),
                                  ("a negative variance", "noise_variance", -0.5), ("not a number", "proxy", [np.nan]),
                                  ("a table", "proxy", zeros(2, 3)))
    ),
    *(
        Rejects("overoptimization_curve", case, given(**{"kl": [1.0], "gain": 1.0, "decay": 0.5, "method": "best_of_n",
                                                         name: value}), blames=name)
        for case, name, value in (("a negative divergence", "kl", [1.0, -0.1]), ("not a number", "kl", [np.nan]),
                                  ("an infinite divergence", "kl", [np.inf]), ("a negative gain", "gain", -1.0),
                                  ("a negative decay", "decay", -1.0), ("another method", "method", "ppo"),
                                  ("a table", "kl", zeros(2, 3)))
    ),
)  # fmt: skip
