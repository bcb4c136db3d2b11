"""Returns and advantages: between one reward with a guess, and everything that was observed.

The lecture on the functions of theory_jax/reinforcement/returns.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.reinforcement import _runs as runs
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
    question="How good was an action? Among all rewards that followed, its own effect drowns in noise; the next reward and a "
    "guess for the rest are as wrong as the guess. What exactly does a mixture of both trade, and why is the exponential mixture "
    "one recursion that runs backwards?",
    setting=(
        r"A row holds the steps $0, 1, 2, \dots$ of one run: the rewards $r_t$, and a guess $v_t$ for the value of the state "
        r"before step $t$. The last guess estimates everything after the row.",
        r"The number $c_t$ is 0 if step $t$ ends its episode, so that nothing after it belongs to the episode, and 1 otherwise. "
        r"A time limit cuts a row, but does not end an episode. The identities hold for any numbers $c_t$.",
        r"$\gamma$ and $\lambda$ are between 0 and 1; the code allows 0 and 1, too, and these cases are treated. Expectations "
        r"are over what the policy and the process do after the first action.",
    ),
    limits=(
        "The variance with a wrong guess: it may have a minimum between the ends, and where depends on the process.",
        "Rewards that another policy collected.",
        "Chains are derived for rows of three steps, or for one step more, and the weights for rows of any length; longer rows "
        "continue in the same way.",
    ),
    trained="These are estimates from a trajectory. The experiments of PPO, TRPO and language models compute them in each step.",
)


@derivation.figure(
    "Left: the weight of the return of $n$ steps in a row of eight; the last one holds the rest. Right: two states, two actions "
    "(stay or move, staying in state 1 pays 1), the even policy, discount one half, rows of six steps from state 0. With the "
    "guess one too high in state 1, moving looks better than it is; a long trace mends that. With the exact guess, a long trace "
    "only adds noise.",
    panels=2,
)
def weights_bias_and_noise(left, right):
    runs.draw_weights(left)
    runs.draw_bias_and_noise(right)


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

one_more = derivation.chain(
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
backwards = plus(delta.at(0), times(gamma, lam, c.at(0), plus(delta.at(1), times(gamma, lam, c.at(1), delta.at(2)))))
rest = lam * gamma * c.at(1) * delta.at(2)
derivation.answer = prose(
    r"The error $\delta_t$ of one step tells how much better it was than the guess. The return of $n$ steps exceeds the guess by "
    "the sum of $n$ discounted errors, {two} for two steps. The mixture of all these returns exceeds it by the same sum with the "
    r"further factor $\lambda$ for each step, which is one recursion from the end: {mixture} in a row of three steps. A small "
    r"$\lambda$ believes a guess that may be wrong, a large one is as noisy as the rewards are.",
    two=holds(plus(G_2, -v.at(0)), "=", plus(first, second), wrong={"undiscounted": first + c.at(0) * delta.at(1)}),
    mixture=holds(plus(mixture, -v.at(0)), "=", backwards),
)
recursion = derivation.chain(
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
        backwards,
        "factor out; the bracket is the same sum one step later",
        wrong={"the end read one step late": plus(delta.at(0), times(gamma, lam, c.at(1), plus(delta.at(1), rest)))},
    ),
    central=True,
    so=prose(
        r"So $A_t$ is $\delta_t$ and $\gamma\lambda c_t$ times $A_{t+1}$, which is 0 behind the row: one pass from the end. "
        r"Without a trace, at $\lambda$ 0, the mixture is {one}; with the full trace, at 1, {whole}. If the first step ends its "
        "episode, nothing that comes later is in it: the last line is {ended}.",
        one=holds(mixture, "=", G_1, when={lam: 0}, named=True),
        whole=holds(mixture, "=", G_3, when={lam: 1}, named=True),
        ended=holds(backwards, "=", delta.at(0), when={c.at(0): 0}, named=True),
    ),
)
derivation.figure(
    prose(
        "An episode of ten steps that pays 1 at its end, with the discount 0.95. Left: if the critic knows nothing, the last "
        "error is the only one. Without a trace only the last step gets credit; with it a step $k$ earlier gets "
        r"$(\gamma\lambda)^k$ of it. Right: if the critic expects more from step 6 on, credit goes to the step before it as "
        "well, even without a trace: there the mixture is {one}.",
        one=holds(mixture, "=", G_1, when={lam: 0}, named=True, wrong={"all rewards": G_3}),
    ),
    panels=2,
)(runs.draw_credit)
derivation.symbol("A_t", "the generalized advantage estimate", "generalized_advantages")

k = derivation.number("k", "a step, counted from the first", integer=True, positive=True)
m = derivation.number("m", "the last step of the row, after $k$", integer=True, positive=True)
derivation.chain(
    "In a row of any length the weights of the longer returns sum to a power of the decay",
    plus(times(1 - lam, (lam**k - lam**m) / (1 - lam)), lam**m),
    equals(
        lam**k,
        r"the weights of the returns longer than $k$: $(1 - \lambda) \lambda^{n-1}$ for $n$ from $k + 1$ to $m$, a geometric "
        r"sum, and $\lambda^m$ for the longest",
        wrong={"the longest weighed like the others": lam**k - lam ** (m + 1)},
    ),
    role="lemma",
)

derivation.say(
    "What is the advantage estimate an estimate of? Fix a state, in which the policy draws an action. The guesses have errors, "
    "and no step of the row ends an episode."
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
    so=prose(
        "With an exact guess, {e} and {e_here}, it is the advantage, {advantage}. Its mean over the policy is {mean}, so all "
        r"later errors have mean 0, and $A_t$ has the same expectation for every $\lambda$.",
        e=where(e, 0),
        e_here=where(e_here, 0),
        advantage=holds(
            Expectation(P, plus(paid, times(gamma, plus(V, e)), times(-1, plus(here, e_here)))), "=", plus(q, -here), named=True
        ),
        mean=holds(Expectation(pi, plus(q, -here)), "=", 0, named=True),
    ),
)

e_k = derivation.numbers(r"\epsilon", j, "the expected error of the guess after so many steps")
left_over = plus(
    -e_k.at(0), times(gamma * (1 - lam), plus(e_k.at(1), times(gamma, lam, e_k.at(2)))), times(gamma**3, lam**2, e_k.at(3))
)
derivation.chain(
    "What a wrong guess leaves in the expectation",
    plus(
        plus(times(gamma, e_k.at(1)), -e_k.at(0)),
        times(gamma, lam, plus(times(gamma, e_k.at(2)), -e_k.at(1))),
        times((gamma * lam) ** 2, plus(times(gamma, e_k.at(3)), -e_k.at(2))),
    ),
    equals(
        left_over,
        r"every error of the guess occurs twice: with $\gamma (\gamma\lambda)^{k-1}$ where it was looked forward to, and with "
        r"$-(\gamma\lambda)^k$ where it was reached",
    ),
    so=prose(
        r"The term $-\epsilon_0$ is the same for all actions: like a baseline, it changes no comparison between them. The errors "
        r"inside the row have the factor $1 - \lambda$, so with the full trace only {ends} is left. The last term is the guess "
        "behind the row, which a cut leaves even then; it fades with the length of the row, and a row without end leaves "
        r"$-\epsilon_0 + \gamma (1 - \lambda) \sum_k (\gamma\lambda)^k \epsilon_{k+1}$.",
        ends=holds(left_over, "=", plus(-e_k.at(0), gamma**3 * e_k.at(3)), when={lam: 1}, named=True),
    ),
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


@derivation.exact(
    r"\mathbb{E}[A_0 \mid s, a] = Q(a) - \bar{V} - \epsilon_0 + \gamma (1 - \lambda) (\epsilon_1 + \gamma\lambda \epsilon_2) + "
    r"\gamma (\gamma\lambda)^2 \epsilon_3",
    because="All runs of three steps of a process with three states and two actions, from each state and action, with a wrong "
    "guess and three decays of the trace.",
    outcomes=648,
    tolerance=1e-11,
    role="remark",
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
            weights, visited, acted = runs.all_runs(chances, policy, start, action, 3)
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
whitened = derivation.chain(
    "Whitened advantages have mean 0",
    times(1 / n, Total(i, (A - mean) / (deviation + epsilon))),
    equals(times(1 / (deviation + epsilon), plus(times(1 / n, Total(i, A)), -mean)), "the divisor is the same for all"),
    equals(0, "the definition of the mean"),
    role="lemma",
)
derivation.chain(
    "Whitened advantages have almost variance 1",
    times(1 / n, Total(i, ((A - mean) / (deviation + epsilon)) ** 2)),
    equals(times(1 / (deviation + epsilon) ** 2, variance), "the mean squared distance, with the divisor in front"),
    role="lemma",
    so=r"This is $(\sigma / (\sigma + \varepsilon))^2$, which is 1 but for $\varepsilon$. The mean that is taken away depends on "
    r"the actions of the batch, and the divisor on the rewards: both are the same for all entries, so no entry changes its rank.",
)


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
    ("... of the whole row", (G_3, None, None), runs.whole_returns, discounted_returns, {}, {}),
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
        runs.over_all_ends,
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


@derivation.algorithm(
    "Generalized advantages of a row of $T$ steps",
    do("guess the values $v_0$ to $v_T$ of the states of the row, that behind it included; $A_T \\leftarrow 0$"),
    do("for $t$ from $T - 1$ down to 0:"),
    do(r"$\delta_t \leftarrow r_t + \gamma c_t v_{t+1} - v_t$", temporal_difference_errors, by=one_more, indent=1),
    do(r"$A_t \leftarrow \delta_t + \gamma\lambda c_t A_{t+1}$", generalized_advantages, by=recursion, indent=1),
    do(r"$G^\lambda_t \leftarrow v_t + A_t$, the targets of the guess", lambda_returns, by=recursion),
    do(r"$A \leftarrow (A - \bar A) / (\sigma + \varepsilon)$ over the batch, before the policy's step", whiten, by=whitened),
)
def from_the_end():
    row = REWARDS, VALUES, ALIVE
    errors = temporal_difference_errors(*row, discount=0.5)[0]
    found = generalized_advantages(*row, discount=0.5, trace_decay=0.5)
    yield r"\text{the example, } \gamma = \lambda = \tfrac12: \quad \delta_2, A_2", (errors[2], found[0, 2]), "(1, 1)"
    yield r"\delta_1, A_1", (errors[1], found[0, 1]), "(-3/2, -5/4)"
    yield r"G^\lambda", lambda_returns(*row, discount=0.5, trace_decay=0.5)[0], "(27/16, 3/4, 2)"
    yield r"\text{whitened } A", whiten(found, jnp.ones((1, 3)), epsilon=1e-8)[0], "(0.5443, -1.4025, 0.8583)"


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
