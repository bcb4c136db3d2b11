"""The best policy at a price per nat, and the reward that it reveals.

The lecture on the functions of theory_jax/preference/kl_optimum.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.preference.kl_optimum import (
    implicit_reward,
    regularized_value,
    reward_kl_frontier,
    tilted_log_partition,
    tilted_log_probs,
)

derivation = Derivation(
    module=__name__,
    title="The best policy at a price per nat, and the reward that it reveals",
    lectures=(55,),
    sources=(
        "Peters & Schaal 2007, Reinforcement learning by reward-weighted regression",
        "Korbak, Perez & Buckley 2022, RL with KL penalties is better viewed as Bayesian inference",
        "Rafailov et al. 2023, Direct preference optimization, eqs. 3 to 5",
        "Gao, Schulman & Hilton 2023, Scaling laws for reward model overoptimization",
    ),
    question="A language model that is trained to maximize a reward alone forgets everything else: its best policy writes only "
    "the texts that the reward rates highest, whether they are good or not. So leaving the reference model is given a price. "
    "Which policy is then the best, and what does it reveal about the reward?",
    setting=(
        r"One prompt is fixed and has finitely many completions $i$. The reference gives each a positive probability; what it "
        r"never does is left out, since a policy that does it is worth $-\infty$. The rewards $r_i$ are finite.",
        r"A nat of divergence from the reference has a positive price, $\beta$.",
    ),
    limits=(
        "How to sample the optimum where there are too many completions to sum over: reinforcement learning does, from samples.",
        "Whether a network can represent it.",
    ),
    trained="The optimum is exact. `preference/overoptimization` and `preference/pipeline` train policies toward it.",
)

i = derivation.index("i", "a completion")
j = derivation.index("j", "another completion")
reference = derivation.law(r"\pi_0", i, "the reference", "exp(reference_log_probs)")
r = derivation.numbers("r", i, "the rewards", "rewards")
beta = derivation.number(r"\beta", "the price of a nat", "kl_coefficient", positive=True)
pi = derivation.law(r"\pi", i, "any policy", "exp(log_probs)")
J = derivation.define(
    "J", plus(Expectation(pi, r), -beta * Divergence(pi, reference)), "the regularized value of a policy", "regularized_value"
)
Z = derivation.define(
    "Z", Total(i, reference * exp(r / beta)), "the partition function", "exp(tilted_log_partition)", positive=True
)
best = derivation.define(
    r"\pi_*", reference * exp(r / beta) / Z, "the reference, tilted by the rewards", "exp(tilted_log_probs)", over=i, law=True
)

derivation.answer = prose(
    "The optimum is the reference, tilted: {tilt}. It is worth {worth}, and every other policy is worth less by the price of its "
    "divergence from it: {gap}. Read backwards, {reward}: the policy knows the reward up to a constant of the prompt.",
    tilt=holds(best, "=", reference * exp(r / beta) / Z, wrong={"the reward times the price": reference * exp(r * beta) / Z}),
    worth=holds(J, "=", times(beta, log(Z)), when={pi: best}, wrong={"without the price": log(Z)}),
    gap=holds(
        J, "=", plus(times(beta, log(Z)), -beta * Divergence(pi, best)), wrong={"no price": beta * log(Z) - Divergence(pi, best)}
    ),
    reward=holds(
        r, "=", plus(times(beta, log(best / reference)), times(beta, log(Z))), wrong={"no constant": beta * log(best / reference)}
    ),
)
derivation.chain(
    "Every policy falls short of the tilt by the price of its divergence from it",
    J,
    equals(
        times(beta, Expectation(pi, log(reference * exp(r / beta) / pi))),
        r"the reward is $\beta$ times the logarithm of $e^{r/\beta}$; all in one logarithm",
        wrong={
            "the reward times the price": times(beta, Expectation(pi, log(reference * exp(r * beta) / pi))),
            "the divergence turned over": times(beta, Expectation(pi, log(pi * exp(r / beta) / reference))),
        },
    ),
    equals(
        times(beta, Expectation(pi, log(Z * best / pi))),
        prose("{tilt} by definition", tilt=holds(reference * exp(r / beta), "=", Z * best)),
    ),
    equals(plus(times(beta, log(Z)), -beta * Divergence(pi, best)), r"$\log Z$ does not depend on the completion"),
    at_most(
        times(beta, log(Z)),
        prose("leave out the divergence (Gibbs); equality if and only if {same}", same=where(pi, best)),
        adding=beta * gibbs.at(pi, best),
    ),
    central=True,
    so=r"The optimum is unique, the optimum over all policies, and worth $\beta \log Z$. No derivative was needed.",
)
read_back = derivation.chain(
    "The reward, read back from the optimum",
    times(beta, log(best / reference)),
    equals(
        plus(r, -beta * log(Z)),
        "the logarithm of the definition",
        wrong={"the reward divided by the price": plus(r / beta, -log(Z))},
    ),
    so=prose(
        "Two rewards have the same optimum if and only if they differ by a constant, since the left side knows the optimum only. "
        "Every positive policy is the optimum, {optimum}, of the reward {reward}, for which {one}.",
        optimum=holds(best, "=", pi),
        reward=where(r, times(beta, log(pi / reference))),
        one=holds(Z, "=", 1),
    ),
)
derivation.chain(
    "In a comparison of two completions the constant is gone",
    plus(r, -r.at(j)),
    equals(
        times(beta, plus(log(best / reference), -log(best.at(j) / reference.at(j)))),
        "subtract the last line for $j$ from that for $i$",
        wrong={"the reference forgotten": times(beta, plus(log(best), -log(best.at(j))))},
    ),
    so="A reward model needs differences only, so the policy itself can take its place: that is direct preference optimization.",
    role="lemma",
)

derivation.say(r"How much reward does a nat buy? Let the price vary, and count in its inverse, $\theta$.")
theta = derivation.number(r"\theta", r"the inverse price, $1/\beta$", positive=True)
A = derivation.define(
    "A", log(Total(i, reference * exp(theta * r))), "the logarithm of the partition function", "tilted_log_partition"
)
tilt = derivation.define(r"\pi_\theta", reference * exp(theta * r - A), r"the tilt at $\theta$", over=i, law=True)
R = derivation.define("R", Expectation(tilt, r), "its reward", "reward_kl_frontier[0]")
K = derivation.define("K", Divergence(tilt, reference), "its divergence from the reference, in nats", "reward_kl_frontier[1]")
derivation.chain(
    "The reward is the slope of the partition function",
    Slope(A, theta),
    equals(
        R,
        "the derivative of a log-sum-exp is a mean under its softmax",
        wrong={"the reward under the reference": Expectation(reference, r)},
    ),
    states=2,
    role="lemma",
)
growth = derivation.chain(
    "More tilt, more reward",
    Slope(R, theta),
    equals(
        Variance(tilt, r),
        prose("{slope}", slope=holds(Slope(tilt, theta), "=", times(tilt, plus(r, -R)), wrong={"no mean": tilt * r})),
        wrong={"the second moment in place of the variance": Expectation(tilt, r**2)},
    ),
    at_least(
        0,
        prose("leave out a variance; it is zero only where {equal} for every $i$", equal=where(r, r.at(0))),
        dropping=Variance(tilt, r),
    ),
    states=2,
)
derivation.chain(
    "The divergence is the tilted reward less the logarithm of the partition function",
    K,
    equals(plus(times(theta, R), -A), prose("{ratio}", ratio=holds(log(tilt / reference), "=", plus(times(theta, r), -A)))),
    role="lemma",
)
derivation.chain(
    "A nat buys reward at its price",
    Slope(K, theta),
    equals(
        times(theta, Slope(R, theta)),
        prose("the product rule; two terms cancel, since {reward}", reward=holds(Slope(A, theta), "=", R)),
        wrong={"the price": Slope(R, theta) / theta},
    ),
    states=2,
    so=prose(
        "If the rewards are not all equal, {slope}, which is the price: the frontier of reward against divergence is concave, "
        "since the price falls along it. By the central chain no policy is above it: a policy with no more divergence than a "
        "tilt has no more reward. Against the price the reward falls, {falls}.",
        slope=holds(Slope(R, theta) / Slope(K, theta), "=", 1 / theta),
        falls=holds(
            Slope(Expectation(best, r), beta),
            "=",
            -Variance(best, r) / beta**2,
            wrong={"the first power": -Variance(best, r) / beta},
        ),
    ),
)
derivation.chain(
    "A second round with the same reward halves the price",
    best * exp(r / beta) / Total(j, best.at(j) * exp(r.at(j) / beta)),
    equals(
        reference * exp(2 * r / beta) / Total(j, reference.at(j) * exp(2 * r.at(j) / beta)),
        "the tilt of a tilt; what normalizes the first one cancels",
        wrong={"the same policy as after one round": best},
    ),
    so="Repeated tuning with the last policy as reference diverges farther than the price implies.",
    role="remark",
)
c = derivation.number("c", "by how much the second completion is worse", positive=True)
p = derivation.number("p", "its probability under the reference", between=(0, 1))
derivation.chain(
    "As the price falls to 0, the best completion alone is left",
    Limit(p * exp(-theta * c) / plus(1 - p, p * exp(-theta * c)), theta, oo),
    equals(0, prose("{none}: what is worse is not done any more", none=holds(Limit(exp(-theta * c), theta, oo), "=", 0))),
    role="lemma",
)
derivation.chain(
    "As the price grows without bound, the reference is left",
    Limit(p * exp(-theta * c) / plus(1 - p, p * exp(-theta * c)), theta, 0),
    equals(p, prose("{one}", one=holds(Limit(exp(-theta * c), theta, 0), "=", 1))),
    role="lemma",
)

for title, expression, code, mistake in (
    ("The code computes the tilt", log(best), tilted_log_probs, log(best / reference)),
    ("... the partition function", log(Z), tilted_log_partition, log(Total(i, exp(r / beta)))),
):
    derivation.bridge(
        title,
        expression,
        code,
        rewards=[r],
        reference_log_probs=[log(reference)],
        kl_coefficient=beta,
        wrong={"the reference forgotten": mistake},
    )
derivation.bridge(
    "... the value of a policy",
    J,
    regularized_value,
    rewards=[r],
    log_probs=[log(pi)],
    reference_log_probs=[log(reference)],
    kl_coefficient=beta,
    wrong={"the divergence turned over": Expectation(pi, r) - beta * Divergence(reference, pi)},
)
derivation.bridge(
    "... the reward that a policy implies",
    times(beta, log(pi / reference)),
    implicit_reward,
    log_probs=log(pi),
    reference_log_probs=log(reference),
    kl_coefficient=beta,
)
derivation.bridge(
    "... and the frontier",
    (R, K),
    reward_kl_frontier,
    rewards=r,
    reference_log_probs=log(reference),
    kl_coefficients=[1 / theta],
    wrong={"the divergence turned over": (R, Divergence(reference, tilt))},
)

_given = {reference: (Rational(1, 2), Rational(1, 4), Rational(1, 4)), r: (0, log(2), log(4)), beta: 1, theta: 1}


@derivation.example(
    r"Three completions with the probabilities $\frac12, \frac14, \frac14$ under the reference and the rewards $0, \log 2, "
    r"\log 4$, at the price 1: the tilted weights are $\frac12, \frac12, 1$."
)
def three_completions():
    yield Z, value(Z, _given), "2"
    yield best, value(best, _given), "(1/4, 1/4, 1/2)"
    yield R, value(R, _given), "0.8664"
    yield K, value(K, _given), "0.1733"
    yield times(beta, log(Z)), value(beta * log(Z), _given), "0.6931"
    yield r"J \text{ of the reference}", value(J, _given | {pi: _given[reference]}), "0.5199"
    yield r"\mathrm{KL}(\pi_0 \,\|\, \pi_*)", value(Divergence(reference, best), _given), "0.1733"


_REWARDS, _REFERENCE = jnp.log(jnp.array([1.0, 2.0, 4.0])), jnp.log(jnp.array([0.5, 0.25, 0.25]))


@derivation.figure(
    r"Reward against divergence in the example. No policy (gray: 400 drawn at random) is above the frontier of tilts; at the "
    r"tilt for the price 1 (dot) the tangent has the slope 1."
)
def the_frontier(axes):
    rng = np.random.default_rng(0)
    policies = rng.dirichlet(np.ones(3), size=400)
    divergence = (policies * (np.log(policies) - np.asarray(_REFERENCE))).sum(axis=1)
    axes.plot(divergence, policies @ np.asarray(_REWARDS), ".", color="gray", markersize=3)
    reward, spent = reward_kl_frontier(_REWARDS, _REFERENCE, jnp.logspace(-1.3, 2, 60))
    axes.plot(spent, reward, label="tilts")
    (reward,), (spent,) = reward_kl_frontier(_REWARDS, _REFERENCE, jnp.ones(1))
    axes.plot(spent, reward, "o", color="black")
    near = np.array([0.0, 0.5])
    axes.plot(near, float(reward) + near - float(spent), "--", color="black", linewidth=1, label=r"slope $\beta = 1$")
    axes.set(xlabel=r"$\mathrm{KL}(\pi \,\|\, \pi_0)$, nats", ylabel="expected reward", xlim=(-0.03, 1.45))
    axes.legend(loc="lower right")
