"""Returns and advantages: between one reward with a guess, and everything that was observed.

The lecture on the functions of theory_jax/reinforcement/returns.py.
"""

import itertools

import jax.numpy as jnp
import numpy as np
from sympy import sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Total, plus, times
from theory_jax.reinforcement.markov_decision import policy_value
from theory_jax.reinforcement.returns import (
    discounted_returns,
    generalized_advantages,
    lambda_returns,
    n_step_returns,
    temporal_difference_errors,
    whiten,
)

derivation = Derivation(
    module=__name__,
    title="Returns and advantages: between one reward with a guess, and everything that was observed",
    lectures=(49, 50),
    sources=(
        "Sutton & Barto 2018, Reinforcement learning, chapters 6, 7 and 12",
        "Schulman et al. 2016, High-dimensional continuous control using generalized advantage estimation",
        "Schulman et al. 2017, Proximal policy optimization algorithms",
    ),
    question="How good was an action? One can believe the next reward and a guess for the rest, or all rewards that followed, or "
    "a mixture. What exactly is traded, and why is the exponential mixture one recursion that runs backwards?",
    setting=(
        r"A row holds the steps $0, 1, 2, \dots$ of one run: the rewards $r_t$, and a guess $v_t$ for the value of the state "
        r"before step $t$. The last guess estimates everything after the row.",
        r"$c_t = 1 - d_t$, where $d_t$ is 1 if step $t$ ends its episode; then nothing after it belongs to the episode. A time "
        r"limit cuts a row, but does not end an episode. The identities hold for any numbers $c_t$.",
        r"$0 < \gamma < 1$ and $0 < \lambda < 1$; the code allows 0 and 1, too, and these cases are treated. Expectations are "
        r"over what the policy and the process do after the first action.",
    ),
    answer=r"The error $\delta_t$ of one step tells how much better it was than the guess. The return of $n$ steps exceeds the "
    r"guess by the sum of $n$ discounted errors, and the mixture of all these returns by $\sum_k (\gamma\lambda)^k "
    r"\delta_{t+k}$: $A_t = \delta_t + \gamma\lambda c_t A_{t+1}$. A small $\lambda$ believes a guess that may be wrong, a large "
    r"one is as noisy as the rewards are.",
    limits=(
        "The variance with a wrong guess: it may have a minimum between the ends, and where depends on the process.",
        "Rewards that another policy collected.",
        "Chains are derived for rows of three steps, or for one step more, and the weights for rows of any length; longer rows "
        "continue in the same way.",
    ),
    trained="These are estimates from a trajectory. The experiments of PPO, TRPO and language models compute them in each step.",
)

t = derivation.index("t", "a step", states=3)
j = derivation.index("j", "a state: the one before step $j$, or behind the row", states=4)
r = derivation.numbers("r", t, "the reward of a step", "rewards")
v = derivation.numbers("v", j, "the guess for the value of a state", "values")
c = derivation.numbers("c", t, "1, and 0 if the step ends its episode", "1 - terminals")
gamma = derivation.number(r"\gamma", "the discount", "discount", between=(0, 1))
lam = derivation.number(r"\lambda", "the decay of the trace, the weights $(\\gamma\\lambda)^k$", "trace_decay", between=(0, 1))
delta = derivation.define(
    r"\delta", plus(r, times(gamma, c, v.at(plus(t, 1))), -v.at(t)), "the error of one step", "temporal_difference_errors", over=t
)
S = derivation.number("S", "the discounted rewards of the first $t$ steps")
W = derivation.number("W", r"$\gamma^t c_0 c_1 \cdots c_{t-1}$: the discount after $t$ steps, 0 behind an end")

derivation.chain(
    "One step more adds one error",
    plus(plus(S, times(W, r), times(W, gamma, c, v.at(plus(t, 1)))), times(-1, plus(S, times(W, v.at(t))))),
    equals(
        times(W, plus(r, times(gamma, c, v.at(plus(t, 1))), -v.at(t))),
        r"the first bracket is the return of $t + 1$ steps, the second that of $t$ steps; what both observed cancels",
    ),
    equals(times(W, delta), "the definition of the error"),
    role="lemma",
    so=r"The return of no step is the guess $v_0$ itself. So the return of $n$ steps is $v_0$ and $n$ errors, the one of step "
    r"$t$ times $\gamma^t c_0 \cdots c_{t-1}$.",
)


def _followed(t, by):
    """The reward of step t, and what is looked forward to."""
    return plus(r.at(t), times(gamma, c.at(t), by))


G_1 = derivation.define("G^{(1)}", _followed(0, v.at(1)), "the return of one step", "n_step_returns")
G_2 = derivation.define("G^{(2)}", _followed(0, _followed(1, v.at(2))), "the return of two steps", "n_step_returns")
G_3 = derivation.define(
    "G^{(3)}", _followed(0, _followed(1, _followed(2, v.at(3)))), "the return of three steps, which are all", "discounted_returns"
)
first = delta.at(0)
second = times(gamma, c.at(0), delta.at(1))
third = times(gamma**2, c.at(0), c.at(1), delta.at(2))
mixture = derivation.define(
    r"G^\lambda",
    plus(times(1 - lam, G_1), times(1 - lam, lam, G_2), times(lam**2, G_3)),
    "their mixture, the rest on the longest",
    "lambda_returns",
)
rest = lam * gamma * c.at(1) * delta.at(2)
derivation.chain(
    "The mixture of the returns is one recursion",
    plus(mixture, -v.at(0)),
    equals(
        plus(times(1 - lam, plus(G_1, -v.at(0))), times(1 - lam, lam, plus(G_2, -v.at(0))), times(lam**2, plus(G_3, -v.at(0)))),
        r"the weights $1 - \lambda$, $(1 - \lambda) \lambda$ and $\lambda^2$ sum to one",
    ),
    equals(
        plus(times(1 - lam, first), times(1 - lam, lam, plus(first, second)), times(lam**2, plus(first, second, third))),
        "each return is the guess and its errors",
    ),
    equals(
        plus(first, times(lam, second), times(lam**2, third)),
        r"the error of step $t$ is in all returns longer than $t$, whose weights sum to $\lambda^t$",
    ),
    equals(
        plus(delta.at(0), times(gamma, lam, c.at(0), plus(delta.at(1), times(gamma, lam, c.at(1), delta.at(2))))),
        "factor out; the bracket is the same sum one step later",
        wrong={"the end read one step late": plus(delta.at(0), times(gamma, lam, c.at(1), plus(delta.at(1), rest)))},
    ),
    central=True,
    so=r"$A_t = \delta_t + \gamma\lambda c_t A_{t+1}$, and $A_t = 0$ behind the row: one pass from the end. Without a trace, "
    r"$\lambda = 0$, it is $\delta_t$; with the full trace, $\lambda = 1$, the whole return less the guess. Where $c_t = 0$, "
    r"nothing that comes later is in $A_t$.",
)
derivation.symbol("A_t", "the generalized advantage estimate", "generalized_advantages")

k = derivation.number("k", "a step, counted from the first", integer=True, positive=True)
m = derivation.number("m", "the last step of the row, $m > k$", integer=True, positive=True)
derivation.chain(
    "The same weights for a row of any length",
    plus(times(1 - lam, (lam**k - lam**m) / (1 - lam)), lam**m),
    equals(
        lam**k,
        r"the weights of the returns longer than $k$: $(1 - \lambda) \lambda^{n-1}$ for $n = k + 1, \dots, m$, a geometric sum, "
        r"and $\lambda^m$ for the longest",
        wrong={"the longest weighed like the others": lam**k - lam ** (m + 1)},
    ),
    role="lemma",
)

derivation.say(
    "What is the advantage estimate an estimate of? Fix a state, in which the policy draws an action; the guess for the states "
    "that may follow is exact at first, and no step of the row ends an episode."
)
a = derivation.index("a", "an action")
s = derivation.index("s", "the next state")
pi = derivation.law(r"\pi", a, "the policy in this state")
P = derivation.law("P({}|{})", (s, a), "the probability of the next state")
paid = derivation.numbers("R({})", a, "the reward of an action")
V = derivation.numbers("V({})", s, "the exact value of the next state")
q = derivation.define("Q({})", paid + gamma * Expectation(P, V), "the value of an action", over=a)
here = derivation.define(r"\bar{V}", Expectation(pi, q), "the exact value of this state, by Bellman's equation")
e = derivation.numbers("e({})", s, "the error of the guess for the next state")
e_here = derivation.number(r"\bar{e}", "its error for this state")
derivation.chain(
    "One step's error estimates the advantage, but for the errors of the guess",
    Expectation(P, plus(paid, times(gamma, plus(V, e)), times(-1, plus(here, e_here)))),
    equals(
        plus(plus(q, -here), times(gamma, Expectation(P, e)), -e_here),
        "the expectation of a sum; the reward and the discounted value are the value of the action",
    ),
    role="lemma",
    so=r"With $e = 0$ this is the advantage $Q(a) - \bar{V}$. Its mean over the policy is $\bar{V} - \bar{V} = 0$, so all later "
    r"errors have mean 0, and $A_t$ has the same expectation for every $\lambda$.",
)

e_k = derivation.numbers(r"\epsilon", j, "the expected error of the guess after so many steps")
derivation.chain(
    "What a wrong guess leaves in the expectation",
    plus(
        plus(times(gamma, e_k.at(1)), -e_k.at(0)),
        times(gamma, lam, plus(times(gamma, e_k.at(2)), -e_k.at(1))),
        times((gamma * lam) ** 2, plus(times(gamma, e_k.at(3)), -e_k.at(2))),
    ),
    equals(
        plus(
            -e_k.at(0),
            times(gamma * (1 - lam), plus(e_k.at(1), times(gamma, lam, e_k.at(2)))),
            times(gamma**3, lam**2, e_k.at(3)),
        ),
        r"every error of the guess occurs twice: with $\gamma (\gamma\lambda)^{k-1}$ where it was looked forward to, and with "
        r"$-(\gamma\lambda)^k$ where it was reached",
    ),
    so=r"The term $-\epsilon_0$ is the same for all actions: like a baseline, it changes no comparison between them. The errors "
    r"inside the row have the factor $1 - \lambda$, so with $\lambda = 1$ they do not matter. The last term is the guess behind "
    r"the row, which a cut leaves even then; it fades with the length of the row, and a row without end leaves "
    r"$-\epsilon_0 + \gamma (1 - \lambda) \sum_k (\gamma\lambda)^k \epsilon_{k+1}$.",
)

later = derivation.law("P'({}|{})", (a, s), "what happens after the next state")
y = derivation.numbers("y({},{})", (a, s), "what is observed there")
d_0 = derivation.numbers(r"\delta_0({})", s, "the first error, which the next state decides")
d_1 = derivation.define(
    r"\delta_1({},{})", y - Expectation(later, y), "the second error: what is observed less its expectation", over=(a, s)
)
arrives = derivation.law(r"\rho", s, "the probability of the next state")
derivation.chain(
    "Why a longer trace is noisier",
    Expectation(arrives, Expectation(later, plus(d_0, times(gamma, lam, d_1)) ** 2)),
    equals(
        plus(
            Expectation(arrives, d_0**2),
            times(2 * gamma * lam, Expectation(arrives, d_0 * Expectation(later, d_1))),
            times((gamma * lam) ** 2, Expectation(arrives, Expectation(later, d_1**2))),
        ),
        "multiply out; the first error is known when the second is drawn",
    ),
    equals(
        plus(Expectation(arrives, d_0**2), times((gamma * lam) ** 2, Expectation(arrives, Expectation(later, d_1**2)))),
        "if the guess is exact, an error has mean 0 whatever happened before",
        wrong={
            "the decay not squared": plus(
                Expectation(arrives, d_0**2), times(gamma * lam, Expectation(arrives, Expectation(later, d_1**2)))
            )
        },
    ),
    states=2,
    so=r"And so on: with an exact guess the variance of $A_t$ is $\sum_k (\gamma\lambda)^{2k}$ times the mean square of the "
    r"$k$th error, which grows with $\lambda$. A trace then gains nothing; a wrong guess is its reason.",
)


def _runs(transition, policy, start, action, length):
    """Every run of so many steps that begins so: its probability [N], states [N, length + 1] and actions [N, length]."""
    states, actions = transition.shape[:2]
    draws = np.indices((actions,) * (length - 1) + (states,) * length).reshape(2 * length - 1, -1).T
    acted = np.insert(draws[:, : length - 1], 0, action, axis=1)
    visited = np.insert(draws[:, length - 1 :], 0, start, axis=1)
    chances = transition[visited[:, :-1], acted, visited[:, 1:]].prod(axis=1) * policy[visited[:, 1:-1], acted[:, 1:]].prod(
        axis=1
    )
    return chances, visited, acted


@derivation.exact(
    r"\mathbb{E}[A_0 \mid s, a] = Q(a) - \bar{V} - \epsilon_0 + \gamma (1 - \lambda) (\epsilon_1 + \gamma\lambda \epsilon_2) + "
    r"\gamma (\gamma\lambda)^2 \epsilon_3",
    because="All runs of three steps of a process with three states and two actions, from each state and action, with a wrong "
    "guess and three decays of the trace.",
    outcomes=648,
    tolerance=1e-11,
)
def what_a_wrong_guess_leaves():
    rng = np.random.default_rng(0)
    chances, prizes = rng.dirichlet(np.ones(3), size=(3, 2)), rng.normal(size=(3, 2))
    policy, wrong_by = rng.dirichlet(np.ones(2), size=3), rng.normal(size=3)
    exact = np.asarray(policy_value(chances, prizes, np.log(policy), discount=0.9))
    moves = np.einsum("sa,sat->st", policy, chances)
    advantage = prizes + 0.9 * chances @ exact - exact[:, None]
    expected = [np.broadcast_to(wrong_by[:, None], (3, 2)), chances @ wrong_by, chances @ moves @ wrong_by]
    expected.append(chances @ moves @ moves @ wrong_by)
    found, expected_bias, cut_forgotten = [], [], []
    for decay in (0.0, 0.5, 1.0):
        for start, action in np.ndindex(3, 2):
            weights, visited, acted = _runs(chances, policy, start, action, 3)
            rows = prizes[visited[:, :-1], acted], (exact + wrong_by)[visited], np.zeros((len(acted), 3))
            found.append(weights @ generalized_advantages(*rows, discount=0.9, trace_decay=decay)[:, 0])
        inside = advantage - expected[0] + 0.9 * (1 - decay) * (expected[1] + 0.9 * decay * expected[2])
        expected_bias.append((inside + 0.9 * (0.9 * decay) ** 2 * expected[3]).ravel())
        cut_forgotten.append(inside.ravel())
    wrong = {"the cut forgotten": jnp.concatenate(cut_forgotten), "no bias": jnp.tile(advantage.ravel(), 3)}
    return Sides(left=jnp.stack(found), right=jnp.concatenate(expected_bias), wrong=wrong)


derivation.say("Before advantages weigh a gradient, many programs shift and scale those of a batch.")
i = derivation.index("i", "a valid entry of the batch")
n = derivation.count(i, "n", "how many there are")
A = derivation.numbers("A", i, "their advantages", "advantages")
deviation = derivation.number(r"\sigma", "their deviation", positive=True)
epsilon = derivation.number(r"\varepsilon", "a small number that keeps the divisor from 0", "epsilon", positive=True)
mean = derivation.define(r"\bar{A}", Total(i, A) / n, "their mean")
variance = derivation.define(r"\sigma^2", Total(i, (A - mean) ** 2) / n, "the mean squared distance from it")
derivation.chain(
    "Whitened advantages have mean 0",
    times(1 / n, Total(i, (A - mean) / (deviation + epsilon))),
    equals(times(1 / (deviation + epsilon), plus(times(1 / n, Total(i, A)), -mean)), "the divisor is the same for all"),
    equals(0, "the definition of the mean"),
    role="lemma",
)
derivation.chain(
    "... and almost variance 1",
    times(1 / n, Total(i, ((A - mean) / (deviation + epsilon)) ** 2)),
    equals(times(1 / (deviation + epsilon) ** 2, variance), "the mean squared distance, with the divisor in front"),
    role="lemma",
    so=r"This is $(\sigma / (\sigma + \varepsilon))^2$, which is 1 but for $\varepsilon$. The mean that is taken away depends on "
    r"the actions of the batch, and the divisor on the rewards: both are the same for all entries, so no entry changes its rank.",
)


def over_all_ends(compute, rewards, values, continues, **numbers):
    """compute() for numbers c that are neither 0 nor 1: it is linear in each of them, so all rows of 0 and 1 determine it."""
    ends = jnp.array(list(itertools.product((0.0, 1.0), repeat=len(continues))))
    weights = jnp.prod(jnp.where(ends == 1, 1 - continues, continues), axis=1)
    rows = jnp.tile(rewards, (len(ends), 1)), jnp.tile(values, (len(ends), 1)), ends
    return weights @ compute(*rows, **numbers)


def whole_returns(rewards, values, terminals, *, discount):
    """discounted_returns with the guess behind the row."""
    return discounted_returns(rewards, terminals, values[:, -1], discount=discount)


backwards = plus(delta.at(0), times(gamma, lam, c.at(0), plus(delta.at(1), times(gamma, lam, c.at(1), delta.at(2)))))
for _title, _expression, _compute, _called, _more, _mistakes in (
    (
        "The code computes the errors",
        [delta.at(n) for n in range(3)],
        temporal_difference_errors,
        temporal_difference_errors,
        {},
        {"the reward of an end lost": [c.at(n) * (r.at(n) + gamma * v.at(n + 1)) - v.at(n) for n in range(3)]},
    ),
    ("... the return of one step", (G_1, None, None), n_step_returns, n_step_returns, {"num_steps": 1}, {}),
    ("... of two steps", (G_2, None, None), n_step_returns, n_step_returns, {"num_steps": 2}, {}),
    ("... of three steps", (G_3, None, None), n_step_returns, n_step_returns, {"num_steps": 3}, {}),
    ("... of the whole row", (G_3, None, None), whole_returns, discounted_returns, {}, {}),
    (
        "... the advantages",
        [backwards, delta.at(1) + gamma * lam * c.at(1) * delta.at(2), delta.at(2)],
        generalized_advantages,
        generalized_advantages,
        {"trace_decay": lam},
        {},
    ),
    ("... their mixture", (mixture, None, None), lambda_returns, lambda_returns, {"trace_decay": lam}, {}),
):
    derivation.bridge(
        _title,
        _expression,
        over_all_ends,
        compute=_compute,
        rewards=r,
        values=v,
        continues=c,
        discount=gamma,
        **_more,
        wrong=_mistakes,
        calls=(_called,),
    )


derivation.bridge(
    "... and whitened advantages",
    (A - mean) / (sqrt(variance) + epsilon),
    whiten,
    advantages=[A],
    mask=jnp.ones((1, 4)),
    epsilon=epsilon,
    wrong={"the deviation of a sample": (A - mean) / (sqrt(variance * n / (n - 1)) + epsilon)},
)

REWARDS = jnp.array([[1.0, 0.0, 2.0]])
VALUES = jnp.array([[1.0, 2.0, 1.0, 0.0]])
ALIVE = jnp.zeros((1, 3))
STAY_OR_MOVE = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])  # action 0 stays, action 1 moves
PAID = np.array([[0.0, 0.0], [1.0, 0.0]])  # for staying in state 1
EXACT = np.array([0.25, 0.75])  # what the even policy is worth at a discount of 1/2


@derivation.example(
    r"A row of three steps pays 1, 0 and 2. The guesses are 1, 2 and 1, and 0 behind the row; the discount is $\frac12$, and no "
    r"step ends an episode."
)
def three_steps():
    row = REWARDS, VALUES, ALIVE
    yield r"(\delta_0, \delta_1, \delta_2)", temporal_difference_errors(*row, discount=0.5), "(1, -3/2, 1)"
    for decay, said in ((0.0, "(1, -3/2, 1)"), (0.5, "(11/16, -5/4, 1)"), (1.0, "(1/2, -1, 1)")):
        found = generalized_advantages(*row, discount=0.5, trace_decay=decay)
        yield rf"(A_0, A_1, A_2) \text{{ at }} \lambda = {decay:g}", found, said
    by_steps = [n_step_returns(*row, discount=0.5, num_steps=n)[0, 0] for n in (1, 2, 3)]
    yield r"(G^{(1)}, G^{(2)}, G^{(3)}) \text{ from step 0}", by_steps, "(2, 5/4, 3/2)"
    ended = generalized_advantages(REWARDS, VALUES, jnp.array([[1.0, 0.0, 0.0]]), discount=0.5, trace_decay=0.5)
    yield r"(A_0, A_1, A_2) \text{ if step 0 ends its episode}", ended, "(0, -5/4, 1)"


def _moments(decay, guess, steps=6):
    """Mean of A_0 for both actions in state 0 of the example below, and its variance when the even policy draws the action."""
    means, squares = [], []
    for action in (0, 1):
        weights, visited, acted = _runs(STAY_OR_MOVE, np.full((2, 2), 0.5), 0, action, steps)
        visited, acted, weights = visited[weights > 0], acted[weights > 0], weights[weights > 0]
        rows = PAID[visited[:, :-1], acted], guess[visited], np.zeros(acted.shape)
        found = generalized_advantages(*rows, discount=0.5, trace_decay=decay)[:, 0]
        means.append(weights @ found)
        squares.append(weights @ found**2)
    return np.array(means), np.mean(squares) - np.mean(means) ** 2


@derivation.figure(
    "Left: the weight of the return of $n$ steps in a row of eight; the last one holds the rest. Right: two states, two actions "
    "(stay or move, staying in state 1 pays 1), the even policy, discount one half, rows of six steps from state 0. With the "
    "guess one too high in state 1, moving looks better than it is; a long trace mends that. With the exact guess, a long trace "
    "only adds noise.",
    panels=2,
)
def weights_bias_and_noise(left, right):
    for place, decay in enumerate((0.3, 0.6, 0.9)):
        # A row without rewards or discount, with the guess 1 for one state alone: what is left is the weight of that guess.
        row = jnp.zeros((8, 8)), jnp.eye(9)[1:], jnp.zeros((8, 8))
        found = lambda_returns(*row, discount=1.0, trace_decay=decay)[:, 0]
        left.bar(np.arange(1, 9) + 0.27 * (place - 1), found, width=0.27, label=rf"$\lambda = {decay}$")
    left.set(xlabel="steps $n$", ylabel="weight of $G^{(n)}$")
    left.legend()
    decays = np.linspace(0, 1, 6)
    biases = [np.subtract(*(_moments(decay, EXACT + np.array([0.0, 1.0]))[0])[::-1]) - 0.25 for decay in decays]
    noise = [_moments(decay, EXACT)[1] ** 0.5 for decay in decays]
    right.plot(decays, biases, label="bias for moving, wrong guess")
    right.plot(decays, noise, label="deviation, exact guess")
    right.set(xlabel=r"decay $\lambda$", ylabel="advantage in state 0", ylim=(0, None))
    right.legend()


@derivation.exercise(
    r"What are the advantages of the example at $\lambda = \frac12$ if the guess behind the row is 4?",
    r"$\delta_2$ becomes $2 + 2 - 1 = 3$; then $-\frac32 + \frac34 = -0.75$ and $1 - \frac{3}{16} = 0.8125$: (0.8125, -0.75, 3).",
)
def another_guess_behind_the_row():
    yield generalized_advantages(REWARDS, VALUES.at[0, 3].set(4.0), ALIVE, discount=0.5, trace_decay=0.5), "(0.8125, -0.75, 3)"


@derivation.exercise(
    r"In the process of the figure, by how much does moving seem too good in state 0, as a function of $\lambda$, if the guess "
    r"is one too high in state 1?",
    r"After the first step, the even policy is in either state with probability $\frac12$, whatever was done. So only "
    r"$\epsilon_1$ depends on the action, 0 for staying and 1 for moving: $\frac12 (1 - \lambda)$. At $\lambda = 0, \frac12, 1$: "
    r"(0.5, 0.25, 0).",
)
def too_good_a_move():
    wrong = EXACT + np.array([0.0, 1.0])
    yield [np.subtract(*_moments(decay, wrong, 3)[0][::-1]) - 0.25 for decay in (0.0, 0.5, 1.0)], "(0.5, 0.25, 0)"


@derivation.exercise(
    "What is the variance of the advantage estimate there, in a row without end, if the guess is exact?",
    r"In state 0 the error is $\mp\frac18$, in state 1 $\pm\frac58$. The first has mean square $\frac{1}{64}$, every later one "
    r"$\frac12 (\frac{1}{64} + \frac{25}{64}) = \frac{13}{64}$. With $x = \gamma\lambda$ the sum is "
    r"$\frac{1}{64} + \frac{13}{64} \frac{x^2}{1 - x^2} = \frac{1 + 12 x^2}{64 (1 - x^2)}$; at $\lambda = 0, \frac12, 1$: "
    r"1/64, 7/240, 1/12.",
)
def noise_of_a_long_row():
    state, action = np.indices((2, 2)).reshape(2, -1)
    following = STAY_OR_MOVE.argmax(axis=2)[state, action]
    row = PAID[state, action][:, None], np.stack([EXACT[state], EXACT[following]], axis=1), np.zeros((4, 1))
    squares = (temporal_difference_errors(*row, discount=0.5)[:, 0] ** 2).reshape(2, 2).mean(axis=1)
    yield [squares[0] + squares.mean() * x**2 / (1 - x**2) for x in (0.0, 0.25, 0.5)], "1/64, 7/240, 1/12"
