"""Temporal differences: learning a value from one transition after the other.

The lecture on the functions of theory_jax/reinforcement/temporal_difference.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Max, Rational, log, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, SampleSides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.largest_estimate import largest_estimate, largest_of_normals, second_estimate
from theory_jax.lectures.reinforcement._temporal import draw, fitted, mean_of_updates, means_of_two, two_fits
from theory_jax.reinforcement.temporal_difference import (
    double_q_target,
    expected_sarsa_target,
    least_squares_value,
    q_learning_target,
    td_update,
)

derivation = Derivation(
    module=__name__,
    title="Temporal differences: learning a value from one transition after the other",
    lectures=(49,),
    sources=(
        "Sutton 1988, Learning to predict by the methods of temporal differences",
        "Watkins & Dayan 1992, Q-learning",
        "Bradtke & Barto 1996, Linear least-squares algorithms for temporal difference learning",
        "Tsitsiklis & Van Roy 1997, An analysis of temporal-difference learning with function approximation",
        "van Hasselt 2010, Double Q-learning",
    ),
    question="Bellman's equation needs the probabilities of the process, and whoever plays does not know them: one transition is "
    "seen after the other. How can the value be learned from them, and what goes wrong when features take the place of a table, "
    "when another policy collects the data, or when a maximum is taken?",
    setting=(
        r"A finite process with rewards $r$, transitions $P$ and a discount $\gamma$ between 0 and 1, as in the lecture on "
        r"decision processes, and a policy $\pi$. A transition starts in state $s$ with the positive probability $d(s)$; the "
        r"action, the reward and the next state $s'$ follow.",
        r"After a transition from $s$ to $s'$, TD(0) moves $v(s)$ by the step size $\alpha$ times the error $\delta$, which is "
        r"the target $r + \gamma v(s')$ less $v(s)$. The target is held constant: $v(s')$ does not move, although $\delta^2$ "
        "depends on it. If the transition ends an episode, the target is $r$; the end is a state of value 0.",
        r"With features the value is $\varphi(s)\, w$, and the weight $w$ moves by $\alpha \delta \varphi(s)$. Where one feature "
        r"is enough to show an identity, there is one.",
        r"On-policy means that $d$ is stationary: if $s$ is drawn from $d$, then so is $s'$. Off-policy, it is any other $d$.",
    ),
    limits=(
        "Convergence with probability one, under step sizes that decrease; only the mean of an update is looked at.",
        "Convergence of Q-learning, with a table or without.",
        "The chains are derived for two or three states and one feature; they are sums over states and hold for any number. "
        "The bound of the error is derived for one feature.",
    ),
)

s = derivation.index("s", "the state in which a transition starts")
a = derivation.index("a", "the action")
t = derivation.index("s'", "the next state")
x = derivation.index("x", "a state, the value of which is updated")
d = derivation.law("d({})", s, "how often transitions start in a state")
policy = derivation.law(r"\pi({}|{})", (a, s), "the policy", "exp(log_probs)")
P = derivation.law("P({}|{},{})", (t, s, a), "the probability of the next state")
r = derivation.numbers("r({},{})", (s, a), "the reward", "reward")
v = derivation.numbers("v({})", t, "the value that is learned", "value")
gamma = derivation.number(r"\gamma", "the discount", "discount", between=(0, 1))
alpha = derivation.number(r"\alpha", "the step size", "step_size", between=(0, 1))
delta = derivation.define(r"\delta({},{},{})", plus(r, times(gamma, v), -v.at(s)), "the error of one transition", over=(s, a, t))
swept = derivation.define(
    r"(B_\pi v)({})", Expectation(policy, plus(r, times(gamma, Expectation(P, v)))), "Bellman's operator", over=s
)

mean_update = times(alpha, d.at(x), plus(swept.at(x), -v.at(x)))
one_update = times(alpha, d.at(x), Expectation(policy.at(a, x), Expectation(P.at(t, x, a), delta.at(x, a, t))))
derivation.answer = prose(
    "On average, one transition moves $v(x)$ by a small step of Bellman's operator, {update}. A table converges on average for "
    "all data that visit every state. Features are stable on-policy, where the error of the learned fit is at most {factor} "
    "times that of the best one; off-policy their weights can diverge. A maximum in the target needs no policy, but that of "
    "noisy estimates is too large on average; an independent second estimate of what the first one selects is not.",
    update=holds(one_update, "=", mean_update, wrong={"wherever it starts": alpha * plus(swept.at(x), -v.at(x))}, named=True),
    factor=1 / sqrt(1 - gamma**2),
)
mean_step = derivation.chain(
    "One update, on average, is a small step of Bellman's operator",
    Expectation(d, Expectation(policy, Expectation(P, times(alpha, KroneckerDelta(s, x), delta)))),
    equals(
        one_update,
        "only the transitions that start in $x$ move $v(x)$",
        wrong={
            "those that arrive there": times(alpha, Expectation(d, Expectation(policy, times(P.at(x, s, a), delta.at(s, a, x)))))
        },
    ),
    equals(mean_update, r"the expectation of a sum; $v(x)$ is known before anything is drawn"),
    states=2,
    central=True,
    so=r"It is zero at every state if and only if $B_\pi$ leaves $v$ unchanged: TD(0) rests, on average, at the value of the "
    "policy and nowhere else.",
)

c = derivation.number("c", r"$\alpha d(s)$ of one state", between=(0, 1))
moves = derivation.law(r"P_\pi({}|{})", (t, s), r"the next state under the policy, $\sum_a \pi(a|s) P(s'|s,a)$")
M = derivation.number("M", "the largest error of any state")
slack = derivation.numbers("m({})", t, "by how much the error of a state is smaller", positive=True)
V = derivation.numbers("V({})", t, "the value of the policy")
derivation.say(
    "A table forgets its errors for all data that visit every state: call the error of a state $v(s) - "
    "V(s)$, where $V$ is the policy's value, and use the mean update."
)
shrunk = plus(times(1 - c, slack.at(s)), times(c, gamma, Expectation(moves, slack)))
derivation.chain(
    "A table: the largest error shrinks, for all data that visit every state",
    plus(times(1 - c, M - slack.at(s)), times(c, gamma, Expectation(moves, M - slack))),
    equals(plus(times(1 - c * (1 - gamma), M), -shrunk), r"probabilities sum to one"),
    at_most(
        times(1 - c * (1 - gamma), M),
        prose(
            r"leave out what is never negative, since $c$ is below 1; equality if and only if {none} for every state",
            none=where(slack, 0),
        ),
        adding=shrunk,
    ),
    so=r"The same holds from below. So one mean update leaves at most $1 - \alpha (1 - \gamma) \min_s d(s)$ of the largest "
    r"error: it shrinks slowly where a state is rarely visited, but for every $d$ that is positive.",
    role="lemma",
)

derivation.say("With features, the states share one weight, and it matters which of them are visited.")
onward = derivation.define("d'({})", Total(s, d * moves), r"how often transitions arrive in a state", over=t)
apart = times(gamma / 2, Expectation(d, Expectation(moves, (v.at(s) - v) ** 2)))
size = Expectation(d, v.at(s) ** 2)
pull = derivation.chain(
    "Only arrivals in states of large values can drive a weight away from zero",
    Expectation(d, times(v.at(s), plus(v.at(s), -times(gamma, Expectation(moves, v))))),
    equals(
        Expectation(
            d, plus(v.at(s) ** 2, times(gamma / 2, Expectation(moves, plus((v.at(s) - v) ** 2, -(v.at(s) ** 2), -(v**2)))))
        ),
        r"a product by the square of a difference",
    ),
    equals(
        plus(times(1 - gamma / 2, size), -times(gamma / 2, Total(t, times(onward, v**2))), apart),
        r"the expectation of each square by itself: $v(s)^2$ where transitions start, $v(s')^2$ where they arrive",
    ),
    role="lemma",
    so=r"With rewards of zero and the values $\varphi w$, a small mean update moves $w$ by $-\alpha / w$ times this number: if "
    r"it is positive, $w$ falls to zero, its value; if it is negative, $w$ grows. Only the second term can make it negative, "
    r"where transitions arrive in states of large values in which they seldom start.",
)
w = derivation.number("w", "the weight of the feature")
derivation.chain(
    "On-policy, everything is a sum of squares",
    plus(times(1 - gamma / 2, size), -times(gamma / 2, size), apart),
    equals(plus(times(1 - gamma, size), apart), r"here $d'$ is $d$: transitions arrive where the next ones start"),
    at_least(0, "leave out squares", dropping=plus(times(1 - gamma, size), apart)),
    uses=(pull,),
    so="It is zero only if all values are, so a small step is stable; for several independent features, by the same number, the "
    "eigenvalues of the system have positive real parts.",
)
derivation.chain(
    "Off-policy it can diverge",
    plus(w, times(alpha, plus(times(gamma, 2 * w), -w))),
    equals(
        times(plus(1, times(alpha, plus(2 * gamma, -1))), w),
        r"state 0 with the feature 1 leads to state 1 with the feature 2, and only state 0 is updated; all rewards are 0",
    ),
    so=prose(
        r"State 1 leads to itself, all values are 0, and the weight 0 fits them. At the discount one half the factor is {one}, "
        "and it rises with the discount: beyond, $w$ grows without bound. All transitions arrive in state 1, so for the weight 1 "
        "the number above is {number}. It still diverges if state 1 is updated, too, but rarely.",
        one=holds(plus(1, times(alpha, plus(2 * gamma, -1))), "=", 1, when={gamma: Rational(1, 2)}, named=True),
        number=holds(plus(1 - gamma / 2, -2 * gamma, gamma / 2), "=", 1 - 2 * gamma),
    ),
)

derivation.say("Where TD(0) rests on-policy, how far is it from the value? Two short lemmas and one line of algebra.")
f = derivation.numbers(r"\varphi({})", t, "the feature of a state", "features")
e = derivation.numbers("e({})", t, "any error of each state")
square = derivation.define(r"\|\varphi\|^2", Expectation(d, f.at(s) ** 2), "the mean square of the feature", positive=True)
ahead = derivation.define(r"(P_\pi e)({})", Expectation(moves, e), "the error that is expected one step later", over=s)
kappa = derivation.define(r"\kappa", Expectation(d, f.at(s) * ahead) / square, r"the best weight for $P_\pi e$")
spread = Expectation(d, Expectation(moves, (e - ahead) ** 2))
unfitted = Expectation(d, plus(ahead, -times(kappa, f.at(s))) ** 2)
one_step = derivation.chain(
    "Looking one step ahead, and fitting, enlarges no error",
    Total(t, times(onward, e**2)),
    equals(plus(Expectation(d, ahead**2), spread), "a second moment is the square of the mean and the variance"),
    equals(plus(times(kappa**2, square), unfitted, spread), "Pythagoras: what a best fit leaves is orthogonal to the feature"),
    at_least(times(kappa**2, square), "leave out squares", dropping=plus(unfitted, spread)),
    states=2,
    role="lemma",
)
fit = derivation.define(r"(\Pi V)({})", f * Expectation(d, f.at(s) * V.at(s)) / square, "the best fit of the value", over=t)
k = derivation.number("k", "any weight")
distance = Expectation(d, plus(fit.at(s), -V.at(s)) ** 2)
paid = derivation.define(
    r"r_\pi({})", plus(V.at(s), -times(gamma, Expectation(moves, V))), "the expected reward (Bellman)", over=s
)
fixed = derivation.define(
    "w_*",
    Expectation(d, f.at(s) * paid) / Expectation(d, f.at(s) * plus(f.at(s), -times(gamma, Expectation(moves, f)))),
    "the weight at which the mean update is zero",
    "least_squares_value",
)
stands_still = derivation.chain(
    "Where the mean update is zero, the error is the fit of its discounted future and that of the best fit",
    plus(times(fixed, square), -Expectation(d, f.at(s) * V.at(s))),
    equals(
        times(gamma, Expectation(d, times(f.at(s), Expectation(moves, plus(times(fixed, f), -V))))),
        prose(
            "at $w_*$ the update is zero on average, {zero}; put in the expected reward",
            zero=holds(
                Expectation(d, times(f.at(s), plus(paid, times(gamma, fixed, Expectation(moves, f)), -times(fixed, f.at(s))))),
                "=",
                0,
            ),
        ),
    ),
    states=2,
    role="lemma",
    so=prose(
        "The error {error} is therefore {parts}: the discounted best fit of its future, and the error of the best fit. Both are "
        "at a right angle, so that squares of a multiple of the feature and of the second part add up: {square}.",
        square=holds(Expectation(d, plus(times(k, f.at(s)), fit.at(s), -V.at(s)) ** 2), "=", plus(times(k**2, square), distance)),
        error=where(e, plus(times(f, fixed), -V)),
        parts=holds(e, "=", plus(times(gamma, kappa, f), fit - V), wrong={"not discounted": kappa * f + fit - V}, named=True),
    ),
)
reach = derivation.number("h", r"$\kappa^2 \|\varphi\|^2$, the mean square of the fit of the next step's error", positive=True)
left_out = derivation.number("l", "the squares that the first of the two lemmas leaves out", positive=True)
least = derivation.define("b", plus(reach, left_out, -(gamma**2) * reach), r"the mean square of $\Pi V - V$")
derivation.chain(
    "On-policy, the learned fit is worse than the best one by no more than a factor of the discount",
    times(1 - gamma**2, plus(reach, left_out)),
    equals(
        plus(least, -(gamma**2) * left_out),
        prose(
            "on-policy the mean square of the error is both: {both}",
            both=holds(plus(reach, left_out), "=", plus(gamma**2 * reach, least)),
        ),
        wrong={"nothing discounted": plus(least, -left_out)},
    ),
    at_most(least, "leave out the squares", adding=gamma**2 * left_out),
    uses=(one_step, stands_still),
    so=r"The first line is $1 - \gamma^2$ times the mean square of the error, so the learned fit is at most $1 / \sqrt{1 - "
    r"\gamma^2}$ times as far from the value as the best one.",
)


@derivation.bound(
    r"\|\varphi w_* - V\| \le \frac{1}{\sqrt{1 - \gamma^2}}\, \|\Pi V - V\|",
    because="Two features, on-policy, in four random processes of four states. Without a discount both are a regression.",
    role="remark",
)
def two_features():
    def errors(*discounts):
        learned, best = np.array([two_fits(one, seed) for seed, one in enumerate(discounts)]).T
        return learned, best / np.sqrt(1 - np.square(discounts)), best

    wrong = {"as good as the best fit": lambda *discounts: errors(*discounts)[::2]}
    return BoundSides(sides=lambda *discounts: errors(*discounts)[:2], points=(0.5, 0.5, 0.9, 0.9), tight=(0.0,), wrong=wrong)


derivation.say("The same targets, for the values of actions: what is learned then depends on the next action in the target.")
b = derivation.index("a'", "the next action")
q = derivation.numbers("q({},{})", (t, b), "the values of the next state's actions", "next_action_values")
R = derivation.number("R", "the reward that was seen", "reward")
mean_target = plus(R, times(gamma, Expectation(policy.at(b, t), q)))
derivation.say(
    r"SARSA draws $a'$ from the policy and uses $R + \gamma q(s',a')$; expected SARSA averages over $a'$, so its target has the "
    r"same mean without the variance $\gamma^2 \mathrm{Var}(q)$ of the draw. Either learns the value of the policy that acts, "
    r"with its exploration. Q-learning takes the best action instead."
)
top = derivation.numbers("m'({})", t, "the value of the best action")
gap = derivation.numbers("g({},{})", (b, t), "by how much an action is worse than the best", positive=True)
worse = times(gamma, Expectation(P, Expectation(policy.at(b, t), gap)))
best_mean = plus(r, times(gamma, Expectation(P, top)))
no_policy = derivation.chain(
    "Q-learning: no policy is left in the target",
    Expectation(P, Expectation(policy.at(b, t), plus(r, times(gamma, top - gap)))),
    equals(plus(best_mean, -worse), prose("the expectation of a sum, with {value}", value=where(q, plus(top, -gap)))),
    at_most(
        best_mean,
        prose("leave out what the policy loses; equality if and only if {none} for all its actions", none=where(gap, 0)),
        adding=worse,
    ),
    states=2,
    so=r"The last line is the mean of Q-learning's target: Bellman's optimality operator. The policy that collects the data "
    r"decides only how often a pair $(s, a)$ is visited, so it may explore while the best policy is learned.",
    role="remark",
)

derivation.say(
    "But what is maximized is noisy as long as it is learned. The largest of the estimates is too large on average, even if each "
    "is right on average. A second, independent estimate of the action that the first selects is right where all actions are "
    "equally good, and too low where a worse one is sometimes selected. Two estimates from the same data are not independent."
)
derivation.symbol(r"X_1, X_2, X_3", "estimates of three actions that are worth 0")


@derivation.monte_carlo(
    r"\mathbb{E}[\max(X_1, X_2, X_3)] = \tfrac32\, \mathbb{E}[\max(X_1, X_2)] = 0.8463",
    because="The targets of Q-learning and of double Q-learning in 40000 draws of two sets of three standard normal estimates. "
    "The mean of the second is 0.",
    uses=(largest_estimate, second_estimate, largest_of_normals),
    role="remark",
)
def the_largest_of_three():
    selecting, evaluating = jnp.asarray(np.random.default_rng(0).normal(size=(2, 40000, 3)))
    zeros, biased = jnp.zeros(40000), 3 / (2 * np.sqrt(np.pi))
    largest = q_learning_target(zeros, selecting, zeros, discount=1.0)
    second = double_q_target(zeros, selecting, evaluating, zeros, discount=1.0)
    return SampleSides(
        samples=jnp.stack([largest, second], axis=1),
        expected=np.array([biased, 0.0]),
        wrong={"no bias": np.zeros(2), "both biased": np.full(2, biased)},
    )


derivation.bridge(
    "The code's update has this mean",
    mean_update,
    mean_of_updates,
    step_size=alpha,
    weights=d,
    policy=policy,
    transition=P,
    reward=r,
    value=v,
    discount=gamma,
    wrong={"discounted once more": gamma * mean_update},
    calls=(td_update,),
    states=3,
)
process = {"rewards": paid, "chain": moves, "weights": d, "discount": gamma, "calls": (least_squares_value,), "states": 3}
derivation.bridge(
    "... the weight at which it is zero",
    fixed,
    fitted,
    features=[[f.at(state)] for state in range(3)],
    wrong={"the best fit": Expectation(d, f.at(s) * V.at(s)) / square},
    **process,
)
derivation.bridge(
    "... and the value, with a feature for each state", V, fitted, features=np.eye(3), wrong={"the rewards": paid}, **process
)
seen = {"reward": [R] * 4, "terminal": np.zeros(4), "discount": gamma}
following = [q.at(state, b) for state in range(4)]  # [B, A]: one row for every next state
likely = [log(policy.at(b, state)) for state in range(4)]
derivation.bridge(
    "... expected SARSA's target", mean_target, expected_sarsa_target, next_action_values=following, next_log_probs=likely, **seen
)
best_of_two = plus(R, times(gamma, Max(q.at(t, 0), q.at(t, 1))))
derivation.bridge(
    "... that of Q-learning, for two actions", best_of_two, q_learning_target, next_action_values=following, sizes={b: 2}, **seen
)
derivation.bridge(
    "... and that of double Q-learning, where the first estimate selects the second action",
    plus(R, times(gamma, q.at(t, 1))),
    double_q_target,
    next_action_values=jnp.tile(jnp.array([0.0, 1.0]), (4, 1)),
    next_target_values=following,
    wrong={"the best of the second estimate": best_of_two},
    sizes={b: 2},
    **seen,
)

ROWS = jnp.array([[1.0], [1.0], [2.0], [2.0]])  # features of stay or move in state 0, stay or move in state 1
NEXT_ROWS = jnp.array([[1.0], [2.0], [2.0], [1.0]])
PRIZES = jnp.array([0.0, 0.0, 1.0, 0.0])


@derivation.algorithm(
    "TD(0), and Q-learning",
    do("start with the values 0, in any state $s$"),
    do(r"draw an action from $\pi(\cdot|s)$ and take it: a reward $r$, and the next state $s'$"),
    do(r"$\delta \leftarrow r + \gamma v(s') - v(s)$; if the episode ends here, $r - v(s)$", by=mean_step),
    do(r"$v(s) \leftarrow v(s) + \alpha \delta$, then $s \leftarrow s'$ and on", td_update, by=mean_step),
    do(r"Q-learning: the target of $q(s,a)$ is $R + \gamma \max_{a'} q(s',a')$", q_learning_target, by=no_policy),
)
def two_transitions():
    after_one = td_update(jnp.zeros(2), 1, jnp.array(1.0), 1, False, discount=0.5, step_size=0.5)
    yield r"\text{the example, } \alpha = \tfrac12, v = (0, 0)\text{: staying in state 1, } v", after_one, "(0, 1/2)"
    after_two = td_update(after_one, 0, jnp.array(0.0), 1, False, discount=0.5, step_size=0.5)
    yield r"\text{moving from 0 to 1, } v", after_two, "(1/8, 1/2)"
    found = q_learning_target(jnp.zeros(1), jnp.array([[0.5, 0.0]]), jnp.zeros(1), discount=0.5)
    yield r"\text{Q-learning's target for the move, if } q(1, \cdot) \text{ is } (\tfrac12, 0)", found, "1/4"


@derivation.example(
    "Two states and two actions: stay, or move to the other state. Staying in state 1 pays 1, nothing else pays; the discount is "
    r"$\frac12$, and the policy draws both actions with probability one half. Its value is $\frac14$ in state 0 and $\frac34$ "
    r"in state 1, and it is in both states equally often."
)
def stay_or_move():
    weight = least_squares_value(ROWS, NEXT_ROWS, PRIZES, discount=0.5)
    yield r"w_* \text{ of the feature } \varphi = (1, 2)", weight, "4/11"
    value, feature = jnp.array([0.25, 0.75]), jnp.array([1.0, 2.0])
    best = feature @ value / (feature @ feature)
    yield r"\text{the best weight}", best, "7/20"
    learned, least = (jnp.mean((feature * number - value) ** 2) for number in (weight[0], best))
    yield r"\|e\|^2", learned, "13/1936"
    yield r"\|\Pi V - V\|^2", least, "1/160"
    yield r"\|\Pi V - V\|^2 / (1 - \gamma^2)", least / 0.75, "1/120"
    yield r"\text{0 and 1 with unit noise: the largest, a second estimate}", jnp.array(means_of_two(1.0)), "1.1996, 0.7602"


@derivation.figure(
    "Left: the weight of the two-state process above, which has the value 0. Updates in state 0 alone diverge at the "
    "discount 0.9 and converge at 0.4; on-policy, which means in state 1, they converge. Right: two actions, estimated with unit "
    "noise. On average the target of Q-learning is too large, and that of double Q-learning too small unless both are equal.",
    panels=2,
)
def divergence_and_bias(left, right):
    draw(left, right)
