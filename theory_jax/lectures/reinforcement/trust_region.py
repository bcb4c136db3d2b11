"""Trust regions: how far the old policy's advantages can be believed.

The lecture on the functions of theory_jax/reinforcement/trust_region.py.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, Rational, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.pinsker import two_outcomes
from theory_jax.lectures.reinforcement import _pairs_of_policies as pairs
from theory_jax.reinforcement.policy_gradient import policy_gradient
from theory_jax.reinforcement.trust_region import (
    improvement_bound,
    performance_difference,
    policy_kl,
    policy_total_variation,
    surrogate_objective,
)

derivation = Derivation(
    module=__name__,
    title="Trust regions: how far the old policy's advantages can be believed",
    lectures=(53,),
    sources=(
        "Kakade & Langford 2002, Approximately optimal approximate reinforcement learning",
        "Schulman, Levine, Abbeel, Jordan & Moritz 2015, Trust region policy optimization",
        "Achiam, Held, Tamar & Abbeel 2017, Constrained policy optimization (sharper forms of the bound)",
    ),
    question="A policy that takes too long a step along its gradient can become worse at once, and then its data are worse, too, "
    "so that it may not recover. One knows which states the policy visits now, and by how much each action there is better than "
    "what it does. How far may it move on this knowledge alone, so that its return certainly does not fall?",
    setting=(
        r"A finite process with rewards $r$, transitions $P$ and a discount $\gamma$ between 0 and 1, as in the lecture on "
        r"decision processes; an old policy $o$ and a new one $\pi$, both from the same initial distribution $\mu$. $V$ and $q$ "
        "are the values of states and actions under the old policy, $A$ its advantages. $d$ and $d_o$ are the shares of "
        "discounted time that the new and the old policy spend in each state.",
        "All probabilities are positive. Where the new policy gives up an action that the old one takes, the divergence is "
        "infinite, and the bound is vacuous.",
        "Where a process is needed with given shares, the initial distribution is computed from them, so that what is derived "
        "for all shares holds for all of these. Rewards are computed from the values of actions in the same way.",
    ),
    limits=(
        "The algorithm in use bounds the mean divergence and estimates the advantages; no guarantee survives that.",
        "The bound is far from what happens: in the example it allows a tenth of the way to the best policy.",
        "The steps are derived on two states, or for two actions; sums over more have the same form, and are checked at points.",
    ),
)

s = derivation.index("s", "a state")
t = derivation.index("s'", "the next state")
u = derivation.index("u", "the state before")
a = derivation.index("a", "an action")
gamma = derivation.number(r"\gamma", "the discount", "discount", between=(0, 1))
P = derivation.law("P({}|{},{})", (t, s, a), "the probability of the next state", "transition")
pi = derivation.law(r"\pi({}|{})", (a, s), "the new policy", "exp(policy_log_probs)")
old = derivation.law("o({}|{})", (a, s), "the old policy", "exp(old_log_probs)")
q = derivation.numbers("q({},{})", (s, a), "what an action is worth under the old policy", "action_value")
V = derivation.define("V({})", Expectation(old, q), "what a state is worth under the old policy", "policy_value", over=s)
r = derivation.define("r({},{})", q - gamma * Expectation(P, V.at(t)), "the reward", "reward", over=(s, a))
A = derivation.define("A({},{})", q - V, "the advantage of an action", over=(s, a))
gain = derivation.define("g({})", Expectation(pi, A), "the mean advantage of the new policy's actions", over=s)
d = derivation.law("d({})", s, "the share of discounted time that the new policy spends in a state", "state_occupancy")
d_o = derivation.law("d_o({})", s, "the share that the old policy spends there", "state_occupancy")
moves = derivation.define(
    r"P_\pi({}|{})", Total(a, pi * P), "the next state under the new policy", "policy_transition", over=(t, s), law=True
)
arriving = Total(u, d.at(u) * moves.at(s, u))
mu = derivation.define(
    r"\mu({})", (d - gamma * arriving) / (1 - gamma), "where a run begins: the share that does not arrive", "initial", over=s
)
eta = derivation.define(
    r"\eta(\pi)", Expectation(d, Expectation(pi, r)) / (1 - gamma), "the return of the new policy (decision processes)"
)
eta_o = derivation.define(r"\eta(o)", Total(s, mu * V), "the return of the old policy")
L = derivation.define("L", eta_o + Expectation(d_o, gain) / (1 - gamma), "the surrogate", "surrogate_objective")

derivation.chain(
    "The performance difference lemma",
    times(1 / (1 - gamma), Expectation(d, gain)),
    equals(
        times(1 / (1 - gamma), Expectation(d, Expectation(pi, plus(r, times(gamma, Expectation(P, V.at(t))), -V)))),
        "an advantage is the reward and the old value of the next state, less that of this state",
    ),
    equals(
        plus(eta, times(1 / (1 - gamma), Total(s, times(V, plus(times(gamma, arriving), -d))))),
        "the rewards make the new return; collect the old values by the state to which they belong",
    ),
    equals(
        plus(eta, -eta_o),
        prose(
            "a share is what begins in the state and what arrives: {share}. All that is not the beginning cancels",
            share=holds(d, "=", plus(times(1 - gamma, mu), times(gamma, arriving))),
        ),
        wrong={"the other way round": plus(eta_o, -eta)},
    ),
    states=2,
    so="Nothing is left out. Step by step it is a telescope: what the old policy expects of the next state is taken back when "
    "the advantage there is counted.",
)
derivation.chain(
    "The old policy gains nothing over itself",
    Expectation(old, A),
    equals(0, "the value is the mean of what the actions are worth, and does not depend on the action"),
    role="lemma",
    so=prose(
        "So {same} at {pi}. The slopes agree there, too (checked below): the change of the shares is multiplied by $g$, which is "
        "zero.",
        pi=where(pi, old),
        same=holds(L, "=", eta),
    ),
    states=2,
)
errs = derivation.chain(
    "The surrogate errs by the states alone",
    plus(eta, -L),
    equals(times(1 / (1 - gamma), plus(Expectation(d, gain), -Expectation(d_o, gain))), "the lemma"),
    equals(times(1 / (1 - gamma), Total(s, times(d - d_o, gain))), "one sum over the states"),
    states=2,
    so="Both factors are small if the policies are close. How small?",
)

derivation.say(
    "Both are differences of distributions that are weighed with bounded numbers. Write such a difference as $x_+ - x_-$, its "
    "positive part less its negative part, so that the sum of $x_+ + x_-$ is twice the total variation."
)
x_p = derivation.numbers("x_+({})", s, "the positive part of a difference", positive=True)
x_m = derivation.numbers("x_-({})", s, "the negative part", positive=True)
e = derivation.number(r"\varepsilon", "the largest size of an advantage", positive=True)
f_p = derivation.numbers("f({})", s, "any positive number", positive=True)
f_m = derivation.numbers("h({})", s, "another one", positive=True)
y = derivation.define("y({})", e * (f_p - f_m) / (f_p + f_m), r"any number between $-\varepsilon$ and $\varepsilon$", over=s)
lost = plus(Total(s, times(x_p, e - y)), Total(s, times(x_m, e + y)))
derivation.chain(
    "Against bounded numbers a difference of distributions counts by no more than its absolute size",
    Total(s, times(x_p - x_m, y)),
    equals(plus(times(e, Total(s, x_p + x_m)), -lost), r"add and subtract $\varepsilon (x_+ + x_-)$"),
    at_most(
        times(e, Total(s, x_p + x_m)),
        r"leave out products of positive numbers; equality if $y$ is $\varepsilon$ times the sign of the difference",
        adding=lost,
    ),
    states=2,
    role="lemma",
    so=prose(
        "Exchange $x_+$ and $x_-$ for the absolute value. Over the actions, with $\\pi - o$ and $A$: since {gain}, its size is "
        "at most $2 \\varepsilon \\alpha$. Over the states, with $d - d_o$ and $g$: the error of the surrogate is at most this "
        "times $\\|d - d_o\\|_1 / (1 - \\gamma)$.",
        gain=holds(gain, "=", Total(a, times(pi - old, A))),
    ),
)
T = derivation.law("T({}|{})", (t, s), "any transition probabilities")
spread = plus(Total(s, times(x_p, Expectation(T, e - y.at(t)))), Total(s, times(x_m, Expectation(T, e + y.at(t)))))
derivation.chain(
    "Transitions do not enlarge a difference",
    Total(t, times(y.at(t), Total(s, times(T, x_p - x_m)))),
    equals(
        plus(times(e, Total(s, x_p + x_m)), -spread),
        r"sum over the next states first, and do the same with the means of $y$, which lie between $-\varepsilon$ and "
        r"$\varepsilon$, too",
    ),
    at_most(times(e, Total(s, x_p + x_m)), "leave out products of positive numbers", adding=spread),
    states=2,
    role="lemma",
    so=r"With $\varepsilon$ times the signs of what arrives for $y$: the absolute values of what arrives sum to no more than "
    "those of the differences that leave.",
)
alpha = derivation.number(r"\alpha", "the largest total variation between the policies in any state", between=(0, 1))
moves_o = derivation.define("P_o({}|{})", Total(a, old * P), "the next state under the old policy", over=(t, s), law=True)
arriving_o = Total(u, d_o.at(u) * moves_o.at(s, u))
m = derivation.number("m", "what these bounds leave out", positive=True)
error_bound = 4 * e * gamma * alpha**2 / (1 - gamma) ** 2
farther = (2 * gamma * alpha - m) / (1 - gamma)
derivation.chain(
    "The occupancies differ by at most a multiple of the largest total variation",
    plus(times(gamma, arriving), times(-gamma, arriving_o)),
    equals(
        plus(
            times(gamma, Total(u, times(moves.at(s, u), d.at(u) - d_o.at(u)))),
            times(gamma, Total(u, times(moves.at(s, u) - moves_o.at(s, u), d_o.at(u)))),
        ),
        "add and subtract the old shares under the new policy",
    ),
    states=2,
    so=prose(
        "The first line is $d - d_o$, since both begin alike. In the second line, the absolute values of the first term sum to "
        "at most $\\gamma \\|d - d_o\\|_1$, as transitions do not enlarge a difference, and those of the second to at most $2 "
        "\\gamma \\alpha$: from each state, the next states differ by no more than the actions, and the old shares sum to one. "
        "So the norm is what solves {norm}: {most}. Together: the surrogate errs by at most {product}.",
        norm=holds(farther, "=", plus(times(gamma, farther), 2 * gamma * alpha, -m)),
        most=holds(farther, "<=", 2 * gamma * alpha / (1 - gamma)),
        product=holds(times(2 * e * alpha / (1 - gamma), 2 * gamma * alpha / (1 - gamma)), "=", error_bound),
    ),
)
p_o = derivation.number(
    "p_o", "the old policy's probability of one of two actions, in the state of the largest variation", between=(0, 1)
)
p = derivation.number("p", "the new policy's", between=(0, 1))
kl = plus(times(p_o, log(p_o / p)), times(1 - p_o, log((1 - p_o) / (1 - p))))
surrogate = derivation.number("L(\\pi)", "the surrogate at the new policy", "surrogate_objective")
c = derivation.define("c", e * gamma / (1 - gamma) ** 2, r"the constant, without its number", positive=True)
n = derivation.number("n", "what the bound of the error leaves out", positive=True)
derivation.answer = prose(
    "The returns differ by exactly the mean old advantage in the new policy's states, {lemma}. With the old "
    "policy's states in their place one has the surrogate $L$, which errs by at most {error}, where $\\alpha$ is the largest "
    "total variation between the policies in any state and $\\varepsilon$ the largest size of an advantage. The error is of "
    "second order and the gain of first, unless the surrogate is flat: small steps along it raise the return.",
    lemma=holds(plus(eta, -eta_o), "=", times(1 / (1 - gamma), Expectation(d, gain))),
    error=error_bound,
)
k = derivation.number("k", "by how much the divergence is larger in another state", positive=True)
never_falls = derivation.chain(
    "The return does not fall below the bound",
    plus(surrogate, times(-4, c, (p_o - p) ** 2), n),
    at_least(
        plus(surrogate, times(-4, c, (p_o - p) ** 2)),
        r"the first line is $\eta(\pi)$, by the bound of the error with the variation $|p_o - p|$; leave out what that is not",
        dropping=n,
    ),
    equals(
        plus(surrogate, times(-2, c, kl), times(2, c, two_outcomes.at(p_o, p))),
        "add and subtract twice the constant times the divergence",
        wrong={"the divergence once": plus(surrogate, times(-1, c, kl), times(2, c, two_outcomes.at(p_o, p)))},
    ),
    at_least(
        plus(surrogate, times(-2, c, kl)),
        "leave out the difference of the lemma (for more actions: Pinsker's inequality, by the "
        "event that the old policy is likelier)",
        dropping=2 * c * two_outcomes.at(p_o, p),
    ),
    equals(plus(surrogate, times(-2, c, plus(kl, k)), times(2, c, k)), "add and subtract what another state has more"),
    at_least(
        plus(surrogate, times(-2, c, plus(kl, k))),
        "leave out a product of positive numbers: the largest divergence is left",
        dropping=2 * c * k,
    ),
    equals(
        plus(surrogate, times(-4, c, plus(kl, k)), times(2, c, plus(kl, k))),
        "half of a penalty that is twice as large",
        wrong={"not halved": plus(surrogate, times(-4, c, plus(kl, k)), times(4, c, plus(kl, k)))},
    ),
    at_least(
        plus(surrogate, times(-4, c, plus(kl, k))),
        "leave it out: this is the form in use, though half the penalty will do",
        dropping=2 * c * (two_outcomes.at(p_o, p) + 2 * (p_o - p) ** 2 + k),
    ),
    central=True,
    so=r"Call the last line $M$. For the old policy itself it is the old return. The policy that makes it largest has a return "
    "of at least $M$, and that is at least what it is for the old policy: the return never falls, and again from there.",
)
derivation.symbol("M", "the bound", "improvement_bound")


@derivation.numeric(
    r"\eta(\pi) - \eta(o) = \frac{1}{1 - \gamma} \sum_s d(s) g(s)",
    because="Four states, three actions, 40 pairs of policies: the returns by two solves, and the code of the lemma.",
    tolerance=1e-10,
    since="policies that are close have returns that are close, and their difference loses digits",
    role="remark",
)
def the_lemma_on_a_larger_process():
    process, news, olds = pairs.random_pairs(40)
    difference = pairs.returned(process, news) - pairs.returned(process, olds)
    wrong = {
        "the old policy's states": pairs.each(surrogate_objective, process, news, olds) - pairs.returned(process, olds),
        "the factor forgotten": 0.1 * difference,
    }
    return Sides(left=difference, right=pairs.each(performance_difference, process, news, olds), wrong=wrong)


@derivation.autodiff(
    r"\nabla L = \nabla \eta(\pi) \quad\text{at}\quad \pi = o",
    because="The same process: the gradient of the surrogate in the new policy's logits, at the old policy, is that of the "
    "policy gradient theorem.",
    role="remark",
)
def the_slopes_agree_at_the_old_policy():
    process, news, olds = pairs.random_pairs(1)

    def along(logits):
        return surrogate_objective(*process, jax.nn.log_softmax(logits), olds[0], discount=0.9)

    expected, elsewhere = (policy_gradient(*process, policies[0], discount=0.9) for policies in (olds, news))
    return Sides(left=jax.grad(along)(olds[0]), right=expected, wrong={"at another policy": elsewhere})


@derivation.bound(
    r"\|d - d_o\|_1 \le \frac{2 \gamma}{1 - \gamma} \sum_s d_o(s) \mathrm{TV}(\pi, o)(s)",
    because=r"The same pairs, with the mean variation, which is at most $\alpha$. It is tight where one decision leads to either "
    "of two states that are never left.",
    role="remark",
)
def occupancies_stay_close():
    process, news, olds = pairs.random_pairs(40)
    fork = jnp.eye(3)[jnp.array([[1, 2], [1, 1], [2, 2]])]
    choices = jnp.log(jnp.array([[[0.25, 0.75], [0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5]] * 3]))
    points, tight = (*process[:2], news, olds), (jnp.array([1.0, 0.0, 0.0]), fork, choices[:1], choices[1:])
    wrong = {
        "without the factor 2": partial(pairs.distance_and_bound, 9.0),
        "the discount forgotten": partial(pairs.distance_and_bound, 20.0),
    }
    return BoundSides(sides=partial(pairs.distance_and_bound, 18.0), points=points, tight=tight, wrong=wrong)


@derivation.bound(
    r"\tfrac12 (L + M) \le \eta(\pi)",
    because="The same pairs, with half of the penalty. It is tight where the policies are equal.",
    role="remark",
)
def no_return_is_below_its_bound():
    process, news, olds = pairs.random_pairs(40)

    def sides(share, news, olds):
        surrogate, bound = (pairs.each(function, process, news, olds) for function in (surrogate_objective, improvement_bound))
        return surrogate - share * (surrogate - bound), pairs.returned(process, news)

    wrong = {"the surrogate": partial(sides, 0.0), "the penalty added": partial(sides, -1.0)}
    return BoundSides(sides=partial(sides, 0.5), points=(news, olds), tight=(olds[:1], olds[:1]), wrong=wrong)


new_log_probs = [log(pi.at(a, state)) for state in range(4)]
old_log_probs = [log(old.at(a, state)) for state in range(4)]
derivation.bridge(
    "The code computes the divergence in every state",
    Divergence(old, pi),
    policy_kl,
    log_probs=new_log_probs,
    old_log_probs=old_log_probs,
    wrong={"turned over": Divergence(pi, old)},
)
derivation.bridge(
    "... and the total variation",
    Total(a, Abs(pi - old)) / 2,
    policy_total_variation,
    log_probs=new_log_probs,
    old_log_probs=old_log_probs,
    wrong={"without the half": Total(a, Abs(pi - old))},
)


@derivation.algorithm(
    "Policy iteration that never falls",
    do("find the old policy's advantages and its shares of discounted time"),
    do(r"the surrogate: $L(\pi) \leftarrow \eta(o) + \sum_s d_o(s)\, g(s) / (1 - \gamma)$", surrogate_objective, by=errs),
    do(r"the bound: $M(\pi) \leftarrow L(\pi) - 4c \max_s \mathrm{KL}(o \,\|\, \pi)(s)$", improvement_bound, by=never_falls),
    do(r"$o \leftarrow$ the policy with the largest $M(\pi)$, and again from the first line", by=never_falls),
)
def two_rounds():
    x, reached = np.arange(0, 0.2, 0.001), 0.0
    for start, said in (
        (r"\text{the example, in steps of 0.001; the right action's probability: } ", ("0.550", "0.2749", "0.3000", "0.3025")),
        (r"\text{next round: } ", ("0.597", "0.3287", "0.3542", "0.3564")),
    ):
        bounds = pairs.of_example(improvement_bound, x, reached)
        before, reached = reached, x[int(jnp.argmax(bounds))]
        yield start, 0.5 + reached, said[0]
        yield "M", jnp.max(bounds), said[1]
        yield "L", pairs.of_example(surrogate_objective, reached, before)[0], said[2]
        yield r"\eta", pairs.returned(pairs.PROCESS, pairs.right_with(jnp.array([reached])), 0.5)[0], said[3]


@derivation.example(
    "Two states and two actions: stay, or move to the other state. Staying in state 1 pays 1, nothing else pays; the discount "
    r"is $\frac12$, the run begins in state 0, and the old policy draws both actions evenly: its advantages are $\mp \frac18$ in "
    r"state 0 and $\pm \frac58$ in state 1, its shares of time $\frac34$ and $\frac14$. The new policy does the right thing, "
    r"move from 0 and stay in 1, with probability $\frac34$."
)
def three_quarters():
    new, before = pairs.right_with(0.25), pairs.right_with(0.0)
    yield r"\eta(o)", pairs.returned(pairs.PROCESS, before[None], 0.5)[0], "1/4"
    yield (
        r"L = \tfrac14 + 2 (\tfrac34 \cdot \tfrac1{16} + \tfrac14 \cdot \tfrac5{16})",
        pairs.of_example(surrogate_objective, 0.25)[0],
        "1/2",
    )
    yield (
        r"\eta(\pi) - \eta(o) = 2 (\tfrac58 \cdot \tfrac1{16} + \tfrac38 \cdot \tfrac5{16})",
        pairs.of_example(performance_difference, 0.25)[0],
        "5/16",
    )
    yield r"\mathrm{TV}", policy_total_variation(new, before), "(1/4, 1/4)"
    yield r"\mathrm{KL} = \tfrac12 \log \tfrac43", policy_kl(new, before), "(0.1438, 0.1438)"
    yield r"M = L - 5 \, \mathrm{KL}", pairs.of_example(improvement_bound, 0.25)[0], "-0.2192"


@derivation.figure(
    "The example, with the right action taken with probability one half more than $x$: the return, the surrogate, and the bound "
    "with its constant and with half of it. All four touch at the old policy. The bounds rise for a small part of the way only."
)
def four_curves(axes):
    pairs.draw_bounds(axes)


x = derivation.number("x", "the probability of the right action, less one half", between=(0, Rational(1, 2)))
bound_at = plus(Rational(1, 4), x, times(Rational(5, 2), log(1 - 4 * x**2)))
