"""Annealed importance sampling: a normalizer without bias, from walks out of equilibrium.

The lecture on the functions of theory_jax/energy/annealed_importance_sampling.py.
"""

import math

import jax.numpy as jnp
import numpy as np
from sympy import exp, log

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import SampleSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, Variance, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.energy._machine import states
from theory_jax.energy.annealed_importance_sampling import intermediate_log_prob, log_partition_estimate, log_weights, transition
from theory_jax.energy.restricted_boltzmann_machine import exact_log_partition
from theory_jax.lectures.energy._annealed_walks import draw_weights_by_factors, gap_and_variance, random_machine, walk_weights
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Annealed importance sampling: a normalizer without bias, from walks out of equilibrium",
    lectures=(),
    sources=(
        "Neal 2001, Annealed importance sampling",
        "Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks",
        "Jarzynski 1997, Nonequilibrium equality for free energy differences",
    ),
    question="Two energy models cannot be compared by their likelihoods without their normalizers, which are sums over "
    "exponentially many states; importance sampling from a simple distribution hardly ever meets the states that matter. How "
    "can a walk from that distribution estimate the normalizer without bias, although it never reaches equilibrium?",
    setting=(
        r"$f_0, \ldots, f_K$ are positive functions of a state, $Z_k$ is the sum of $f_k$ over all states, and $p_k$ the "
        "distribution $f_k / Z_k$. Samples of $p_0$ and its normalizer $Z_0$ are known, and $Z_K$ is wanted.",
        "$T_k$ is a transition that leaves $p_k$ as it is. A walk begins at a sample $x_1$ of $p_0$ and goes on from $x_k$ to "
        "$x_{k+1}$ by $T_k$. Its weight $w$ is the product of the factors $f_k(x_k) / f_{k-1}(x_k)$, each taken before the "
        "move.",
        "The chains write out three factors with two reversible transitions, and two factors for the distribution of whole "
        "walks. Each further factor takes one more move of the same kind.",
    ),
    limits=(
        "The variance with transitions that mix badly: it may be huge although the mean is exact, and a sample of weights need "
        "not show it.",
        "Which temperatures are best. The code takes any that rise from 0 to 1.",
    ),
    trained="An estimate of a trained model's constant. `energy/contrastive_divergence` reports likelihoods by it.",
)

x, y, z = (
    derivation.index(name, f"the {which} state of a walk") for name, which in (("x", "first"), ("y", "second"), ("z", "third"))
)
f0 = derivation.numbers("f_0({})", x, "the function with a known normalizer", positive=True)
f3 = derivation.numbers("f_3({})", z, "the last function, with the normalizer to be estimated", positive=True)
flows = [
    derivation.numbers(rf"s_{k}({{}},{{}})", (x, y), f"arbitrary numbers, of which the flow of $T_{k}$ is made", positive=True)
    for k in (1, 2)
]
both_ways = [
    derivation.define(
        rf"\phi_{k}({{}},{{}})", s + s.at(y, x), f"the flow of $T_{k}$: the same both ways", over=(x, y), positive=True
    )
    for k, s in zip((1, 2), flows, strict=True)
]
f1, f2 = (
    derivation.define(f"f_{k}({{}})", Total(y, flow), f"the function that $T_{k}$ leaves as it is", over=x, positive=True)
    for k, flow in zip((1, 2), both_ways, strict=True)
)
T1, T2 = (
    derivation.define(f"T_{k}({{}}|{{}})", flow / f, "the transition from $x$ to $y$", "transition", over=(y, x), law=True)
    for k, flow, f in zip((1, 2), both_ways, (f1, f2), strict=True)
)
Z0 = derivation.define("Z_0", Total(x, f0), "the known normalizer", positive=True)
Z3 = derivation.define("Z_3", Total(z, f3), "the wanted normalizer", "exp(exact_log_partition)", positive=True)
p0 = derivation.define("p_0({})", f0 / Z0, "the distribution of the first state", over=x, law=True)

kept = derivation.chain(
    "A reversible transition leaves its distribution as it is",
    Total(x, times(f1, T1)),
    equals(
        Total(x, times(f1.at(y), T1.at(x, y))),
        prose(
            "{flow}, which is symmetric: {turned}",
            flow=holds(f1 * T1, "=", both_ways[0]),
            turned=holds(both_ways[0], "=", both_ways[0].at(y, x)),
        ),
        wrong={"not turned": Total(x, times(f1.at(y), T1))},
    ),
    equals(f1.at(y), "the probabilities of the moves from $y$ sum to one", wrong={"another function": f2.at(y)}),
    states=2,
    role="lemma",
)
factors = (f1 / f0, f2.at(y) / f1.at(y), f3 / f2.at(z))
unbiased = derivation.chain(
    "The weight is unbiased",
    Total(x, Total(y, Total(z, times(p0, factors[0], T1, factors[1], T2.at(z, y), factors[2])))),
    equals(
        times(1 / Z0, Total(y, times(Total(x, times(f1, T1)), factors[1], Total(z, times(T2.at(z, y), factors[2]))))),
        prose("{cancels}; what depends on $x$ is summed first", cancels=holds(times(p0, f1 / f0), "=", f1 / Z0)),
        wrong={
            "weighed after the move": times(
                1 / Z0, Total(y, times(Total(x, times(f0, T1)), f1.at(y) / f0.at(y), Total(z, times(T2.at(z, y), factors[2]))))
            )
        },
    ),
    equals(
        times(1 / Z0, Total(y, times(f1.at(y), factors[1], Total(z, times(T2.at(z, y), factors[2]))))),
        "$T_1$ leaves $f_1$ as it is",
        wrong={
            "the first distribution kept": times(
                1 / Z0, Total(y, times(f0.at(y), factors[1], Total(z, times(T2.at(z, y), factors[2]))))
            )
        },
    ),
    equals(
        times(1 / Z0, Total(z, times(Total(y, times(f2.at(y), T2.at(z, y))), factors[2]))),
        "$f_1$ cancels, and what depends on $y$ is summed next: the same as two lines above, with one factor less",
        wrong={"one factor more": times(1 / Z0, Total(z, times(Total(y, times(f1.at(y), T2.at(z, y))), factors[2])))},
    ),
    equals(
        times(1 / Z0, Total(z, f3)),
        "$T_2$ leaves $f_2$ as it is, which cancels",
        wrong={"the second distribution": times(1 / Z0, Total(z, f2.at(z)))},
    ),
    equals(Z3 / Z0, "the definition of $Z_3$"),
    states=2,
    central=True,
    uses=(kept,),
    so="Only invariance is used: no state needs to have the distribution of its temperature, so the transitions need not mix. In "
    "physics this is Jarzynski's equality: the weight is the exponential of minus the work done on the way.",
)

f2_last = derivation.numbers("g({})", y, "the last function of a walk with $K = 2$", positive=True)
Z2 = derivation.define("Z_g", Total(y, f2_last), "its normalizer", positive=True)
derivation.chain(
    "A weight compares the walk with its reversal",
    times(f1 / f0, f2_last / f1.at(y), Z0 / Z2),
    equals(
        times(f2_last / Z2, T1.at(x, y)) / times(f0 / Z0, T1),
        prose(
            "multiply both sides of the fraction by the flow: {flow}",
            flow=holds(times(f1, T1), "=", times(f1.at(y), T1.at(x, y))),
        ),
        wrong={
            "the same move both ways": times(f2_last / Z2, T1) / times(f0 / Z0, T1),
            "without the moves": (f2_last / Z2) / (f0 / Z0),
        },
    ),
    states=2,
    so=prose(
        "The numerator is the probability of the reversed walk, which begins at a sample of the last distribution; the "
        "denominator that of the walk itself. The mean of the ratio under the walk is {one}, which is the result once more.",
        one=holds(
            Total(x, Total(y, times(p0, T1, f1 / f0, f2_last / f1.at(y), Z0 / Z2))),
            "=",
            1,
            named=True,
            wrong={"the other way up": Z0 / Z2},
        ),
    ),
)
path = derivation.index(r"\omega", "a walk as a whole")
Q = derivation.law("Q({})", path, "the distribution of the walks")
R = derivation.law("R({})", path, "the distribution of the reversed walks")
ratio = derivation.number(r"\rho", "the wanted ratio $Z_K / Z_0$", positive=True)
w = derivation.define(
    "w({})", ratio * R / Q, "the weight of a walk, by the last chain", "exp(log_weights)", over=path, positive=True
)
derivation.answer = prose(
    "The mean weight is exactly the wanted ratio, {mean}, if every transition leaves its own distribution as it is, however "
    "few temperatures there are and however badly the transitions mix. The logarithm of a weight is low on average, by a "
    "divergence between the walk and its reversal: {low}. That of a mean of several weights is low by no more, so likelihoods "
    r"come out too high on average. With perfect transitions the gap and the variance of $\log w$ fall as one over the number "
    "of temperatures.",
    mean=holds(Expectation(Q, w), "=", ratio, wrong={"averaged over the reversed walks": Expectation(R, w)}),
    low=holds(
        Expectation(Q, log(w)), "=", plus(log(ratio), -Divergence(Q, R)), wrong={"turned over": log(ratio) - Divergence(R, Q)}
    ),
)

derivation.chain(
    "The logarithm of a weight is low on average",
    Expectation(Q, log(w)),
    equals(plus(log(ratio), -Divergence(Q, R)), "the logarithm of the product, and the definition of a divergence"),
    at_most(
        log(ratio),
        prose("leave out the divergence (Gibbs); equality if and only if {same} for every walk", same=where(R, Q)),
        adding=gibbs.at(Q, R),
    ),
    so="The gap is zero only if every walk is as likely as its reversal: a change so slow that it could be undone. A mean of "
    r"several weights is unbiased, too, so by Jensen's inequality its logarithm is low, by no more. So $\log Z$ is "
    "underestimated on average, and a log-likelihood, from which it is subtracted, overestimated: this method is optimistic.",
)

beta = derivation.number(r"\beta", "the inverse temperature, from 0 to 1", "inverse_temperature", between=(0, 1))
gain = derivation.numbers("u({})", x, r"the logarithm of the last function over $f_0$")
f_beta = derivation.define(r"f_\beta({})", f0 * exp(beta * gain), "the function at an inverse temperature", over=x, positive=True)
Z_beta = derivation.define(r"Z_\beta", Total(x, f_beta), "its normalizer", positive=True)
p_beta = derivation.define(r"p_\beta({})", f_beta / Z_beta, "its distribution", over=x, law=True)
first = derivation.chain(
    "The slope of the log-normalizer is a mean",
    Slope(log(Z_beta), beta),
    equals(
        Total(x, times(gain, f_beta)) / Z_beta,
        prose("{slope}", slope=holds(Slope(f_beta, beta), "=", times(gain, f_beta))),
        wrong={"at the base": Total(x, times(gain, f0)) / Z0},
    ),
    equals(Expectation(p_beta, gain), r"the definition of $p_\beta$", wrong={"the sign": -Expectation(p_beta, gain)}),
    states=2,
    role="lemma",
)
derivation.chain(
    "The curvature of the log-normalizer is a variance",
    Slope(log(Z_beta), beta, 2),
    equals(
        plus(Total(x, times(gain**2, f_beta)) / Z_beta, -((Total(x, times(gain, f_beta)) / Z_beta) ** 2)),
        "the derivative of a quotient",
    ),
    equals(Variance(p_beta, gain), "the mean square less the square of the mean"),
    states=2,
    uses=(first,),
    so=prose(
        "Let the transitions be perfect, so that the states of a walk are independent samples of their temperatures, which are "
        r"$0, \frac1K, \ldots, \frac{K-1}{K}$. Then the mean of $\log w$ is a left Riemann sum with $K$ terms of the integral "
        r"of the slope, which is $\log(Z_1/Z_0)$. The slope never falls, {rises}, so the sum is never high: it is low by about "
        r"half the rise over $K$. And the variance of $\log w$ is a sum of $K$ variances over $K^2$.",
        rises=holds(Slope(log(Z_beta), beta, 2), ">=", 0),
    ),
    role="lemma",
)

derivation.symbol("K", "the number of factors of a weight")
derivation.symbol(r"\Delta_K", r"the gap $\log(Z_1/Z_0) - \mathbb{E}[\log w]$ of $K$ factors with perfect transitions")
derivation.symbol("V_K", r"the variance of $\log w$ with them")


@derivation.numeric(
    r"K \Delta_K \to \frac12 (\mathbb{E}_{p_1}[u] - \mathbb{E}_{p_0}[u]), \quad K V_K \to \mathbb{E}_{p_1}[u] - "
    r"\mathbb{E}_{p_0}[u]",
    because="Both come from the mean of the curvature over the path; the variance is twice the gap. Two states, for which $u$ "
    r"is 0 and $\log 4$, and 20,000 factors.",
    tolerance=1e-4,
    since="the next term of a Riemann sum is one over K smaller, 5e-5 here",
)
def both_fall_as_one_over_the_number():
    gains = np.array([0.0, np.log(4)])
    rise = np.log(4) * (4 / 5 - 1 / 2)
    found = 20_000 * np.array(gap_and_variance(gains, 20_000))
    return Sides(
        left=found,
        right=np.array([rise / 2, rise]),
        wrong={"the same": np.array([rise, rise]), "twice both": np.array([rise, 2 * rise])},
    )


v1, v2 = (derivation.index(f"v_{i}", f"visible unit {i}", states=2) for i in (1, 2))
h = derivation.index("h", "the hidden unit", states=2)
a1, a2 = (derivation.number(f"a_{i}", f"the logit of $v_{i}$ in the base distribution", "base_bias") for i in (1, 2))
b1, b2 = (derivation.number(f"b_{i}", f"the bias of $v_{i}$", "visible_bias") for i in (1, 2))
c = derivation.number("c", "the bias of $h$", "hidden_bias")
W1, W2 = (derivation.number(f"W_{i}", f"the weight between $v_{i}$ and $h$", "weight") for i in (1, 2))
between = plus(times(1 - beta, a1 * v1 + a2 * v2), times(beta, b1 * v1 + b2 * v2))
tempered = derivation.define(
    r"f_\beta({},{})",
    Total(h, exp(plus(between, times(beta, h, c + v1 * W1 + v2 * W2)))),
    "a restricted Boltzmann machine on the way from independent units to its own distribution",
    "exp(intermediate_log_prob)",
    over=(v1, v2),
    positive=True,
)
summed = derivation.chain(
    "Every distribution on the way is that of a restricted Boltzmann machine",
    tempered,
    equals(
        times(exp(between), 1 + exp(times(beta, c + v1 * W1 + v2 * W2))),
        "the hidden unit is 0 or 1; several are summed one by one",
        wrong={
            "the softplus tempered, not its argument": times(exp(between), (1 + exp(c + v1 * W1 + v2 * W2)) ** beta),
            "the hidden bias not tempered": times(exp(between), 1 + exp(plus(c, times(beta, v1 * W1 + v2 * W2)))),
        },
    ),
    so=r"With weights $\beta W$, hidden biases $\beta c$ and visible biases $(1 - \beta) a + \beta b$ it is a machine at every "
    r"temperature, so a block Gibbs step of that machine is the transition.",
    role="lemma",
)
base = derivation.chain(
    r"The base, at inverse temperature 0, has a normalizer in closed form",
    Total(v1, Total(v2, Total(h, exp(plus(a1 * v1, a2 * v2))))),
    equals(
        times(2, Total(v1, exp(a1 * v1)), Total(v2, exp(a2 * v2))),
        "independent indices: a sum of products is a product of sums, and the hidden unit adds a factor of 2",
    ),
    equals(
        times(2, 1 + exp(a1), 1 + exp(a2)), "a unit is 0 or 1", wrong={"two per visible unit": times(2, 2 + exp(a1), 2 + exp(a2))}
    ),
    uses=(summed,),
    so=prose(
        "Its logarithm is {log}; each further unit adds a term of its kind.",
        log=holds(
            log(Total(v1, Total(v2, Total(h, exp(plus(a1 * v1, a2 * v2)))))),
            "=",
            plus(log(2), log(1 + exp(a1)), log(1 + exp(a2))),
            named=True,
        ),
    ),
    role="lemma",
)

_STATES = states(2)
derivation.bridge(
    "The code's intermediate distribution",
    log(tempered),
    intermediate_log_prob,
    visible=_STATES,
    inverse_temperature=beta,
    weight=[[W1], [W2]],
    visible_bias=[b1, b2],
    hidden_bias=[c],
    base_bias=[a1, a2],
    wrong={"not the logarithm": tempered, "the base not left": log(tempered) + beta * (a1 * v1 + a2 * v2)},
)
run = derivation.index("r", "a run")
runs = derivation.count(run, "R", "the number of runs", "len(log_weights)")
weights = derivation.numbers("w", run, "the weights of runs", "exp(log_weights)", positive=True)
derivation.bridge(
    "... and its estimate of the log-normalizer",
    plus(log(2), log(1 + exp(a1)), log(1 + exp(a2)), log(Total(run, weights) / runs)),
    log_partition_estimate,
    log_weights=log(weights),
    weight=[[W1], [W2]],
    base_bias=[a1, a2],
    wrong={"the mean of logarithms": plus(log(2), log(1 + exp(a1)), log(1 + exp(a2)), Total(run, log(weights)) / runs)},
)

_LOG_2 = math.log(2)
_HALF = (np.full((2, 1), 2 * _LOG_2), np.zeros(2), np.zeros(1), np.zeros(2))  # half way its weights are log 2
derivation.symbol("w", "a weight of the code")


@derivation.exact(
    r"\mathbb{E}[w] = \frac{Z_1}{Z_0} = \frac{29}{8}",
    because=r"The machine has two visible units with weights $\log 4$ to one hidden unit, no biases, and fair coins as its "
    r"base; the temperatures are 0, $\frac12$ and 1. All probabilities on the way are multiples of a half, a thirtieth or a "
    "sixth, so the middles of 2 cells for each unit of the start, of 30 for the hidden unit and of 6 for each visible unit "
    "stand for all uniform numbers. The mean is over the code's weights of all of them.",
    outcomes=4 * 30 * 36,
    role="remark",
)
def weights_of_the_code():
    middles = [(np.arange(n) + 0.5) / n for n in (2, 2, 30, 6, 6)]
    cells = np.stack(np.meshgrid(*middles, indexing="ij"), -1).reshape(-1, 5)
    start, up, down = cells[:, :2], cells[None, :, 2:3], cells[None, :, 3:]
    log_w = log_weights(start, up, down, np.array([0.0, 0.5, 1.0]), *_HALF)
    begun = (start < 0.5).astype(float)
    moved = transition(begun, up[0], down[0], np.array(0.5), *_HALF)
    cold = transition(begun, up[0], down[0], np.array(0.0), *_HALF)  # at the temperature before

    def rise(states, lower, upper):
        return jnp.exp(
            intermediate_log_prob(states, np.array(upper), *_HALF) - intermediate_log_prob(states, np.array(lower), *_HALF)
        )

    wrong = {
        "both factors after the move": jnp.mean(rise(moved, 0.0, 0.5) * rise(moved, 0.5, 1.0)),
        "the transition of the temperature before": jnp.mean(rise(begun, 0.0, 0.5) * rise(cold, 0.5, 1.0)),
        "the exponential of the mean logarithm": jnp.exp(jnp.mean(log_w)),
    }
    return Sides(left=jnp.mean(jnp.exp(log_w)), right=jnp.exp(exact_log_partition(*_HALF[:3])) / 8, wrong=wrong)


derivation.symbol("Z_1", "the normalizer of a machine", "exp(exact_log_partition)")


@derivation.monte_carlo(
    r"\frac{Z_0}{Z_1}\, \mathbb{E}[w] = 1",
    because="A machine of 5 visible and 3 hidden units with standard normal parameters, 4000 walks with 20 factors from fair "
    "coins; $Z_1$ is summed over all states.",
    role="remark",
)
def walks_of_a_larger_machine():
    rng = np.random.default_rng(3)
    machine = random_machine(rng)
    log_w = walk_weights(rng, 4000, 20, machine)
    log_ratio = np.asarray(exact_log_partition(*machine[:3])) - 8 * _LOG_2
    wrong = {"the mean logarithm": np.exp(np.mean(log_w) - log_ratio), "half": 0.5}
    return SampleSides(samples=np.exp(log_w - log_ratio), expected=1.0, wrong=wrong)


@derivation.algorithm(
    "Annealed importance sampling",
    do(r"for each of $R$ walks: draw $v$ from the base, and let $w \leftarrow 1$"),
    do(r"for $k = 1, \ldots, K$:", indent=1),
    do(r"$w \leftarrow w\, f_{\beta_k}(v) / f_{\beta_{k-1}}(v)$", intermediate_log_prob, log_weights, by=unbiased, indent=2),
    do(r"if $k < K$: move $v$ by a block Gibbs step at $\beta_k$", transition, by=summed, indent=2),
    do(r"estimate $Z$ by $Z_0$ times the mean weight", log_partition_estimate, by=base),
)
def a_walk_of_two_factors():
    state, cold, half, warm = np.ones((1, 2)), *map(np.array, (0.0, 0.5, 1.0))

    def factor(state, lower, upper):
        return jnp.exp(intermediate_log_prob(state, upper, *_HALF) - intermediate_log_prob(state, lower, *_HALF))[0]

    yield r"v = 11: \quad w", factor(state, cold, half), "2.5"
    moved = transition(state, np.full((1, 1), 0.3), np.array([[0.4, 0.9]]), half, *_HALF)
    yield r"v \text{ after the move at } \tfrac12", moved[0], "(1, 0)"
    yield r"w", factor(state, cold, half) * factor(moved, half, warm), "4.1667"
    log_w = log_weights(np.array([[0.2, 0.2]]), np.full((1, 1, 1), 0.3), np.array([[[0.4, 0.9]]]), np.array([0, 0.5, 1]), *_HALF)
    yield r"Z_0 w", jnp.exp(log_partition_estimate(log_w, _HALF[0], _HALF[3])), "33.3333"


@derivation.example(
    prose(
        r"Two states and the functions (1, 1), (1, 2) and (1, 4), so the wanted ratio is $\frac52$. A perfect transition gives "
        r"the weights 1, 2, 2, 4 with probabilities $\frac16, \frac13, \frac16, \frac13$. A Metropolis flip, which goes from 1 "
        "to 2 always and back half of the time, is no independent sample, and has the same mean. Without a transition the "
        r"weights are 1 and 4. Last, two visible units with weights $\log 2$ to a hidden one, fair coins as the base and one "
        r"factor: the weights of 00, 01, 10 and 11 are 1, $\frac32$, $\frac32$ and $\frac52$, and their mean $\frac{13}{8}$ "
        "times the base's normalizer, {base}, is 13.",
        base=holds(times(2, 1 + exp(a1), 1 + exp(a2)), "=", 8, when={a1: 0, a2: 0}, named=True),
    )
)
def two_states():
    f = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 4.0]])
    weights = (f[1] / f[0])[:, None] * (f[2] / f[1])
    for name, move in (("perfect", np.tile(f[1] / 3, (2, 1))), ("flip", np.array([[0.0, 1.0], [0.5, 0.5]]))):
        walks = move / 2
        said = {"perfect": "(2.5, 0.8087)", "flip": "(2.5, 0.8664)"}[name]
        means = np.array([np.sum(walks * weights), np.sum(walks * np.log(weights))])
        yield rf"(\mathbb{{E}}[w], \mathbb{{E}}[\log w])\text{{, {name}}}", means, said
    yield r"\mathbb{E}[\log w]\text{ without a transition}", np.mean(np.log(f[2] / f[0])), "0.6931"
    yield r"\log\frac52", np.log(2.5), "0.9163"
    small = (np.full((2, 1), _LOG_2), np.zeros(2), np.zeros(1), np.zeros(2))
    starts = np.where(_STATES == 1, 0.25, 0.75)
    log_w = log_weights(starts, np.zeros((0, 4, 1)), np.zeros((0, 4, 2)), np.array([0.0, 1.0]), *small)
    yield r"w\text{ of the machine}", jnp.exp(log_w), "(1, 1.5, 1.5, 2.5)"
    yield "Z", jnp.exp(log_partition_estimate(log_w, small[0], small[3])), "13"


@derivation.figure(
    r"Left: log-weights of a machine of 5 visible and 3 hidden units less $\log(Z_1/Z_0)$, by the number of factors $K$; dots: "
    "300 walks, shifted sideways by chance; bars: the logarithm of their mean weight. With one factor a few walks carry the "
    r"mean; with more they come together near zero. Right: $K$ times the gap and $K$ times the variance of $\log w$ "
    r"with perfect transitions on two states, for which $u$ is 0 and $\log 4$; dashed: their limits.",
    panels=2,
)
def weights_by_factors(walks, perfect):
    draw_weights_by_factors(walks, perfect)
