"""Bellman's equations: the value of a policy, and the best value of all.

The lecture on the functions of theory_jax/reinforcement/markov_decision.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Max, exp, log, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.parts import value as number_of
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.tilting import tilting
from theory_jax.lectures.reinforcement._stay_or_move import PROCESS
from theory_jax.lectures.reinforcement._sweeps import BEST, EVEN, draw_errors, draw_temperatures, soft_value, solved, swept
from theory_jax.reinforcement.markov_decision import (
    action_value,
    bellman_operator,
    bellman_optimality_operator,
    policy_transition,
    policy_value,
    soft_bellman_operator,
    state_occupancy,
)

derivation = Derivation(
    module=__name__,
    title="Bellman's equations: the value of a policy, and the best value of all",
    lectures=(49,),
    sources=(
        "Bellman 1957, Dynamic programming",
        "Puterman 1994, Markov decision processes",
        "Sutton & Barto 2018, Reinforcement learning, chapters 3 and 4",
        "Ziebart 2010, Modeling purposeful adaptive behavior with the principle of maximum causal entropy",
    ),
    question="The action that pays most now may lead to where nothing is paid, and there are too many policies to try them all. "
    "A policy is worth the sum of all rewards that it will ever collect. Why does one linear equation give that value, why does "
    "one equation with a maximum give the best value at all states at once, and why does iteration find it?",
    setting=(
        r"A process has finitely many states and actions. In state $s$ the policy draws an action $a$ with probability "
        r"$\pi(a|s)$; the reward is $r(s,a)$, and the next state is $s'$ with probability $P(s'|s,a)$. Given $s$ and $a$, "
        r"nothing else that happened before matters.",
        r"A reward that comes $n$ steps later counts $\gamma^n$ of its size, with a discount below 1, so that the sum of all is "
        r"finite. The value $v(s)$ of a policy is the expectation of this sum from state $s$ on.",
        r"Where two states are enough to show an identity, they are called 0 and 1. A policy on them is described by its "
        r"probabilities $\alpha$ and $\beta$ of leaving each of them, and by its expected rewards.",
    ),
    limits=(
        "Infinitely many states, and a discount of 1, for which the sum of rewards need not exist.",
        "Policies that remember the past: they cannot do better here, which is not shown.",
        "The explicit solutions are derived for all policies on two states; the identities that are sums over states and actions "
        "hold for any number of them.",
    ),
    trained="A known problem is solved. `reinforcement/temporal_difference` learns the same grid worlds from experience.",
)

s = derivation.index("s", "a state")
a = derivation.index("a", "an action")
t = derivation.index("s'", "the next state")
transition = derivation.law("P({}|{},{})", (t, s, a), "the probability of the next state", "transition")
rewards = derivation.numbers("r({},{})", (s, a), "the reward", "reward")
pi = derivation.law(r"\pi({}|{})", (a, s), "the policy", "exp(policy_log_probs)")
gamma = derivation.number(r"\gamma", "the discount", "discount", between=(0, 1))
v = derivation.numbers("v({})", t, "the value of each state", "value")
moves = derivation.define(
    r"P_\pi({}|{})", Total(a, pi * transition), "the next state under the policy", "policy_transition", over=(t, s), law=True
)
paid = derivation.define(r"r_\pi({})", Total(a, pi * rewards), "the expected reward under the policy", over=s)
q = derivation.define(
    "Q({},{})", rewards + gamma * Expectation(transition, v), "first the action, then v", "action_value", over=(s, a)
)

derivation.chain(
    "Bellman's equation: a value is a reward and the discounted value that follows",
    Expectation(pi, q),
    equals(
        Expectation(pi, plus(rewards, times(gamma, Expectation(transition, v)))),
        r"the first reward, and from $s'$ on the same sum again, every term of it one step later; it does not depend on how $s'$ "
        r"was reached",
    ),
    equals(
        plus(Expectation(pi, rewards), times(gamma, Expectation(pi, Expectation(transition, v)))),
        "the expectation of a sum",
        wrong={"the reward discounted, too": times(gamma, Expectation(pi, plus(rewards, Expectation(transition, v))))},
    ),
    equals(
        plus(paid, times(gamma, Expectation(moves, v))), "sum over the actions first: they are all that joins a state to the next"
    ),
    so="If $v$ is the value of the policy, the first line is $v(s)$ itself: together with the last line these are as many linear "
    "equations as there are states.",
)

alpha = derivation.number(r"\alpha", "the probability that the policy leaves state 0", between=(0, 1))
beta = derivation.number(r"\beta", "the probability that it leaves state 1", between=(0, 1))
rho_0 = derivation.number(r"\rho_0", "its expected reward in state 0")
rho_1 = derivation.number(r"\rho_1", "its expected reward in state 1")
det = derivation.define(r"\Delta", (1 - gamma) * (1 - gamma * (1 - alpha - beta)), r"the determinant of $I - \gamma P_\pi$")
V_0 = derivation.define(
    "V_0", ((1 - gamma * (1 - beta)) * rho_0 + gamma * alpha * rho_1) / det, "the value of state 0", "policy_value"
)
V_1 = derivation.define(
    "V_1", (gamma * beta * rho_0 + (1 - gamma * (1 - alpha)) * rho_1) / det, "the value of state 1", "policy_value"
)

solution = derivation.chain(
    "On two states Bellman's equation has one solution",
    plus(rho_0, times(gamma, plus(times(1 - alpha, V_0), times(alpha, V_1)))),
    equals(V_0, r"Cramer's rule for the two equations; exchange the states for $V_1$"),
    role="lemma",
    so=prose("{positive}: there is one solution, for every policy and every reward.", positive=holds(det, ">", 0)),
)
derivation.bridge(
    "The code computes it",
    [V_0, V_1],
    policy_value,
    transition=[[[1 - alpha, alpha]], [[beta, 1 - beta]]],
    reward=[[rho_0], [rho_1]],
    policy_log_probs=jnp.zeros((2, 1)),
    discount=gamma,
    wrong={"the chain transposed": [V_0 + gamma * (beta - alpha) / det * rho_1, V_1 - gamma * (beta - alpha) / det * rho_0]},
)

u = derivation.index("u", "the state after the next")
derivation.chain(
    "A value is the discounted sum of the rewards that are expected at each step",
    plus(paid, times(gamma, Expectation(moves, plus(paid.at(t), times(gamma, Expectation(moves.at(u, t), v.at(u))))))),
    equals(
        plus(
            paid,
            times(gamma, Expectation(moves, paid.at(t))),
            times(gamma**2, Expectation(moves, Expectation(moves.at(u, t), v.at(u)))),
        ),
        "the equation used twice, multiplied out",
    ),
    states=2,
    role="lemma",
    so=r"And so on: after $n$ rewards what remains is $\gamma^n$ times a mean of $v$, which goes to zero. The value is the sum "
    r"over $n$ of $\gamma^n$ times the reward that is expected after $n$ steps.",
)

derivation.say("Which policy is best? First, one sweep with a maximum brings values closer together.")
M = derivation.number("M", "the largest difference of two values")
slack = derivation.numbers("m({})", t, "by how much the difference at a state is smaller", positive=True)
w = derivation.define("w({})", v - M + slack, "another value: nowhere below $v$ by more than $M$", over=t)
derivation.answer = prose(
    "The value of a policy is the one solution of Bellman's equation, {equation} and its like on two states. A sweep, with the "
    r"policy's mean over the actions or with a maximum, brings any two values closer by at least the factor $\gamma$: {closer}, "
    "if $v$ is nowhere above $w$ by more than $M$. So sweeps converge to the only value that they leave as it is. With the "
    "maximum that value is the best one at every state.",
    equation=holds(plus(rho_0, times(gamma, plus(times(1 - alpha, V_0), times(alpha, V_1)))), "=", V_0),
    closer=holds(times(gamma, Expectation(transition, v - w)), "<=", gamma * M, wrong={"two sweeps": gamma**2 * M}),
)
contraction = derivation.chain(
    "One sweep brings two values closer by the discount",
    plus(plus(rewards, times(gamma, Expectation(transition, v))), -plus(rewards, times(gamma, Expectation(transition, w)))),
    equals(times(gamma, Expectation(transition, v - w)), "the rewards are the same"),
    equals(times(gamma, plus(M, -Expectation(transition, slack))), "probabilities sum to one"),
    at_most(
        gamma * M,
        prose("leave out the slack; equality if and only if {none} for every $s'$", none=where(slack, 0)),
        adding=gamma * Expectation(transition, slack),
    ),
    central=True,
    so=r"Let $a$ be the best action for $v$. The maximum for $w$ is at least what $a$ gives, so the maxima differ by at most "
    r"$\gamma M$; exchange $v$ and $w$ for the absolute value. The mean over a policy, and the soft maximum below, are monotone "
    r"and move with a constant in the same way, so the bound holds for them, too. Two values that a sweep leaves alone would be "
    r"closer to each other than they are: there is only one.",
)
k = derivation.number("k", "the number of sweeps", integer=True, positive=True)
n = derivation.number("n", "further sweeps", integer=True, positive=True)
distance = derivation.chain(
    "The steps that follow a sweep sum to no more than a geometric series of the first one",
    plus((gamma**k - gamma ** (k + n)) / (1 - gamma), gamma ** (k + n)),
    equals(
        (gamma**k - gamma ** (k + n + 1)) / (1 - gamma),
        r"one sweep more: the next step is at most $\gamma^{k+n}$ times the first",
    ),
    role="lemma",
    so=prose(
        "So the steps that follow sweep $k$ sum to at most this times the first one, {less}, and no farther is $v_k$ from the "
        "limit: sweeps converge, whatever they begin with.",
        less=holds((gamma**k - gamma ** (k + n)) / (1 - gamma), "<=", gamma**k / (1 - gamma)),
    ),
)

gain_0 = derivation.number("g_0", "what one step of another policy gains in state 0, before the first one goes on", positive=True)
gain_1 = derivation.number("g_1", "what it gains in state 1", positive=True)
alpha_2 = derivation.number(r"\alpha'", "the probability that the other policy leaves state 0", between=(0, 1))
beta_2 = derivation.number(r"\beta'", "the probability that it leaves state 1", between=(0, 1))
rho_20 = derivation.define(
    r"\rho'_0", V_0 + gain_0 - gamma * ((1 - alpha_2) * V_0 + alpha_2 * V_1), "the other policy's reward in state 0"
)
rho_21 = derivation.define(
    r"\rho'_1", V_1 + gain_1 - gamma * (beta_2 * V_0 + (1 - beta_2) * V_1), "the other policy's reward in state 1"
)
det_2 = derivation.define(r"\Delta'", (1 - gamma) * (1 - gamma * (1 - alpha_2 - beta_2)), "its determinant", positive=True)
V_20 = derivation.define(
    "V'_0", ((1 - gamma * (1 - beta_2)) * rho_20 + gamma * alpha_2 * rho_21) / det_2, "the other policy's value of state 0"
)
improvement = ((1 - gamma * (1 - beta_2)) * gain_0 + gamma * alpha_2 * gain_1) / det_2
improved = derivation.chain(
    "A policy that is better for one step is better for ever",
    plus(V_20, -V_0),
    equals(
        improvement,
        r"the difference obeys Bellman's equation of the other policy, with the gains of one step as its rewards; solve it",
        wrong={"the gains added up": gain_0 + gain_1},
    ),
    at_least(0, "leave out a sum of products of positive numbers", dropping=improvement),
    so="The value of a state is a mean of its $Q(s,a)$, so the action with the largest one loses nothing. Acting greedily never "
    "lowers a value, and raises one unless nothing is gained anywhere. Then $v(s)$ is the largest $Q(s,a)$: the fixed point of "
    "the sweep with a maximum. There are finitely many deterministic policies, so policy iteration gets there after finitely "
    "many rounds; and no policy has more, since sweeps with a maximum only raise its value, on their way to $v_*$.",
)
derivation.symbol("v_*", "the fixed point of the sweep with a maximum, the best value")
derivation.symbol("v_k", "the value after $k$ sweeps")


@derivation.exact(
    r"v_*(s) = \max_{\pi} v(s)",
    because="One process with four states and three actions: all deterministic policies are solved, and one of them has the "
    "largest value at all four states; policy iteration ends there from each of them.",
    outcomes=81,
    tolerance=1e-11,
    role="remark",
)
def one_policy_is_best_everywhere():
    rng = np.random.default_rng(0)
    chances, prizes = jnp.array(rng.dirichlet(np.ones(4), size=(4, 3))), jnp.array(rng.normal(size=(4, 3)))
    policies = jnp.log(jnp.array([np.eye(3)[list(actions)] for actions in itertools.product(range(3), repeat=4)]))
    solve = jax.vmap(lambda policy: policy_value(chances, prizes, policy, discount=0.9))
    values = solve(policies)
    swept = jnp.zeros(4)
    for _ in range(300):
        swept = bellman_optimality_operator(swept, chances, prizes, discount=0.9)
    greedy = values
    for _ in range(6):
        actions = jnp.argmax(prizes + 0.9 * jnp.einsum("sat,nt->nsa", chances, greedy), axis=2)
        greedy = solve(jnp.log(jax.nn.one_hot(actions, 3)))
    best = values[jnp.argmax(values.sum(axis=1))]
    even = policy_value(chances, prizes, jnp.full((4, 3), -jnp.log(3.0)), discount=0.9)
    left = jnp.concatenate([swept[None], greedy, values.max(axis=0)[None]])
    return Sides(left=left, right=jnp.tile(best, (83, 1)), wrong={"the mean over the actions": jnp.tile(even, (83, 1))})


derivation.say("The same sum can be read by where the process is, not by when.")
start = derivation.number(r"\mu", "the probability of beginning in state 1", "initial[1]", between=(0, 1))
d_0 = derivation.define(
    "d_0",
    (1 - gamma) * ((1 - gamma * (1 - beta)) * (1 - start) + gamma * beta * start) / det,
    "the share of state 0",
    "state_occupancy",
)
d_1 = derivation.define(
    "d_1",
    (1 - gamma) * (gamma * alpha * (1 - start) + (1 - gamma * (1 - alpha)) * start) / det,
    "the share of state 1",
    "state_occupancy",
)
derivation.chain(
    "The share of discounted time in a state is where runs begin, and what arrives",
    plus(times(1 - gamma, start), times(gamma, plus(times(alpha, d_0), times(1 - beta, d_1)))),
    equals(
        d_1,
        r"the shares' linear equation, solved; $P_\pi$ is transposed, because probability arrives where a value is looked up",
        wrong={"time not shared out": d_1 / (1 - gamma)},
    ),
    role="lemma",
    so=prose(
        r"Both shares sum to one, {sum}: the factor $1 - \gamma$ is one over the sum of all $\gamma^n$.",
        sum=holds(plus(d_0, d_1), "=", 1),
    ),
)
derivation.chain(
    "The return is the reward of the states, each with its share",
    plus(times(1 - start, V_0), times(start, V_1)),
    equals(
        times(1 / (1 - gamma), plus(times(d_0, rho_0), times(d_1, rho_1))),
        r"$\mu^\top (I - \gamma P_\pi)^{-1} r_\pi$, bracketed from the left",
        wrong={"the shares exchanged": times(1 / (1 - gamma), plus(times(d_1, rho_0), times(d_0, rho_1)))},
    ),
    so="In this form the policy gradient theorem is one step away.",
)

tau = derivation.number(r"\tau", "the temperature: the price of a nat", "temperature", positive=True)
reference = derivation.law(r"\pi_0", a, "the reference policy in one state", "exp(reference_log_probs)")
chosen = derivation.law(r"\varpi", a, "any policy in that state")
worth = derivation.numbers("q", a, "the action values there")
Z = derivation.define("Z", Total(a, reference * exp(worth / tau)), "the sum of the tilted probabilities", positive=True)
best_mixture = reference * exp(worth / tau) / Z
derivation.chain(
    "If departing from a reference costs something, the best policy is the tilted reference",
    plus(Expectation(chosen, worth), -tau * Divergence(chosen, reference)),
    at_most(
        times(tau, log(Z)),
        prose("equality if and only if the policy is the tilted reference, {tilt}", tilt=where(chosen, best_mixture)),
        adding=tilting.at(chosen, reference, worth, tau),
        wrong={"the values not divided by the temperature": times(tau, log(Total(a, reference * exp(worth))))},
    ),
    so=r"So $\tau \log Z$ in place of the maximum is the best one-step value of reward minus $\tau$ times the divergence. It "
    r"sweeps as the maximum does, and its fixed point is the best value of that regularized process.",
    role="remark",
)
p = derivation.number("p", "the reference's probability of the worse of two actions", between=(0, 1))
c = derivation.number("c", "how much worse it is", positive=True)
derivation.chain(
    "When departing costs nothing, the soft maximum is the maximum",
    Limit(times(tau, log(plus(1 - p, p * exp(-c / tau)))), tau, 0),
    equals(
        0,
        prose(
            "the better action is worth 0; {none}, and a finite logarithm times $\\tau$ goes to 0",
            none=holds(Limit(exp(-c / tau), tau, 0), "=", 0),
        ),
    ),
    role="lemma",
    so=prose(
        "When departing costs too much it is the mean under the reference, {mean}.",
        mean=holds(Limit(times(tau, log(plus(1 - p, p * exp(-c / tau)))), tau, oo), "=", -p * c, named=True),
    ),
)

chances = [transition.at(t, state, a) for state in range(3)]  # [s, a, s'], as the code has it
log_probs = [log(pi.at(a, state)) for state in range(3)]
prizes = [rewards.at(state, a) for state in range(3)]
_given = {"value": v, "transition": chances, "reward": prizes, "discount": gamma}
derivation.bridge(
    "The code computes the chain of states", moves, policy_transition, transition=chances, policy_log_probs=log_probs, states=3
)
derivation.bridge(
    "... a sweep under the policy",
    Expectation(pi, q),
    bellman_operator,
    **_given,
    policy_log_probs=log_probs,
    wrong={"the reward discounted": gamma * Expectation(pi, q)},
    states=3,
)
derivation.bridge("... the action values", [q.at(state, a) for state in range(3)], action_value, **_given, states=3)
derivation.bridge(
    "... the sweep with a maximum",
    Max(*(q.at(s, action) for action in range(3))),
    bellman_optimality_operator,
    **_given,
    wrong={"the mean over the actions": sum(q.at(s, action) for action in range(3)) / 3},
    states=3,
)
derivation.bridge(
    "... the sweep with a soft maximum around the policy",
    times(tau, log(Total(a, pi * exp(q / tau)))),
    soft_bellman_operator,
    **_given,
    reference_log_probs=log_probs,
    temperature=tau,
    wrong={"the temperature outside only": times(tau, log(Total(a, pi * exp(q))))},
    states=3,
)
derivation.bridge(
    "... and the shares of the states",
    [d_0, d_1],
    state_occupancy,
    initial=[1 - start, start],
    transition=[[[1 - alpha, alpha]], [[beta, 1 - beta]]],
    policy_log_probs=jnp.zeros((2, 1)),
    discount=gamma,
    wrong={"time not shared out": [d_0 / (1 - gamma), d_1 / (1 - gamma)]},
)


@derivation.algorithm(
    "Value iteration",
    do("start with any values $v(s)$, such as 0"),
    do(r"repeat: $Q(s,a) \leftarrow r(s,a) + \gamma \sum_{s'} P(s'|s,a)\, v(s')$", action_value),
    do(r"$v(s) \leftarrow \max_a Q(s,a)$", bellman_optimality_operator, by=contraction, indent=1),
    do(r"stop when the largest change, times $\gamma / (1 - \gamma)$, is below the error that is allowed", by=distance, indent=1),
    do("in each state take the action with the largest $Q(s,a)$", by=improved),
)
def two_sweeps():
    value = jnp.zeros(2)
    for number, said in enumerate((("(0, 0, 1, 0)", "(0, 1)", "1"), ("(0, 0.5, 1.5, 0)", "(0.5, 1.5)", "0.5")), 1):
        at = r"\text{the example, from } 0: \quad " if number == 1 else ""
        yield rf"{at}Q(0,\cdot), Q(1,\cdot)", action_value(value, *PROCESS[1:], discount=0.5).ravel(), said[0]
        before, value = value, bellman_optimality_operator(value, *PROCESS[1:], discount=0.5)
        yield rf"v_{number}", value, said[1]
        yield r"\text{the bound on its error}", 0.5 / (1 - 0.5) * jnp.max(jnp.abs(value - before)), said[2]


@derivation.example(
    "Two states and two actions: stay, or move to the other state. Staying in state 1 pays 1, nothing else pays; the discount is "
    r"$\frac12$, and the policy draws both actions with probability $\frac12$. Moving, then staying, is best."
)
def stay_or_move():
    even = {alpha: 0.5, beta: 0.5, rho_0: 0, rho_1: 0.5, gamma: 0.5, start: 0}
    yield r"(V_0, V_1)", (number_of(V_0, even), number_of(V_1, even)), "(1/4, 3/4)"
    yield r"(V_0, V_1)\ \text{of the best policy}", solved(BEST), "(1, 2)"
    yield r"(d_0, d_1)", (number_of(d_0, even), number_of(d_1, even)), "(3/4, 1/4)"
    yield r"\text{the even policy's } Q(0,\cdot)", action_value(solved(EVEN), *PROCESS[1:], discount=0.5)[0], "(1/8, 3/8)"
    yield r"\text{and its } Q(1,\cdot)", action_value(solved(EVEN), *PROCESS[1:], discount=0.5)[1], "(11/8, 1/8)"
    yield r"v_1, v_2, v_3 \text{ from } 0", [swept(jnp.zeros(2), n) for n in (1, 2, 3)], "(0, 1), (1/2, 3/2), (3/4, 7/4)"
    yield r"\text{the soft fixed point at } \tau = 1", soft_value(1.0), "(0.3786, 1.0754)"


@derivation.figure(
    "Left: the error of value iteration in the example, for three discounts (dots), and the bound (lines). Right: the soft value "
    "of state 0 in the example falls, as departing from the even policy gets dearer, from the best value to the even policy's.",
    panels=2,
)
def sweeps_and_temperatures(left, right):
    draw_errors(left)
    draw_temperatures(right)
