"""Preference losses differ in the target margin and in the pairs whose gradient vanishes.

The lecture on the functions of theory_jax/preference/dpo_variants.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Max, Rational, exp, log, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.preference.dpo import dpo_loss
from theory_jax.preference.dpo_variants import hinge_loss, ipo_loss, kto_loss, orpo_loss, simpo_loss

derivation = Derivation(
    module=__name__,
    title="Preference losses differ in the target margin and in the pairs whose gradient vanishes",
    lectures=(55,),
    sources=(
        "Azar et al. 2023, A general theoretical paradigm to understand learning from human preferences",
        "Zhao et al. 2023, SLiC-HF",
        "Ethayarajh et al. 2024, KTO",
        "Meng et al. 2024, SimPO",
        "Hong et al. 2024, ORPO",
    ),
    question=r"The loss of DPO, $-\log \sigma(\beta h)$, has no minimum on labels that never disagree, needs pairs, and needs a "
    r"reference. Each variant removes one of these. What does each ask of a policy, and how hard does it pull, and where?",
    setting=(
        r"For a pair, $h$ is how much farther than the reference the policy prefers the chosen completion to the rejected one: "
        r"$h = (\log \pi - \log \pi_0)(c) - (\log \pi - \log \pi_0)(r)$, and $u = \beta h$, $\beta > 0$. $\sigma(x) = "
        r"\frac{1}{1 + e^{-x}}$.",
        r"A pair of completions is compared again and again; the first is preferred with probability $p$, $0 < p < 1$. If the "
        r"second is preferred, the loss sees $-h$.",
        r"IPO: $(h - \frac{1}{2\tau})^2$, $\tau > 0$. Hinge: $\max(0, 1 - u)$. KTO, of one completion with $l = \log \pi - \log "
        r"\pi_0$: $\lambda\, (1 - \sigma(\beta (l - z_0)))$ if it is desirable, $\lambda\, (1 - \sigma(\beta (z_0 - l)))$ if "
        r"not, $z_0$ a constant. SimPO and ORPO see mean log-probabilities of a token, and no reference.",
    ),
    answer=r"IPO has a finite target margin, and pulls back pairs beyond it. The hinge has a margin, and no gradient "
    r"beyond it. DPO always increases the margin, with a falling gradient. All three see $h$ alone. KTO judges completions one "
    r"by one; its pull is that of DPO times $\sigma$, so that it gives up what is hopeless. SimPO measures a margin in nats a "
    r"token. ORPO adds the supervised loss: where it is small, the chosen completion is probable.",
    limits=(
        "Which variant wins on data: it depends on the data, the model and the settings.",
        r"How good an estimate of the divergence $z_0$ is; here it is any constant.",
        "Where completions are numbered, three were derived for; the sums hold for any number.",
    ),
)

derivation.symbol(r"\sigma", r"the logistic function, $\frac{1}{1 + e^{-x}}$")
h = derivation.number("h", "how much farther than the reference the policy prefers the chosen completion", "preference_logits")
tau = derivation.number(r"\tau", "the regularization of IPO", "regularization", positive=True)
p = derivation.number("p", "the probability that the first completion is preferred", between=(0, 1))
asked = (2 * p - 1) / (2 * tau)
derivation.chain(
    "IPO asks for a finite margin",
    plus(times(p, (h - 1 / (2 * tau)) ** 2), times(1 - p, (-h - 1 / (2 * tau)) ** 2)),
    equals(
        plus((h - asked) ** 2, (1 - (2 * p - 1) ** 2) / (4 * tau**2)),
        r"complete the square in $h$",
        wrong={"twice the margin": plus((h - 2 * asked) ** 2, (1 - (2 * p - 1) ** 2) / (4 * tau**2))},
    ),
    at_least(
        (1 - (2 * p - 1) ** 2) / (4 * tau**2),
        r"leave out a square; equality if and only if $h = \frac{2 p - 1}{2 \tau}$",
        dropping=(h - asked) ** 2,
    ),
    central=True,
    so=r"The margin that is best rises in a straight line with $p$, from $-\frac{1}{2\tau}$ to $\frac{1}{2\tau}$: also labels "
    r"that never disagree ask for a finite one.",
)
u = derivation.number("u", r"a logit: $\beta h$ of a pair, $\beta (l - z_0)$ of a completion", "preference_logits")


def _sigma(at):
    return 1 / plus(1, exp(-at))


derivation.chain(
    "DPO asks for the log-odds of the label",
    Slope(plus(times(p, -log(_sigma(u))), times(1 - p, -log(_sigma(-u)))), u),
    equals(plus(_sigma(u), -p), r"$(-\log \sigma)'(u) = -\sigma(-u)$, and $\sigma(-u) = 1 - \sigma(u)$"),
    role="lemma",
    so=r"It is zero at $u = \log \frac{p}{1 - p}$, which has no bound as $p \to 1$. This is the difference: near $p = \frac12$ "
    r"both margins are proportional to $p - \frac12$.",
)

derivation.say(
    r"A policy has not one margin but one for each pair of completions, and they depend on each other: with $g = \log "
    r"\frac{\pi}{\pi_0}$ they are the differences $g_i - g_j$. Say that any two completions are compared equally often, in both "
    r"orders."
)
i = derivation.index("i", "a completion")
j = derivation.index("j", "another completion of the same prompt")
K = derivation.count(i, "K", "how many completions there are")
a = derivation.numbers("a", (i, j), "how often $i$ is preferred to $j$ when it is shown first", positive=True)
often = derivation.define(
    "p",
    times(Rational(1, 2), plus(a, 1, -a.at(j, i))),
    r"how often $i$ is preferred to $j$, half of the times shown first",
    over=(i, j),
)
margin = derivation.define("m", (2 * often - 1) / (2 * tau), r"the margin that IPO asks of $i$ over $j$", over=(i, j))
w = derivation.define("w", Total(j, often) / K, "how often $i$ is preferred to any completion", over=i)
g = derivation.numbers("g", i, r"$\log \frac{\pi(i)}{\pi_0(i)}$, up to a constant")
reached = (w - w.at(j)) / tau
missed = Total(i, Total(j, (margin - reached) ** 2))
derivation.chain(
    "A policy reaches differences of mean win rates",
    Total(i, Total(j, (g - g.at(j) - margin) ** 2)),
    equals(
        plus(Total(i, Total(j, (g - g.at(j) - reached) ** 2)), missed),
        r"add and subtract $\frac{w_i - w_j}{\tau}$; what is left of the margins of $i$ sums to zero over $j$, so it is "
        r"orthogonal to every difference of scores",
    ),
    at_least(
        missed,
        r"leave out squares; equality if and only if $g_i - g_j = \frac{w_i - w_j}{\tau}$ for all pairs",
        dropping=Total(i, Total(j, (g - g.at(j) - reached) ** 2)),
    ),
    so=r"Every $g$ belongs to a policy, $\pi \propto \pi_0 e^g$, so this is what IPO fits: the policy reads mean win rates, and "
    r"needs no model of the preferences. Each single margin is met only where $p_{i,j} - \frac12$ is a difference of scores.",
)

beta = derivation.number(r"\beta", "the price of a nat; SimPO's scale", "kl_coefficient, scale", positive=True)
ratio = derivation.number("l", r"$\log \pi - \log \pi_0$ of one completion")
z_0 = derivation.number("z_0", "the reference point", "reference_point")
weight = derivation.number(r"\lambda", "a weight", "desirable_weight, undesirable_weight, odds_weight", positive=True)
beyond = beta * (ratio - z_0)
derivation.chain(
    "KTO pulls hardest at the reference point",
    Slope(times(weight, plus(1, -_sigma(beyond))), ratio),
    equals(-times(weight, beta, _sigma(beyond), _sigma(-beyond)), r"$\sigma'(x) = \sigma(x)\, \sigma(-x)$; $z_0$ is a constant"),
    equals(
        -times(weight, beta, plus(Rational(1, 4), -((_sigma(beyond) - Rational(1, 2)) ** 2))),
        r"$\sigma(-x) = 1 - \sigma(x)$; complete the square",
    ),
    at_least(
        -weight * beta / 4,
        r"leave out a square; equality at $l = z_0$ alone",
        dropping=weight * beta * (_sigma(beyond) - Rational(1, 2)) ** 2,
    ),
    so=r"At $l = z_0$ the loss is $\frac{\lambda}{2}$. An undesirable completion has the loss $\lambda\, \sigma(\beta (l - "
    r"z_0))$, and the same slope with the other sign: it is pushed down, hardest at $z_0$.",
)
derivation.chain(
    "KTO's pull is that of DPO, times the probability that the verdict is right already",
    Slope(plus(1, -_sigma(u)), u),
    equals(
        times(_sigma(u), Slope(-log(_sigma(u)), u)),
        r"the derivative of $e^{\log \sigma}$ is $\sigma$ times that of the logarithm",
    ),
    role="lemma",
)
derivation.chain(
    "Far on the right side both fade exponentially",
    Limit(times(exp(u), _sigma(-u)), u, oo),
    equals(1, r"$e^u \sigma(-u) = \sigma(u)$"),
    role="lemma",
    so=r"The pull of DPO is $\sigma(-u)$, about $e^{-u}$; KTO's is $\sigma(u)\, \sigma(-u)$, about the same.",
)
derivation.chain(
    "... and on the wrong side only KTO does",
    Limit(_sigma(-u), u, -oo),
    equals(1, r"$e^u \to 0$", wrong={"the pull of DPO fades, too": 0}),
    role="lemma",
    so=r"DPO and the hinge pull a pair that is far in the wrong order with a constant force; IPO with a force that grows with "
    r"the distance, $\frac1\tau - 2 h$. KTO's $\sigma(u)\, \sigma(-u)$ is even in $u$: what is hopeless, or mislabeled, is "
    r"given up.",
)

derivation.say(r"Hinge and DPO are stand-ins for what is wanted, that few pairs are in the wrong order: $u \le 0$.")
s = derivation.number("s", "a positive number", positive=True)
means = derivation.valley(
    "No geometric mean is above the arithmetic mean",
    log((s**2 + 1) / (2 * s)),
    s,
    1,
    r"the slope is $\frac{s^2 - 1}{s (s^2 + 1)}$",
)
v = derivation.number("v", r"how far a pair is in the wrong order: $-u$", nonnegative=True)
derivation.chain(
    "The loss of DPO in bits is at least 1 for a pair in the wrong order",
    log(1 + exp(v)) / log(2),
    equals(
        plus(1, v / (2 * log(2)), log((exp(v / 2) ** 2 + 1) / (2 * exp(v / 2))) / log(2)),
        r"$1 + e^v = 2 e^{v/2} \cdot \frac{e^v + 1}{2 e^{v/2}}$",
    ),
    at_least(plus(1, v / (2 * log(2))), "leave out the lemma's logarithm", dropping=means.at(exp(v / 2)) / log(2)),
    at_least(1, r"leave out a number that is not negative; equality at $v = 0$", dropping=v / (2 * log(2))),
    so=r"The hinge is $1 + v \ge 1$ there. On pairs in the right order both are not negative. So the mean of either loss is at "
    r"least the share of pairs in the wrong order.",
)


def _margins(u):
    """Log-probabilities of pairs with h = u."""
    zero = jnp.zeros_like(u)
    return jnp.asarray(u), zero, zero, zero


derivation.say(
    "A sum over the tokens of a completion falls with its length. The losses without a reference therefore compare means over "
    "the tokens."
)
l_c = derivation.number("l_c", "log-probability of the chosen completion", "policy_chosen")
l_r = derivation.number("l_r", "log-probability of the rejected one", "policy_rejected")
n_c = derivation.number("n_c", "the number of tokens of the chosen completion", "chosen_length", positive=True)
n_r = derivation.number("n_r", "that of the rejected one", "rejected_length", positive=True)
gamma = derivation.number(r"\gamma", "the margin that SimPO asks for", "margin")
simple = plus(times(beta, plus(l_c / n_c, -l_r / n_r)), -gamma)
derivation.chain(
    "SimPO spreads its pull over the tokens",
    Slope(-log(_sigma(simple)), l_c),
    equals(
        -times(beta / n_c, _sigma(-simple)),
        r"$(-\log \sigma)'(u) = -\sigma(-u)$; the mean divides by the number of tokens",
        wrong={"divided by the other completion's length": -times(beta / n_r, _sigma(-simple))},
    ),
    role="lemma",
    so=r"The pull is half of its largest at $u = 0$, where the means differ by $\frac{\gamma}{\beta}$ nats a token; there is no "
    r"$\pi_0$, the initial policy.",
)
derivation.symbol("k", "how many times longer both completions are")
derivation.symbol("L", "a loss of lengths and log-probabilities")


@derivation.numeric(
    r"L(k l_c, k l_r, k n_c, k n_r) = L(l_c, l_r, n_c, n_r)",
    because=r"SimPO and ORPO see $\frac{k l_c}{k n_c}$ and $\frac{k l_r}{k n_r}$; DPO, which sums, sees $k h$",
    role="remark",
)
def length_does_not_matter():
    c, r = np.array([-3.0, -8.0, -2.0]), np.array([-4.0, -5.0, -9.0])
    n, m = np.array([2, 5, 1]), np.array([3, 4, 6])

    def losses(k, lengths):
        return jnp.stack(
            [
                simpo_loss(k * c, k * r, lengths * n, lengths * m, scale=2.0, margin=0.5),
                orpo_loss(k * c, k * r, lengths * n, lengths * m, odds_weight=0.5),
            ]
        )

    return Sides(left=losses(3, 3), right=losses(1, 1), wrong={"sums in place of means over the tokens": losses(3, 1)})


P_c = derivation.number(
    "P_c",
    r"the geometric mean of the probabilities of the chosen completion's tokens, $e^{l_c / n_c}$",
    "exp(policy_chosen / chosen_length)",
    between=(0, 1),
)
P_r = derivation.number("P_r", "that of the rejected one's", "exp(policy_rejected / rejected_length)", between=(0, 1))
odds_c = derivation.define(r"o_c", P_c / (1 - P_c), "the odds of the chosen completion")
odds_r = derivation.define(r"o_r", P_r / (1 - P_r), "the odds of the rejected one")
unsure = odds_r / (odds_c + odds_r)
derivation.chain(
    "ORPO pulls the chosen completion up at least as hard as the supervised loss",
    times(P_c, Slope(plus(-log(P_c), times(weight, log(1 + odds_r / odds_c))), P_c)),
    equals(
        plus(-1, -times(weight, unsure, 1 / (1 - P_c))),
        r"ORPO adds $-\lambda \log \sigma(\log o_c - \log o_r) = \lambda \log(1 + \frac{o_r}{o_c})$; $P "
        r"\frac{\partial}{\partial P}$ is the slope in $\log P$, and that of $\log o_c$ is $\frac{1}{1 - P_c}$",
    ),
    at_most(-1, "add a product of positive numbers", adding=times(weight, unsure, 1 / (1 - P_c))),
    so=r"What ORPO adds to $-\log P_c$ is never negative: where its loss is small, the chosen completion is probable. A loss of "
    r"$h$, and SimPO's, is small wherever a difference is large, however improbable both completions are.",
)

f_0 = derivation.number("f_0", "the reference's log-probability of the chosen completion", "reference_chosen")
g_0 = derivation.number("g_0", "the reference's of the rejected one", "reference_rejected")
_h = plus(l_c, -f_0, -l_r, g_0)
derivation.bridge(
    "The code computes IPO's loss",
    (_h - 1 / (2 * tau)) ** 2,
    ipo_loss,
    policy_chosen=[l_c],
    policy_rejected=[l_r],
    reference_chosen=[f_0],
    reference_rejected=[g_0],
    regularization=tau,
    wrong={"twice the margin": (_h - 1 / tau) ** 2},
)
derivation.bridge(
    "... the hinge",
    Max(0, 1 - beta * _h),
    hinge_loss,
    policy_chosen=[l_c],
    policy_rejected=[l_r],
    reference_chosen=[f_0],
    reference_rejected=[g_0],
    kl_coefficient=beta,
    wrong={"not clipped": 1 - beta * _h},
)
derivation.bridge(
    "... KTO's losses of a desirable and of an undesirable completion",
    [weight * (1 - _sigma(beyond)), weight * (1 - _sigma(-beyond))],
    kto_loss,
    policy_log_probs=[ratio, ratio],
    reference_log_probs=[0, 0],
    desirable=jnp.array([True, False]),
    reference_point=z_0,
    kl_coefficient=beta,
    desirable_weight=weight,
    undesirable_weight=weight,
    wrong={"the two exchanged": [weight * _sigma(beyond), weight * _sigma(-beyond)]},
)
derivation.bridge(
    "... SimPO's, here of 2 and 3 tokens",
    -log(_sigma(beta * (l_c / 2 - l_r / 3) - gamma)),
    simpo_loss,
    policy_chosen=[l_c],
    policy_rejected=[l_r],
    chosen_length=jnp.array([2]),
    rejected_length=jnp.array([3]),
    scale=beta,
    margin=gamma,
    wrong={"the margin multiplied by the scale, too": -log(_sigma(beta * (l_c / 2 - l_r / 3 - gamma)))},
)
derivation.bridge(
    "... and ORPO's",
    plus(-log(P_c), weight * log(1 + odds_r / odds_c)),
    orpo_loss,
    policy_chosen=[2 * log(P_c)],
    policy_rejected=[3 * log(P_r)],
    chosen_length=jnp.array([2]),
    rejected_length=jnp.array([3]),
    odds_weight=weight,
    wrong={"probabilities in place of odds": -log(P_c) + weight * log(1 + P_r / P_c)},
)
derivation.symbol("x", r"how far a completion is beyond the reference point, $\beta (l - z_0)$")


@derivation.autodiff(
    r"\left(\frac{\partial L}{\partial l}, \frac{\partial L}{\partial z_0}\right) = (-\lambda \beta\, \sigma(x)\, \sigma(-x), "
    r"0), \quad x = \beta (l - z_0)",
    because=r"$z_0$ is an estimate from other completions, treated as a constant; the slope is right also where $\sigma$ rounds "
    r"to 1, since $\sigma$ is computed as $e^{\log \sigma}$",
    scale=1.0,
    role="appendix",
)
def no_gradient_in_the_reference_point():
    ratios, point, price, cost = jnp.array([-40.0, -1.0, 0.3, 2.0, 40.0]), jnp.array(0.3), 0.7, 1.5

    def loss(ratios, point):
        return kto_loss(ratios, 0 * ratios, jnp.ones(5, bool), point, kl_coefficient=price, desirable_weight=cost).sum()

    slope, of_point = jax.grad(loss, argnums=(0, 1))(ratios, point)
    x = price * (np.asarray(ratios) - 0.3)
    pull = -cost * price / (2 + 2 * np.cosh(x))
    return Sides(
        left=np.append(slope, of_point),
        right=np.append(pull, 0.0),
        wrong={"the reference point differentiated, too": np.append(pull, -pull.sum())},
    )


_WINS = np.array([[0.5, 0.8, 0.9], [0.2, 0.5, 0.8], [0.1, 0.2, 0.5]])  # of each row's completion over each column's
_FIRST, _SECOND = np.array([0, 1, 0]), np.array([1, 2, 2])


@derivation.example(
    r"IPO at $\tau = \frac{1}{10}$ for $p = \frac34$. Three completions at $\tau = \frac12$ with $p_{1,2} "
    r"= p_{2,3} = 0.8$, $p_{1,3} = 0.9$: the margins requested and reached, of the pairs $12$, $23$, $13$. KTO with $\beta = "
    r"\lambda = 1$, $\log 2$ beyond the reference point. SimPO with log-probabilities $-20$ and $-12$ of 10 and 4 tokens, $\beta "
    r"= 2$, $\gamma = 1$. ORPO with $P_c = \frac12$, $P_r = \frac14$, $\lambda = 1$."
)
def by_hand():
    yield asked, value(asked, {p: Rational(3, 4), tau: Rational(1, 10)}), "2.5"
    yield r"\text{requested}", (2 * _WINS - 1)[_FIRST, _SECOND], "(0.6, 0.6, 0.8)"
    rates = _WINS.mean(1)
    yield r"\text{reached}", (rates[_FIRST] - rates[_SECOND]) / 0.5, "(0.467, 0.467, 0.933)"
    good, bad = kto_loss(jnp.full(2, jnp.log(2.0)), jnp.zeros(2), jnp.array([True, False]), jnp.array(0.0), kl_coefficient=1.0)
    yield r"\text{KTO, desirable}", good, "1/3"
    yield r"\text{KTO, undesirable}", bad, "2/3"
    tokens = jnp.array([10]), jnp.array([4])
    yield r"\text{SimPO}", simpo_loss(jnp.array([-20.0]), jnp.array([-12.0]), *tokens, scale=2.0, margin=1.0)[0], "0.3133"
    one = jnp.array([1])
    yield r"\text{ORPO}", orpo_loss(jnp.log(jnp.array([0.5])), jnp.log(jnp.array([0.25])), one, one, odds_weight=1.0)[0], "0.9808"


@derivation.figure(
    r"Left: the losses of a pair against $u = \beta h$ at $\beta = 1$ (KTO: of a desirable completion, $z_0 = 0$, $\lambda = 4$; "
    r"IPO asks for a margin of 2; SimPO is DPO moved by $\gamma = 2$); dotted, the share of pairs in the wrong order. Right: "
    r"how hard each pulls $u$ up; IPO alone pulls back.",
    panels=2,
)
def losses_and_pulls(left, right):
    us = jnp.linspace(-6.0, 6.0, 49)
    one = jnp.ones(len(us), int)
    losses = {
        "DPO": lambda u: dpo_loss(*_margins(u), kl_coefficient=1.0),
        "IPO": lambda u: ipo_loss(*_margins(u), regularization=0.25),
        "hinge": lambda u: hinge_loss(*_margins(u), kl_coefficient=1.0),
        "KTO": lambda u: kto_loss(u, 0 * u, one > 0, jnp.array(0.0), kl_coefficient=1.0, desirable_weight=4.0),
        "SimPO": lambda u: simpo_loss(u, 0 * u, one, one, scale=1.0, margin=2.0),
    }
    for name, loss in losses.items():
        left.plot(us, loss(us), label=name)
        right.plot(us, -jax.grad(lambda u, loss=loss: loss(u).sum())(us), label=name)
    left.plot([-6, 0, 0, 6], [1, 1, 0, 0], ":", color="gray")
    left.set(xlabel="$u$", ylabel="loss", ylim=(-0.2, 7))
    right.axhline(0, color="gray", linewidth=0.5)
    right.set(xlabel="$u$", ylabel="pull", ylim=(-1.5, 2.5))
    right.legend()


@derivation.exercise(
    r"Which margin does IPO ask for if the label is a coin flip, $p = \frac12$? And which logit DPO?",
    r"None: 0 for both. Two completions that are equally good keep the odds of the reference.",
)
def coin_flips():
    half = {p: Rational(1, 2), tau: Rational(1, 10)}
    yield value(asked, half), "0"
    yield value(plus(_sigma(u), -p), half | {u: 0}), "0"


@derivation.exercise(
    r"How large can the slope of KTO's loss in $l$ be at $\beta = \frac{1}{10}$, $\lambda = 1$? And 50 nats beyond $z_0$?",
    r"$\frac{\lambda \beta}{4} = 0.025$, at $l = z_0$. Beyond, $\beta (l - z_0) = 5$, and the slope is 0.00066.",
)
def the_largest_slope():
    def loss(ratios):
        return kto_loss(ratios, jnp.zeros(2), jnp.ones(2, bool), jnp.array(0.0), kl_coefficient=0.1).sum()

    largest, far = -jax.grad(loss)(jnp.array([0.0, 50.0]))
    yield largest, "0.025"
    yield far, "0.00066"


@derivation.exercise(
    r"Three completions beat each other in a circle, $p_{1,2} = p_{2,3} = p_{3,1} = 0.8$, $\tau = \frac12$. Which policy does "
    r"IPO fit, and by how much does it miss the requested margins?",
    r"The reference: all mean win rates are 0.5, so that $g = 0$, and the slope of the loss there is 0. Each margin is missed by "
    r"$\frac{2 p - 1}{2 \tau} = 0.6$.",
)
def a_circle():
    wins = np.array([[0.5, 0.8, 0.2], [0.2, 0.5, 0.8], [0.8, 0.2, 0.5]])
    c, r = np.nonzero(~np.eye(3, dtype=bool))

    def loss(g):
        return (wins[c, r] * ipo_loss(g[c], g[r], jnp.zeros(6), jnp.zeros(6), regularization=0.5)).sum()

    yield wins.mean(1)[0], "0.5"
    yield np.abs(jax.grad(loss)(jnp.zeros(3))).max(), "0"
    yield (2 * wins - 1)[0, 1], "0.6"
