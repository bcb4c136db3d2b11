"""Temporal differences: learning a value from one transition after the other.

The lecture on the functions of theory_jax/reinforcement/temporal_difference.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from sympy import KroneckerDelta, Max, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import BoundSides, SampleSides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Total, plus, times
from theory_jax.lectures.lemmas.largest_estimate import largest_estimate, largest_of_normals, second_estimate
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
    question="Bellman's equation gives the value of a policy if the process is known. If it is not, one transition is seen "
    "after the other. How can the value be learned from them, and what goes wrong when features take the place of a "
    "table, when another policy collects the data, or when a maximum is taken?",
    setting=(
        r"A finite process with rewards $r$, transitions $P$ and a discount $\gamma$, $0 < \gamma < 1$, as in the lecture on "
        r"decision processes, and a policy $\pi$. A transition starts in state $s$ with probability $d(s) > 0$; the action, the "
        r"reward and the next state $s'$ follow.",
        r"After a transition from $s$ to $s'$, TD(0) moves $v(s)$ by the step size $\alpha$ times the error $\delta = r + \gamma "
        r"v(s') - v(s)$. $r + \gamma v(s')$ is called the target. It is held constant: $v(s')$ does not move, although "
        r"$\delta^2$ depends on it. If the transition ends an episode, the target is $r$; the end is a state of value 0.",
        r"With features, $v(s) = \varphi(s) w$, and the weight $w$ moves by $\alpha \delta \varphi(s)$. Where one feature is "
        r"enough to show an identity, there is one.",
        r"On-policy means that $d$ is stationary: if $s$ is drawn from $d$, then so is $s'$. Off-policy, it is any other $d$.",
    ),
    answer=r"On average, one transition moves $v(s)$ by $\alpha d(s)$ times what Bellman's operator would change. A table "
    r"converges on average for all data that visit every state. Features are stable on-policy, where the error of the learned "
    r"fit is at most $1 / \sqrt{1 - \gamma^2}$ times that of the best one; off-policy their weights can diverge. A maximum in "
    r"the target needs no policy, but the maximum of noisy estimates is too large on average; an independent second estimate, "
    r"which evaluates what the first one selects, is not.",
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
derivation.chain(
    "One update, on average, is a small step of Bellman's operator",
    Expectation(d, Expectation(policy, Expectation(P, times(alpha, KroneckerDelta(s, x), delta)))),
    equals(
        times(alpha, d.at(x), Expectation(policy.at(a, x), Expectation(P.at(t, x, a), delta.at(x, a, t)))),
        "only the transitions that start in $x$ move $v(x)$",
        wrong={
            "those that arrive there": times(alpha, Expectation(d, Expectation(policy, times(P.at(x, s, a), delta.at(s, a, x)))))
        },
    ),
    equals(mean_update, r"the expectation of a sum; $v(x)$ is known before anything is drawn"),
    states=2,
    central=True,
    so=r"It is zero at every state if and only if $v = B_\pi v$: TD(0) rests, on average, at the value of the policy and "
    r"nowhere else.",
)


c = derivation.number("c", r"$\alpha d(s)$ of one state", between=(0, 1))
moves = derivation.law(r"P_\pi({}|{})", (t, s), r"the next state under the policy, $\sum_a \pi(a|s) P(s'|s,a)$")
M = derivation.number("M", "the largest error of any state")
slack = derivation.numbers("m({})", t, "by how much the error of a state is smaller", positive=True)
derivation.say(
    "A table forgets its errors for all data that visit every state: call the error of a state $v(s) - "
    "V(s)$, where $V$ is the policy's value, and use the mean update."
)
derivation.symbol("V(s)", "the value of the policy")
shrunk = plus(times(1 - c, slack.at(s)), times(c, gamma, Expectation(moves, slack)))
derivation.chain(
    "A table: the largest error shrinks, whatever states are visited",
    plus(times(1 - c, M - slack.at(s)), times(c, gamma, Expectation(moves, M - slack))),
    equals(plus(times(1 - c * (1 - gamma), M), -shrunk), r"probabilities sum to one"),
    at_most(times(1 - c * (1 - gamma), M), r"leave out what is never negative, since $\alpha d(s) < 1$", adding=shrunk),
    so=r"The same holds from below. So the largest error falls by the factor $1 - \alpha (1 - \gamma) \min_s d(s)$ at least: "
    r"slowly where a state is rarely visited, but for every $d$ that is positive.",
)

derivation.say("With features, the states share one weight, and it matters which of them are visited.")
onward = derivation.define("d'({})", Total(s, d * moves), r"how often transitions arrive in a state", over=t)
apart = times(gamma / 2, Expectation(d, Expectation(moves, (v.at(s) - v) ** 2)))
size = Expectation(d, v.at(s) ** 2)
pull = derivation.chain(
    "What pulls a weight back to zero, and what drives it away",
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
    so=r"With rewards of zero and $v = \varphi w$, the mean update moves $w$ by $-\alpha / w$ times this number: if it is "
    r"positive, $w$ falls to zero, its value; if it is negative, $w$ grows. Only the second term can make it negative, where "
    r"transitions arrive in states of large values in which they seldom start.",
)
w = derivation.number("w", "the weight of the feature")
derivation.chain(
    "On-policy, everything is a sum of squares",
    plus(times(1 - gamma / 2, size), -times(gamma / 2, size), apart),
    equals(plus(times(1 - gamma, size), apart), r"$d' = d$: transitions arrive in the states in which the next ones start"),
    at_least(0, "leave out squares", dropping=plus(times(1 - gamma, size), apart)),
    uses=(pull,),
    so=r"It is zero only if all values are, so a small step is stable; for several features, by the same number, the "
    r"eigenvalues of the system have positive real parts.",
)
derivation.chain(
    "Off-policy it can diverge",
    plus(w, times(alpha, plus(times(gamma, 2 * w), -w))),
    equals(
        times(plus(1, times(alpha, plus(2 * gamma, -1))), w),
        r"state 0 with the feature 1 leads to state 1 with the feature 2, and only state 0 is updated; all rewards are 0",
    ),
    so=r"State 1 leads to itself, all values are 0, and $w = 0$ fits them. For $\gamma > \frac12$ the factor exceeds 1, and $w$ "
    r"grows without bound. Here $d' = (0, 1)$, and the number above is $1 - 2\gamma$ at $w = 1$. It still diverges if state 1 is "
    r"updated, too, but rarely.",
)

derivation.say("Where TD(0) rests on-policy, how far is it from the value? Three short lemmas and one line of algebra.")
f = derivation.numbers(r"\varphi({})", t, "the feature of a state", "features")
V = derivation.numbers("V({})", t, "the value of the policy")
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
right_angle = derivation.chain(
    "An error is one part within reach of the feature, and one at a right angle to it",
    Expectation(d, plus(times(k, f.at(s)), fit.at(s), -V.at(s)) ** 2),
    equals(plus(times(k**2, square), distance), "Pythagoras once more"),
    role="lemma",
)
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
    "Where the mean update is zero",
    plus(times(fixed, square), -Expectation(d, f.at(s) * V.at(s))),
    equals(
        times(gamma, Expectation(d, times(f.at(s), Expectation(moves, plus(times(fixed, f), -V))))),
        r"$\mathbb{E}[\varphi(s) (r + \gamma \varphi(s') w - \varphi(s) w)] = 0$ is solved by $w_*$; put $r_\pi = V - \gamma "
        r"P_\pi V$",
    ),
    states=2,
    role="lemma",
    so=r"The error $e = \varphi w_* - V$ is therefore $\gamma \kappa \varphi + (\Pi V - V)$: the discounted best fit of its "
    r"future, and the error of the best fit.",
)
reach = derivation.number("h", r"$\kappa^2 \|\varphi\|^2$, the mean square of the fit of the next step's error", positive=True)
left_out = derivation.number("l", "the squares that the first of the three lemmas leaves out", positive=True)
least = derivation.define("b", plus(reach, left_out, -(gamma**2) * reach), r"the mean square of $\Pi V - V$")
derivation.chain(
    "How good the learned fit is",
    times(1 - gamma**2, plus(reach, left_out)),
    equals(
        plus(least, -(gamma**2) * left_out),
        r"on-policy $\|e\|^2 = h + l$, and $\|e\|^2 = \gamma^2 h + b$",
        wrong={"nothing discounted": plus(least, -left_out)},
    ),
    at_most(least, "leave out the squares", adding=gamma**2 * left_out),
    uses=(one_step, right_angle, stands_still),
    so=r"The first line is $(1 - \gamma^2) \|e\|^2$, so the learned fit is at most $1 / \sqrt{1 - \gamma^2}$ times as far from "
    r"the value as the best one.",
)


def fitted(features, rewards, chain, weights, discount):
    """least_squares_value of all transitions, each as often as it occurs: a row times the root of its weight."""
    roots = np.sqrt(weights[:, None] * chain).reshape(-1, 1)
    rows, columns = np.indices(chain.shape).reshape(2, -1)
    arrays = roots * features[rows], roots * features[columns], roots[:, 0] * rewards[rows]
    return least_squares_value(*map(jnp.asarray, arrays), discount=discount)


@derivation.bound(
    r"\|\varphi w_* - V\| \le \frac{1}{\sqrt{1 - \gamma^2}}\, \|\Pi V - V\|",
    because=r"Two features, on-policy, in four random processes of four states. Equality at $\gamma = 0$: a regression.",
    role="remark",
)
def two_features():
    def errors(*discounts):
        found = []
        for seed, discount in enumerate(discounts):
            rng = np.random.default_rng(seed)
            chain, features, value = rng.dirichlet(np.ones(4), size=4), rng.normal(size=(4, 2)), rng.normal(size=4)
            weights = np.linalg.matrix_power(chain, 100)[0]
            roots = np.sqrt(weights)
            learned = fitted(features, value - discount * chain @ value, chain, weights, discount)
            best = np.linalg.lstsq(roots[:, None] * features, roots * value)[0]
            found.append([np.linalg.norm(roots * (features @ weight - value)) for weight in (learned, best)])
        learned, best = np.array(found).T
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
derivation.chain(
    "Q-learning: no policy is left in the target",
    Expectation(P, Expectation(policy.at(b, t), plus(r, times(gamma, top - gap)))),
    equals(plus(best_mean, -worse), r"the expectation of a sum; $q = m' - g$"),
    at_most(best_mean, "leave out what the policy loses; equality if it takes a best action", adding=worse),
    states=2,
    so=r"The last line is the mean of Q-learning's target: Bellman's optimality operator. The policy that collects the data "
    r"decides only how often a pair $(s, a)$ is visited, so it may explore while the best policy is learned.",
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


def mean_of_updates(step_size, weights, policy, transition, reward, value, discount):
    """The mean of td_update over all transitions, less the value; policy and reward are [A, S], transition is [A, S, S]."""
    acted, started, arrived = np.indices(transition.shape).reshape(3, -1)
    moved = jax.vmap(lambda *seen: td_update(value, *seen, False, discount=discount, step_size=step_size))(
        started, reward[acted, started], arrived
    )
    return (weights[started] * policy[acted, started] * transition[acted, started, arrived]) @ (moved - value)


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


def _means_of_two(gap):
    """Means of the largest of two estimates with unit noise, of values 0 and gap, and of the second estimate of the selected."""
    selected = gap * norm.cdf(gap / np.sqrt(2))
    return selected + np.sqrt(2) * norm.pdf(gap / np.sqrt(2)), selected


@derivation.example(
    "Two states and two actions: stay, or move to the other state. Staying in state 1 pays 1, nothing else pays; the discount is "
    r"$\frac12$, and the policy draws both actions with probability one half. Its value is $V = (\frac14, \frac34)$, and it is "
    r"in both states equally often."
)
def stay_or_move():
    after_one = td_update(jnp.zeros(2), 1, jnp.array(1.0), 1, False, discount=0.5, step_size=0.5)
    yield r"v \text{ from } (0, 0), \text{ staying in state 1, } \alpha = \tfrac12", after_one, "(0, 1/2)"
    after_two = td_update(after_one, 0, jnp.array(0.0), 1, False, discount=0.5, step_size=0.5)
    yield r"v \text{ after moving from 0 to 1, too}", after_two, "(1/8, 1/2)"
    weight = least_squares_value(ROWS, NEXT_ROWS, PRIZES, discount=0.5)
    yield r"w_* \text{ of the feature } \varphi = (1, 2)", weight, "4/11"
    value, feature = jnp.array([0.25, 0.75]), jnp.array([1.0, 2.0])
    best = feature @ value / (feature @ feature)
    yield r"\text{the best weight}", best, "7/20"
    learned, least = (jnp.mean((feature * number - value) ** 2) for number in (weight[0], best))
    yield r"\|e\|^2", learned, "13/1936"
    yield r"\|\Pi V - V\|^2", least, "1/160"
    yield r"\|\Pi V - V\|^2 / (1 - \gamma^2)", least / 0.75, "1/120"
    yield r"\text{0 and 1 with unit noise: the largest, a second estimate}", jnp.array(_means_of_two(1.0)), "1.1996, 0.7602"


def _factor(discount, step, feature, following):
    """By what one update multiplies the weight, if only a state with this feature is updated, and it leads to the following."""
    target = q_learning_target(jnp.zeros(1), jnp.full((1, 1), following), np.zeros(1), discount=discount)[0]
    return float(1 + step * feature * (target - feature))


@derivation.figure(
    "Left: the weight of the two-state process above, which has the value 0. Updates in state 0 alone diverge for $\\gamma = "
    "0.9$ and converge for $0.4$; on-policy, which means in state 1, they converge. Right: two actions, estimated with unit "
    "noise. The target of Q-learning is too large, that of double Q-learning too small unless both are equally good.",
    panels=2,
)
def divergence_and_bias(left, right):
    updates = np.arange(26)
    for discount, pair, name in ((0.9, (1.0, 2.0), "state 0"), (0.4, (1.0, 2.0), "state 0"), (0.9, (2.0, 2.0), "on-policy")):
        left.plot(updates, _factor(discount, 0.1, *pair) ** updates, label=rf"$\gamma = {discount}$, {name}")
    left.set(xlabel="updates", ylabel="weight $w$")
    left.legend()
    gaps = np.linspace(0, 4, 41)
    for mean, name in zip(_means_of_two(gaps), ("Q-learning", "double Q-learning"), strict=True):
        right.plot(gaps, mean - gaps, label=name)
    right.axhline(0, linestyle="--", color="gray")
    right.set(xlabel="difference of the two values", ylabel="mean target less the larger value")
    right.legend()


@derivation.exercise(
    r"The example's policy, all values 0, both states equally often: how does one update change the values on average?",
    r"By $\alpha d(s) r_\pi(s)$, since $B_\pi 0 = r_\pi = (0, \frac12)$: by $\alpha (0, 1/4)$.",
)
def from_nothing():
    stay_or_move = jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    rewards = jnp.array([[0.0, 1.0], [0.0, 0.0]])
    found = mean_of_updates(0.1, jnp.full(2, 0.5), jnp.full((2, 2), 0.5), stay_or_move, rewards, jnp.zeros(2), 0.5)
    yield found / 0.1, "(0, 1/4)"


@derivation.exercise(
    r"In the process that diverges, $\gamma = 0.9$ and $\alpha = 0.1$. By what factor has the weight grown after 100 updates?",
    r"By $1 + 0.1 \cdot 0.8 = 1.08$ each time, and $1.08^{100} = 2199.8$.",
)
def a_hundred_updates():
    yield _factor(0.9, 0.1, 1.0, 2.0) ** 100, "2199.8"


@derivation.exercise(
    "What is the mean of the larger of two independent standard normal estimates?",
    r"$\max(X_1, X_2) = \frac12 (X_1 + X_2 + |X_1 - X_2|)$, so it is $\frac12 \mathbb{E}|X_1 - X_2|$, by the lemma on the "
    "difference of two normal numbers 0.5642.",
)
def the_larger_of_two():
    yield _means_of_two(0.0)[0], "0.5642"
