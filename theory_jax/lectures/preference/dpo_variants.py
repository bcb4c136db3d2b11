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
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.preference._losses_of_pairs import draw_losses_and_pulls, margins
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
    question="On labels that never disagree the loss of DPO has no minimum, and drives a policy ever farther from its reference. "
    "It needs pairs, too, and the reference. Each variant removes one of these. What does each ask of a policy, and how hard "
    "does it pull, and where?",
    setting=(
        r"For a pair, $h$ is how much farther than the reference the policy prefers the chosen completion to the rejected one: "
        r"the difference of $\log \pi - \log \pi_0$ at both. Its logit $u$ is $\beta h$, with a positive $\beta$.",
        r"A pair of completions is compared again and again; the first is preferred with the probability $p$, which is neither 0 "
        r"nor 1. If the second is preferred, the loss sees $-h$.",
        r"IPO: $(h - \frac{1}{2\tau})^2$ with a positive $\tau$. Hinge: $\max(0, 1 - u)$. KTO, of one completion with the "
        r"log-ratio $l$: $\lambda\, (1 - \sigma(\beta (l - z_0)))$ if it is desirable, $\lambda\, (1 - \sigma(\beta (z_0 - l)))$ "
        r"if not, with a constant $z_0$. SimPO and ORPO see mean log-probabilities of a token, and no reference.",
    ),
    limits=(
        "Which variant wins on data: it depends on the data, the model and the settings.",
        r"How good an estimate of the divergence $z_0$ is; here it is any constant.",
        "Where completions are numbered, chains are derived for three; the sums hold for any number.",
    ),
)

derivation.symbol(r"\sigma", r"the logistic function, $\frac{1}{1 + e^{-x}}$")
h = derivation.number("h", "how much farther than the reference the policy prefers the chosen completion", "preference_logits")
tau = derivation.number(r"\tau", "the regularization of IPO", "regularization", positive=True)
p = derivation.number("p", "the probability that the first completion is preferred", between=(0, 1))
asked = (2 * p - 1) / (2 * tau)
of_ipo = plus(times(p, (h - 1 / (2 * tau)) ** 2), times(1 - p, (-h - 1 / (2 * tau)) ** 2))
u = derivation.number("u", r"a logit: $\beta h$ of a pair, $\beta (l - z_0)$ of a completion", "preference_logits")


def _sigma(at):
    return 1 / plus(1, exp(-at))


derivation.answer = prose(
    "IPO has a finite target margin, {margin} for a pair, where the slope of its mean loss is {flat}; it pulls back pairs beyond "
    "it. The hinge has a margin, and no gradient beyond it. DPO, on labels that never disagree, always increases the margin, "
    "with a falling gradient. All three see $h$ alone. KTO judges completions one by one; its pull is that of DPO times the "
    "logistic function, {kto}, so that it gives up what is hopeless. SimPO measures a margin in nats a token. ORPO adds the "
    "supervised loss: where it is small, the chosen completion is probable.",
    margin=where(h, asked),
    flat=holds(Slope(of_ipo, h), "=", 0, named=True),
    kto=holds(Slope(plus(1, -_sigma(u)), u), "=", times(_sigma(u), Slope(-log(_sigma(u)), u)), wrong={"DPO's": -_sigma(-u)}),
)
finite = derivation.chain(
    "IPO asks for a finite margin",
    of_ipo,
    equals(
        plus((h - asked) ** 2, (1 - (2 * p - 1) ** 2) / (4 * tau**2)),
        r"complete the square in $h$",
        wrong={"twice the margin": plus((h - 2 * asked) ** 2, (1 - (2 * p - 1) ** 2) / (4 * tau**2))},
    ),
    at_least(
        (1 - (2 * p - 1) ** 2) / (4 * tau**2),
        prose("leave out a square; equality if and only if {margin}", margin=where(h, asked)),
        dropping=(h - asked) ** 2,
    ),
    central=True,
    so=r"The margin that is best rises in a straight line with $p$, from $-\frac{1}{2\tau}$ to $\frac{1}{2\tau}$: also labels "
    r"that never disagree ask for a finite one.",
)
derivation.chain(
    "DPO asks for the log-odds of the label",
    Slope(plus(times(p, -log(_sigma(u))), times(1 - p, -log(_sigma(-u)))), u),
    equals(
        plus(_sigma(u), -p),
        prose(
            "{slope}, and {rest}",
            slope=holds(Slope(-log(_sigma(u)), u), "=", -_sigma(-u)),
            rest=holds(_sigma(-u), "=", plus(1, -_sigma(u))),
        ),
    ),
    role="lemma",
    so=prose(
        "It is {zero} at {odds}, which has no bound as $p$ goes to 1. This is the difference: near one half both margins are "
        r"proportional to $p - \frac12$.",
        zero=holds(plus(_sigma(u), -p), "=", 0, named=True),
        odds=where(u, log(p / (1 - p))),
    ),
)

derivation.say(
    r"A policy has not one margin but one for each pair of completions, and they depend on each other: with $g$ for $\log "
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
        prose("leave out squares; equality if and only if {reached}, up to a shift of all", reached=where(g, w / tau)),
        dropping=Total(i, Total(j, (g - g.at(j) - reached) ** 2)),
    ),
    so=r"Every $g$ belongs to a policy, proportional to $\pi_0 e^g$, so this is what IPO fits: the policy reads mean win rates, "
    r"and needs no model of the preferences. Each single margin is met only where $p_{i,j} - \frac12$ is a difference of scores.",
)

beta = derivation.number(r"\beta", "the price of a nat; SimPO's scale", "kl_coefficient, scale", positive=True)
ratio = derivation.number("l", r"$\log \pi - \log \pi_0$ of one completion")
z_0 = derivation.number("z_0", "the reference point", "reference_point")
weight = derivation.number(r"\lambda", "a weight", "desirable_weight, undesirable_weight, odds_weight", positive=True)
beyond = beta * (ratio - z_0)
hardest = derivation.chain(
    "KTO pulls hardest at the reference point",
    Slope(times(weight, plus(1, -_sigma(beyond))), ratio),
    equals(
        -times(weight, beta, _sigma(beyond), _sigma(-beyond)),
        prose("{slope}; $z_0$ is a constant", slope=holds(Slope(_sigma(u), u), "=", times(_sigma(u), _sigma(-u)))),
    ),
    equals(
        -times(weight, beta, plus(Rational(1, 4), -((_sigma(beyond) - Rational(1, 2)) ** 2))),
        "both factors sum to one; complete the square",
    ),
    at_least(
        -weight * beta / 4,
        prose("leave out a square; equality at {point} alone", point=where(ratio, z_0)),
        dropping=weight * beta * (_sigma(beyond) - Rational(1, 2)) ** 2,
    ),
    so=prose(
        "At {point} the loss is {half}. An undesirable completion has the loss {loss}, and the same slope with the other sign: "
        "it is pushed down, hardest at $z_0$.",
        point=where(ratio, z_0),
        half=holds(times(weight, plus(1, -_sigma(beyond))), "=", weight / 2, named=True),
        loss=weight * _sigma(beyond),
    ),
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
    "Far on the right side the pulls of DPO and KTO fade exponentially",
    Limit(times(exp(u), _sigma(-u)), u, oo),
    equals(1, prose("{product}", product=holds(times(exp(u), _sigma(-u)), "=", _sigma(u)))),
    role="lemma",
    so=prose(
        r"The pull of DPO is $\sigma(-u)$, about $e^{-u}$; KTO's is $\sigma(u)\, \sigma(-u)$, about the same. Far on the wrong "
        r"side only KTO's fades: that of DPO goes to {constant}, the hinge's is constant, and IPO's grows with the distance, "
        r"$\frac1\tau - 2 h$. KTO's is even in $u$: what is hopeless, or mislabeled, is given up.",
        constant=holds(Limit(_sigma(-u), u, -oo), "=", 1, named=True),
    ),
)
derivation.say(r"Hinge and DPO are stand-ins for what is wanted, that few pairs are in the wrong order, with $u$ below 0.")
s = derivation.number("s", "a positive number", positive=True)
means = derivation.valley(
    "No geometric mean is above the arithmetic mean",
    log((s**2 + 1) / (2 * s)),
    s,
    1,
    r"the slope is $\frac{s^2 - 1}{s (s^2 + 1)}$",
    role="lemma",
)
v = derivation.number("v", r"how far a pair is in the wrong order: $-u$", nonnegative=True)
derivation.chain(
    "The loss of DPO in bits is at least 1 for a pair in the wrong order",
    log(1 + exp(v)) / log(2),
    equals(
        plus(1, v / (2 * log(2)), log((exp(v / 2) ** 2 + 1) / (2 * exp(v / 2))) / log(2)),
        prose("{mean}", mean=holds(1 + exp(v), "=", times(2 * exp(v / 2), (exp(v) + 1) / (2 * exp(v / 2))))),
    ),
    at_least(plus(1, v / (2 * log(2))), "leave out the lemma's logarithm", dropping=means.at(exp(v / 2)) / log(2)),
    at_least(1, prose("leave out a number that is not negative; equality at {tie}", tie=where(v, 0)), dropping=v / (2 * log(2))),
    so=prose(
        "The hinge is at least 1 there, too: {hinge}. On pairs in the right order both are not negative. So the mean of either "
        "loss is at least the share of pairs in the wrong order.",
        hinge=holds(1 + v, ">=", 1),
    ),
    role="lemma",
)


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
spreads = derivation.chain(
    "SimPO spreads its pull over the tokens",
    Slope(-log(_sigma(simple)), l_c),
    equals(
        -times(beta / n_c, _sigma(-simple)),
        r"the slope of $-\log \sigma$, as above; the mean divides by the number of tokens",
        wrong={"divided by the other completion's length": -times(beta / n_r, _sigma(-simple))},
    ),
    role="lemma",
    so=r"The pull is half of its largest where the means differ by $\frac{\gamma}{\beta}$ nats a token; there is no $\pi_0$, the "
    "initial policy.",
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
probable = derivation.chain(
    "ORPO pulls the chosen completion up at least as hard as the supervised loss",
    times(P_c, Slope(plus(-log(P_c), times(weight, log(1 + odds_r / odds_c))), P_c)),
    equals(
        plus(-1, -times(weight, unsure, 1 / (1 - P_c))),
        prose(
            r"ORPO adds $\lambda$ times {odds}; $P \frac{\partial}{\partial P}$ is the slope in $\log P$, and {slope}",
            odds=holds(-log(_sigma(log(odds_c) - log(odds_r))), "=", log(1 + odds_r / odds_c)),
            slope=holds(times(P_c, Slope(log(odds_c), P_c)), "=", 1 / (1 - P_c)),
        ),
    ),
    at_most(-1, "add a product of positive numbers", adding=times(weight, unsure, 1 / (1 - P_c))),
    so=r"What ORPO adds to $-\log P_c$ is never negative: where its loss is small, the chosen completion is probable. DPO's "
    "loss, and SimPO's, is small wherever a difference is large, however improbable both completions are.",
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


STEPS = ("(0.4, 0.72)", "(0.1, 0.2)", "(0.025, 0.05)", "(0.0881, 0.175)", "(0.1578, 0.3118)")
_WINS = np.array([[0.5, 0.8, 0.9], [0.2, 0.5, 0.8], [0.1, 0.2, 0.5]])  # of each row's completion over each column's
_FIRST, _SECOND = np.array([0, 1, 0]), np.array([1, 2, 2])


@derivation.algorithm(
    "A training step",
    do("take completions with their verdicts, and their log-probabilities; except for SimPO and ORPO, the reference's, too"),
    do(r"IPO: $(h - \frac{1}{2 \tau})^2$", ipo_loss, by=finite),
    do(r"hinge: $\max(0, 1 - \beta h)$", hinge_loss),
    do(
        r"KTO, of one completion: $\lambda\, (1 - \sigma(\beta (l - z_0)))$, or with the other sign in $\sigma$",
        kto_loss,
        by=hardest,
    ),
    do(r"SimPO: $-\log \sigma(\beta (l_c / n_c - l_r / n_r) - \gamma)$", simpo_loss, by=spreads),
    do(r"ORPO: $-\log P_c + \lambda \log(1 + o_r / o_c)$", orpo_loss, by=probable),
    do("a step of the policy down the gradient of the mean"),
)
def two_steps_of_each():
    one = jnp.array([1])
    losses = {
        "IPO": lambda u: ipo_loss(*margins(u), regularization=0.25),
        "hinge": lambda u: hinge_loss(*margins(u), kl_coefficient=1.0),
        "KTO": lambda u: kto_loss(u, 0 * u, one > 0, jnp.array(0.0), kl_coefficient=1.0),
        "SimPO": lambda u: simpo_loss(u, 0 * u, one, one, scale=1.0, margin=2.0),
        "ORPO": lambda u: orpo_loss(u - 2.0, 0 * u - 2.0, one, one, odds_weight=1.0),
    }
    text = r"h \text{ (or } l\text{) after steps of } 0.1 \text{ from 0: }"
    for (name, loss), said in zip(losses.items(), STEPS, strict=True):
        path = [jnp.zeros(1)]
        for _ in range(2):
            path.append(path[-1] - 0.1 * jax.grad(lambda u, loss=loss: loss(u)[0])(path[-1]))
        yield rf"{text}\text{{{name}}}", jnp.concatenate(path[1:]), said
        text = ""


@derivation.example(
    r"IPO with the regularization $\frac{1}{10}$, if three of four prefer the first. Three completions at $\frac12$, of which 1 "
    "is preferred to 2, and 2 to 3, with 0.8, and 1 to 3 with 0.9: the margins requested and reached, of the pairs 12, 23, 13. "
    r"KTO with both weights 1, $\log 2$ beyond the reference point. SimPO with log-probabilities $-20$ and $-12$ of 10 and 4 "
    r"tokens, the scale 2 and the margin 1. ORPO with the probabilities $\frac12$ and $\frac14$, and the weight 1."
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
    r"Left: the losses of a pair against its logit, at the price 1 (KTO: of a desirable completion, reference point 0, weight 4; "
    r"IPO asks for a margin of 2; SimPO is DPO moved by a margin of 2); dotted, the share of pairs in the wrong order. Right: "
    r"how hard each pulls $u$ up; IPO alone pulls back.",
    panels=2,
)
def losses_and_pulls(left, right):
    draw_losses_and_pulls(left, right)
