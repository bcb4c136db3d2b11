"""Contracts of the optimum of KL-regularized reward (lecture 55)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, given, log_of, log_simplex, normal, uniform, zeros

# One prompt, three completions: pi_0 = (1/2, 1/4, 1/4), r = (0, log 2, log 4); at beta = 1 the tilted weights are 1/2, 1/2, 1.
REFERENCE, REWARDS = log_of([[0.5, 0.25, 0.25]]), [[0.0, LOG_2, 2 * LOG_2]]
R, PI_0, PI = normal(4, 5, scale=2.0), log_simplex(4, 5), log_simplex(4, 5)
SPARSE = log_of([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5]])  # what the reference never does
INSIDE = log_of([[0.25, 0.75, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])  # and a policy that does not do it either


def _cases():
    """(case, rewards, reference, coefficient) on which tilts and partition functions are compared."""
    yield "regular", R, PI_0, 0.7
    yield "coefficient 0.01", normal(4, 5, scale=0.05), PI_0, 0.01
    yield "coefficient 100", R, PI_0, 100.0
    yield "rewards near 1000", normal(4, 5, mean=1000.0), PI_0, 1.0
    yield "what the reference never does", normal(3, 3), SPARSE, 0.5
    yield "one completion", normal(4, 1), zeros(4, 1), 0.5


def _agrees():
    for case, rewards, reference, coefficient in _cases():
        arguments = {"rewards": rewards, "reference_log_probs": reference, "kl_coefficient": coefficient}
        silent = "a logarithm of 0 has no slope" if reference is SPARSE else ""
        yield Agree("tilted_log_probs", case, given(**arguments), no_gradient=silent)
        yield Agree("tilted_log_partition", case, given(**arguments))


def _kl(log_p, log_q):
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=1)


def _regularized(f, rewards, reference, beta):
    reward, divergence = f.reward_kl_frontier(rewards, reference, beta)
    return reward - beta * divergence


SPEC = (
    *_agrees(),
    Agree("regularized_value", "regular", given(rewards=R, log_probs=PI, reference_log_probs=PI_0, kl_coefficient=0.7)),
    Agree("regularized_value", "coefficient 100", given(rewards=R, log_probs=PI, reference_log_probs=PI_0, kl_coefficient=100.0)),
    Agree("regularized_value", "never where the reference never is",
          given(rewards=normal(3, 3), log_probs=INSIDE, reference_log_probs=SPARSE, kl_coefficient=0.5)),
    Agree("implicit_reward", "regular", given(log_probs=PI, reference_log_probs=PI_0, kl_coefficient=0.7)),
    Agree("implicit_reward", "of sequences", given(log_probs=normal(4, mean=-300.0, scale=20.0),
                                                   reference_log_probs=normal(4, mean=-300.0, scale=20.0), kl_coefficient=0.1)),
    Agree("implicit_reward", "where neither ever goes", given(log_probs=INSIDE, reference_log_probs=SPARSE, kl_coefficient=0.5),
          no_gradient="it is -inf where only the reference goes"),
    Agree("reward_kl_frontier", "regular", given(rewards=normal(5, scale=2.0), reference_log_probs=log_simplex(5),
                                                 kl_coefficients=uniform(4, low=0.2, high=3.0))),
    Agree("reward_kl_frontier", "large coefficients", given(rewards=normal(5), reference_log_probs=log_simplex(5),
                                                            kl_coefficients=[30.0, 100.0])),
    Agree("reward_kl_frontier", "what the reference never does",
          given(rewards=normal(3), reference_log_probs=log_of([0.5, 0.0, 0.5]), kl_coefficients=[0.5, 2.0])),
    Anchor(
        "tilted_log_probs", "three completions", given(rewards=REWARDS, reference_log_probs=REFERENCE, kl_coefficient=1.0),
        gives=log_of([[0.25, 0.25, 0.5]]), source="by hand",
        near_misses={"reference forgotten": log_of([[1 / 7, 2 / 7, 4 / 7]]), "not normalized": log_of([[0.5, 0.5, 1.0]]),
                     "sign of the reward": log_of([[8 / 11, 2 / 11, 1 / 11]])},
    ),
    Anchor(
        "tilted_log_probs", "at coefficient 1/2", given(rewards=REWARDS, reference_log_probs=REFERENCE, kl_coefficient=0.5),
        gives=log_of([[1 / 11, 2 / 11, 8 / 11]]), source="by hand",
        near_misses={"multiplied by the coefficient": log_of([[0.369398062518, 0.261203874964, 0.369398062518]]),
                     "coefficient forgotten": log_of([[0.25, 0.25, 0.5]])},
    ),
    Anchor(
        "tilted_log_partition", "three completions", given(rewards=REWARDS, reference_log_probs=REFERENCE, kl_coefficient=1.0),
        gives=[LOG_2], source="by hand",
        near_misses={"mean in place of the reference": [0.8472978603872037], "Z itself": [2.0], "sum over rewards": [np.log(7)],
                     "mean reward": [0.75 * LOG_2]},
    ),
    Anchor(
        "tilted_log_partition", "at coefficient 1/2", given(rewards=REWARDS, reference_log_probs=REFERENCE, kl_coefficient=0.5),
        gives=[1.7047480922384253], source="log(11/2)",
        near_misses={"times the coefficient": [0.85237404611921264], "coefficient forgotten": [LOG_2]},
    ),
    Anchor(
        "regularized_value", "of the reference and of the optimum, beta = 1",
        given(rewards=REWARDS * 2, log_probs=log_of([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]),
              reference_log_probs=log_of([[0.5, 0.25, 0.25]] * 2), kl_coefficient=1.0),
        gives=[0.75 * LOG_2, LOG_2], source="by hand",
        near_misses={"divergence added": [0.75 * LOG_2, 1.5 * LOG_2], "reward alone": [0.75 * LOG_2, 1.25 * LOG_2]},
    ),
    Anchor(
        "regularized_value", "a policy that does what the reference never does",
        given(rewards=[[1.0, 2.0]], log_probs=log_of([[0.5, 0.5]]), reference_log_probs=log_of([[1.0, 0.0]]), kl_coefficient=1.0),
        gives=[-np.inf], source="by definition", near_misses={"ignored": [1.5]},
    ),
    Anchor(
        "implicit_reward", "of the optimum at coefficient 1/2",
        given(log_probs=log_of([[1 / 11, 2 / 11, 8 / 11]]), reference_log_probs=REFERENCE, kl_coefficient=0.5),
        gives=[[-0.85237404611921264, -0.15922686555926733, 0.53392031500067798]], source="r - log(11/2) / 2",
        near_misses={"coefficient forgotten": [[-1.7047480922384253, -0.31845373111853466, 1.067840630001356]],
                     "turned over": [[0.85237404611921264, 0.15922686555926733, -0.53392031500067798]]},
    ),
    Anchor(
        "reward_kl_frontier", "coefficients 1 and 1/2",
        given(rewards=REWARDS[0], reference_log_probs=log_of([0.5, 0.25, 0.25]), kl_coefficients=[1.0, 0.5]),
        gives=([0.86643397569993164, 1.134240840916274], [0.17328679513998633, 0.5637335895941231]), source="by hand",
        near_misses={
            "divergence turned over": ([0.86643397569993164, 1.134240840916274], [0.17328679513998633, 0.6650273213985072]),
            "exchanged": ([0.17328679513998633, 0.5637335895941231], [0.86643397569993164, 1.134240840916274]),
        },
    ),
    Law.normalized("a tilt sums to one", given(rewards=normal(6, 4, scale=5.0), reference=log_simplex(6, 4)),
                   total=lambda f, r, pi_0: np.exp(f.tilted_log_probs(r, pi_0, kl_coefficient=0.3)).sum(axis=1)),
    Law.equal(
        "the deficit of any policy is beta times its divergence from the tilt", given(rewards=R, log_probs=PI, reference=PI_0),
        left=lambda f, r, pi, pi_0: (0.7 * f.tilted_log_partition(r, pi_0, kl_coefficient=0.7)
                                     - f.regularized_value(r, pi, pi_0, kl_coefficient=0.7)),
        right=lambda f, r, pi, pi_0: 0.7 * _kl(pi, f.tilted_log_probs(r, pi_0, kl_coefficient=0.7)),
    ),
    Law.equal(
        "the tilt has the value beta log Z", given(rewards=R, reference=PI_0),
        left=lambda f, r, pi_0: f.regularized_value(r, f.tilted_log_probs(r, pi_0, kl_coefficient=0.7), pi_0, kl_coefficient=0.7),
        right=lambda f, r, pi_0: 0.7 * f.tilted_log_partition(r, pi_0, kl_coefficient=0.7),
    ),
    Law.equal(
        "the implicit reward of the tilt is the reward, less beta log Z", given(rewards=R, reference=PI_0),
        left=lambda f, r, pi_0: f.implicit_reward(f.tilted_log_probs(r, pi_0, kl_coefficient=0.7), pi_0, kl_coefficient=0.7),
        right=lambda f, r, pi_0: r - 0.7 * f.tilted_log_partition(r, pi_0, kl_coefficient=0.7)[:, None],
    ),
    Law.equal(
        "a constant of the prompt changes no tilt", given(rewards=R, reference=PI_0, shift=normal(4)),
        left=lambda f, r, pi_0, shift: f.tilted_log_probs(r + shift[:, None], pi_0, kl_coefficient=0.7),
        right=lambda f, r, pi_0, shift: f.tilted_log_probs(r, pi_0, kl_coefficient=0.7),
    ),
    Law.equal(
        "tilting twice by a reward is tilting once at half the coefficient", given(rewards=R, reference=PI_0),
        left=lambda f, r, pi_0: f.tilted_log_probs(r, f.tilted_log_probs(r, pi_0, kl_coefficient=1.0), kl_coefficient=1.0),
        right=lambda f, r, pi_0: f.tilted_log_probs(r, pi_0, kl_coefficient=0.5),
    ),
    Law.equal(
        "reward less beta times divergence, on the frontier, is beta log Z",
        given(rewards=normal(5), reference=log_simplex(5), beta=uniform(3, low=0.5, high=2.0)),
        left=lambda f, r, pi_0, beta: _regularized(f, r, pi_0, beta),
        right=lambda f, r, pi_0, beta: np.array([
            b * f.tilted_log_partition(r[None], pi_0[None], kl_coefficient=float(b))[0] for b in beta
        ]),
    ),
    Law.equal(
        "the slope of beta log Z in the rewards is the tilt", given(rewards=R, reference=PI_0),
        left=lambda f, r, pi_0: 0.7 * f.gradient("tilted_log_partition", r, pi_0, kl_coefficient=0.7, wrt=0),
        right=lambda f, r, pi_0: np.exp(f.tilted_log_probs(r, pi_0, kl_coefficient=0.7)),
    ),
    *(
        Rejects(function, f"coefficient {coefficient:g}",
                given(rewards=zeros(2, 3), **policy, reference_log_probs=log_simplex(2, 3), kl_coefficient=coefficient),
                blames="kl_coefficient")
        for function, policy in (("tilted_log_probs", {}), ("tilted_log_partition", {}),
                                 ("regularized_value", {"log_probs": log_simplex(2, 3)}))
        for coefficient in (0.0, -1.0)
    ),
    Rejects("implicit_reward", "coefficient 0",
            given(log_probs=zeros(3), reference_log_probs=zeros(3), kl_coefficient=0.0), blames="kl_coefficient"),
    Rejects("implicit_reward", "shapes differ",
            given(log_probs=zeros(3), reference_log_probs=zeros(2), kl_coefficient=1.0), blames="reference_log_probs"),
    Rejects("tilted_log_probs", "a reference off the simplex",
            given(rewards=zeros(2, 3), reference_log_probs=zeros(2, 3), kl_coefficient=1.0), blames="reference_log_probs"),
    Rejects("tilted_log_partition", "a reference off the simplex",
            given(rewards=zeros(2, 3), reference_log_probs=zeros(2, 3), kl_coefficient=1.0), blames="reference_log_probs"),
    Rejects("tilted_log_probs", "no completion",
            given(rewards=zeros(2, 0), reference_log_probs=zeros(2, 0), kl_coefficient=1.0), blames="rewards"),
    Rejects("regularized_value", "a policy off the simplex",
            given(rewards=zeros(2, 3), log_probs=zeros(2, 3), reference_log_probs=log_simplex(2, 3), kl_coefficient=1.0),
            blames="log_probs"),
    Rejects("reward_kl_frontier", "a coefficient of 0",
            given(rewards=zeros(3), reference_log_probs=log_simplex(3), kl_coefficients=[1.0, 0.0]), blames="kl_coefficients"),
    Rejects("reward_kl_frontier", "a reference off the simplex",
            given(rewards=zeros(3), reference_log_probs=zeros(3), kl_coefficients=[1.0]), blames="reference_log_probs"),
    Rejects("reward_kl_frontier", "no completion",
            given(rewards=zeros(0), reference_log_probs=zeros(0), kl_coefficients=[1.0]), blames="rewards"),
)  # fmt: skip
