"""The policy gradient theorem: differentiating what was decided by chance.

The lecture on the functions of theory_jax/reinforcement/policy_gradient.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, diff, exp, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Entropy, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.score import score as score_has_mean_zero
from theory_jax.lectures.reinforcement._stay_or_move import MOMENTS, PROCESS, climb, draw_returns, draw_variances, shares, values
from theory_jax.reinforcement.policy_gradient import (
    bandit_gradient_samples,
    optimal_constant_baseline,
    policy_entropy,
    policy_gradient,
    policy_objective,
    score_function_loss,
)

derivation = Derivation(
    module=__name__,
    title="The policy gradient theorem: differentiating what was decided by chance",
    lectures=(50,),
    sources=(
        "Williams 1992, Simple statistical gradient-following algorithms for connectionist reinforcement learning",
        "Sutton, McAllester, Singh & Mansour 2000, Policy gradient methods for reinforcement learning with function "
        "approximation",
        "Weaver & Tao 2001, The optimal reward baseline for gradient-based reinforcement learning",
        "Greensmith, Bartlett & Baxter 2004, Variance reduction techniques for gradient estimates in reinforcement learning",
    ),
    question="Backpropagation stops where an action is drawn at random, and at the environment behind it, which has no "
    "derivative. The policy's parameters even change which states are visited. How can the expected return be differentiated, "
    "and why without the derivative of the states' distribution?",
    setting=(
        r"A finite process with rewards $r$, transitions $P$ and a discount $\gamma$ between 0 and 1, as in the lecture on "
        r"decision processes. The rewards and transitions do not depend on the policy's parameters.",
        r"Every probability of the policy is positive and differentiable in each parameter. A softmax of logits is.",
        r"Where two states are enough to show an identity, they are called 0 and 1; the policy leaves them with the "
        r"probabilities $\alpha(\theta)$ and $\beta(\theta)$, where $\theta$ is any one parameter.",
    ),
    limits=(
        "Convergence of the ascent, and the bias of a learned value.",
        "Policies that rule an action out: there the score does not exist.",
        "The theorem is derived for all differentiable policies on two states and, for larger processes, checked by autodiff; "
        "the sampled forms are derived for two steps.",
    ),
    trained="`reinforcement/ppo` trains the plain policy gradient too: recipe `cart_pole_policy_gradient`.",
)

a = derivation.index("a", "an action")
b = derivation.index("b", "the action with the logit that changes")
logit = derivation.numbers("x", a, "the logits", "logits")
normalizer = derivation.define("Z", Total(a, exp(logit)), "what normalizes the policy", positive=True)
pi = derivation.define(r"\pi", exp(logit) / normalizer, "the policy in one state, a softmax", "softmax(logits)", over=a, law=True)
q = derivation.numbers("q", a, "what an action is worth", "rewards")
baseline = derivation.number("c", "a number that does not depend on the action", "baseline")
score = Slope(log(pi), logit.at(b))

one_decision = derivation.chain(
    "The gradient of an expectation is an expectation of the score",
    Slope(Expectation(pi, q), logit.at(b)),
    equals(
        Total(a, times(q, Slope(pi, logit.at(b)))),
        "what an action is worth does not depend on the policy",
        wrong={"weighed by the policy once more": Expectation(pi, times(q, Slope(pi, logit.at(b))))},
    ),
    equals(
        Expectation(pi, times(q, score)),
        prose(
            "{slope}; this needs positive probabilities",
            slope=holds(Slope(pi, logit.at(b)), "=", times(pi, score), wrong={"not weighed": score}),
        ),
    ),
    equals(
        Expectation(pi, times(q - baseline, score)),
        "the score has mean zero (lemmas/score), so a number that is the same for all actions may be taken away",
    ),
    equals(
        times(pi.at(b), plus(q.at(b), -Expectation(pi, q))),
        prose("of a softmax: {score}", score=holds(score, "=", plus(KroneckerDelta(a, b), -pi.at(b)))),
        wrong={"the mean not taken away": times(pi.at(b), q.at(b))},
    ),
    role="lemma",
    uses=(score_has_mean_zero,),
    so="Sampled actions suffice for the third line: nothing but the logarithm of the policy is differentiated. The logit of an "
    "action rises if the action is better than the mean.",
)

derivation.say("With states, what an action is worth depends on the policy, too. Differentiate Bellman's equation.")
theta = derivation.number(r"\theta", "any one parameter of the policy")
gamma = derivation.number(r"\gamma", "the discount", "discount", between=(0, 1))
alpha = derivation.function(r"\alpha", "the probability that the policy leaves state 0")(theta)
beta = derivation.function(r"\beta", "the probability that it leaves state 1")(theta)
rho_0 = derivation.function(r"\rho_0", "its expected reward in state 0")(theta)
rho_1 = derivation.function(r"\rho_1", "its expected reward in state 1")(theta)
start = derivation.number(r"\mu", "the probability of beginning in state 1", "initial[1]", between=(0, 1))
V_0, V_1 = (
    derivation.define(f"V_{n}", solution, f"the value of state {n}, as derived for decision processes", "policy_value")
    for n, solution in enumerate(values(gamma, alpha, beta, rho_0, rho_1))
)
d_0, d_1 = (
    derivation.define(f"d_{n}", share, f"the share of discounted time in state {n}", "state_occupancy")
    for n, share in enumerate(shares(gamma, start, alpha, beta))
)
u_0 = derivation.define(
    "u_0", diff(rho_0, theta) + gamma * diff(alpha, theta) * (V_1 - V_0), r"$\sum_a \partial \pi(a|0) \, Q(0,a)$"
)
u_1 = derivation.define(
    "u_1", diff(rho_1, theta) + gamma * diff(beta, theta) * (V_0 - V_1), r"$\sum_a \partial \pi(a|1) \, Q(1,a)$"
)
derivation.symbol("Q", "the value of an action, and of what follows it", "action_value")
s = derivation.index("s", "the next state")
change = derivation.numbers("D", a, r"$\partial \pi$, how the policy in one state changes")
paid = derivation.numbers("r", a, "the reward of an action there")
P = derivation.law("P({}|{})", (s, a), "the probability of the next state")
V = derivation.numbers("V", s, "the value of the next state")
derivation.chain(
    "The derivative of a value obeys Bellman's equation",
    Slope(V_0, theta),
    equals(Slope(plus(rho_0, times(gamma, plus(times(1 - alpha, V_0), times(alpha, V_1)))), theta), "Bellman's equation"),
    equals(
        plus(u_0, times(gamma, plus(times(1 - alpha, Slope(V_0, theta)), times(alpha, Slope(V_1, theta))))),
        "the product rule: first what changes here and now, then what changes later",
    ),
    role="lemma",
    so=r"It is the equation of a value with the reward $u$ in place of $\rho$, and the same chain of states. The other state has "
    "the same one, with the names exchanged.",
)
derivation.say(
    prose(
        "Why is $u_0$ the worth of the change of the policy in state 0? Sum over the actions first, {worth}. On two states the "
        r"probability of the next state being 1 changes by $\partial \alpha$, and that of 0 by as much the other way, so this is "
        "$u_0$; and $u_1$ for the other state.",
        worth=holds(
            Total(a, times(change, plus(paid, times(gamma, Expectation(P, V))))),
            "=",
            plus(Total(a, times(change, paid)), times(gamma, Total(s, times(V, Total(a, times(change, P)))))),
        ),
    )
)

overall = Slope(plus(times(1 - start, V_0), times(start, V_1)), theta)
gradient = times(1 / (1 - gamma), plus(times(d_0, u_0), times(d_1, u_1)))
derivation.answer = prose(
    r"{score} turns the derivative of an expectation into an expectation of the score, $\partial \log \pi$, times what "
    "followed. Bellman's equation, differentiated, is Bellman's equation again. So the gradient of the return is the mean of the "
    r"score times the advantage $Q - V$, over the states as they are visited in discounted time, divided by $1 - \gamma$. On two "
    "states: {theorem}. The recursion has summed up how the shares of time change.",
    score=holds(Slope(pi, logit.at(b)), "=", times(pi, score), wrong={"not weighed": score}),
    theorem=holds(overall, "=", gradient, wrong={"a mean without its factor": plus(times(d_0, u_0), times(d_1, u_1))}),
)
theorem = derivation.chain(
    "The policy gradient theorem",
    overall,
    equals(
        plus(times(1 - start, Slope(V_0, theta)), times(start, Slope(V_1, theta))),
        "where a run begins does not depend on the policy",
    ),
    equals(
        gradient,
        "the value of a reward is that reward in each state, times the state's share of discounted time (decision processes)",
        wrong={
            "the initial distribution for the occupancy": times(1 / (1 - gamma), plus(times(1 - start, u_0), times(start, u_1))),
            "the occupancy differentiated, too": times(
                1 / (1 - gamma),
                plus(times(d_0, u_0), times(d_1, u_1), times(Slope(d_0, theta), rho_0), times(Slope(d_1, theta), rho_1)),
            ),
        },
    ),
    central=True,
    so=r"By the lemma on one decision $u$ is the mean of $\partial \log \pi(a|s)\, (Q(s,a) - V(s))$ over the actions, where "
    r"$V(s)$ is a number that does not depend on the action. The occupancy does change with $\theta$; the recursion has counted "
    "that already.",
)

derivation.say(
    "A sampled run gives an estimate of it. Two steps show the forms in use: an action, the next state, and an action there. The "
    "logarithm of a run's probability is that of its actions plus that of the process, with derivative zero, so the score of the "
    "run is the sum of the scores of its actions."
)
first = derivation.law(r"\pi_0", a, "the policy in the first state")
y = derivation.numbers("y", a, "any numbers")
g_0 = derivation.define("g_0({})", y - Expectation(first, y), "the first action's score: its mean is zero", over=a)
r_0 = derivation.numbers("r_0({})", a, "the first reward")
second = derivation.law(r"\pi_1({}|{})", (b, s), "the policy in the next state")
z = derivation.numbers("z({},{})", (b, s), "any numbers")
g_1 = derivation.define(
    "g_1({},{})", z - Expectation(second, z), "the second action's score: its mean is zero in every state", over=(b, s)
)
r_1 = derivation.numbers("r_1({},{})", (b, s), "the second reward")
c_1 = derivation.numbers("c_1({})", s, "a baseline that may depend on the state")


def _over_runs(body):
    return Expectation(first, Expectation(P, Expectation(second, body)))


to_come = derivation.chain(
    "No action earns what was paid before it",
    _over_runs(times(plus(g_0, g_1), plus(r_0, times(gamma, r_1)))),
    equals(
        _over_runs(plus(times(g_0, plus(r_0, times(gamma, r_1))), times(gamma, g_1, r_1))),
        "the first reward is known before the second action is drawn, and that action's score has mean zero",
        wrong={
            "the rewards of the past in place of those to come": _over_runs(
                plus(times(g_0, r_0), times(g_1, plus(r_0, gamma * r_1)))
            )
        },
    ),
    equals(
        _over_runs(plus(times(g_0, plus(r_0, times(gamma, r_1), -baseline)), times(gamma, g_1, plus(r_1, -c_1)))),
        "a baseline that is known before the action is drawn changes no mean",
        wrong={
            "the discount of the step forgotten": _over_runs(
                plus(times(g_0, plus(r_0, gamma * r_1)), times(g_1, plus(r_1, -c_1)))
            ),
            "a baseline that knows the action": _over_runs(plus(times(g_0, gamma, r_1), times(gamma, g_1, plus(r_1, -c_1)))),
        },
    ),
    states=2,
    so=r"So the weight of step $t$ is $\gamma^t$ times the return from $t$ on, less a baseline: with the value as the baseline, "
    r"times an advantage. Programs often leave $\gamma^t$ out; what they follow is then no gradient of the discounted return.",
)

h = derivation.numbers("h", a, "the squared norm of an action's score", positive=True)
law = derivation.law(r"\varpi", a, "the policy, in one decision", "softmax(logits)")
best = derivation.define(
    "c^*", Expectation(law, h * q) / Expectation(law, h), "the mean, weighed by the squared norms", "optimal_constant_baseline"
)
derivation.chain(
    "The best constant baseline",
    plus(Expectation(law, times(h, (q - baseline) ** 2)), -Expectation(law, times(h, (q - best) ** 2))),
    equals(
        times(Expectation(law, h), (baseline - best) ** 2),
        prose(
            "a quadratic in $c$, and {flat} at the best one",
            flat=holds(Slope(Expectation(law, times(h, (q - baseline) ** 2)), baseline), "=", 0, when={baseline: best}),
        ),
        wrong={"the mean reward were best": times(Expectation(law, h), (baseline - Expectation(law, q)) ** 2)},
    ),
    at_least(
        0,
        prose("leave out a square; equality if and only if {same}", same=where(baseline, best)),
        dropping=times(Expectation(law, h), (baseline - best) ** 2),
    ),
    so="All baselines give the same mean, so this is also the difference of the variances, summed over the logits. The mean "
    "reward is best only if the squared norms do not correlate with the rewards; it can be worse than no baseline at all.",
)
p = derivation.number("p", "the probability of the first of two actions", between=(0, 1))
q_0 = derivation.number("q_0", "what it is worth")
q_1 = derivation.number("q_1", "what the other action is worth")
of_two = plus(times(1 - p, q_0), times(p, q_1))
same = times(p, 1 - p, q_0 - q_1)
derivation.chain(
    "For two actions the best baseline weighs each by the probability of the other",
    (p * 2 * (1 - p) ** 2 * q_0 + (1 - p) * 2 * p**2 * q_1) / (p * 2 * (1 - p) ** 2 + (1 - p) * 2 * p**2),
    equals(
        of_two,
        r"the score of the first is $(1 - p, -(1 - p))$, that of the second $(-p, p)$; divide by $2 p (1 - p)$",
        wrong={"the mean reward": plus(times(p, q_0), times(1 - p, q_1))},
    ),
    role="lemma",
    so=prose(
        "Both actions then give the same estimate for the first logit, {first} and {second}: its variance is zero.",
        first=holds(times(1 - p, q_0 - of_two), "=", same),
        second=holds(times(-p, q_1 - of_two), "=", same, wrong={"the sign": -same}),
    ),
)
derivation.chain(
    "The slope of the entropy raises actions with a log-probability below the mean",
    Slope(Entropy(pi), logit.at(b)),
    equals(
        times(-pi.at(b), plus(log(pi.at(b)), Entropy(pi))),
        r"the lemma for an expectation, with $-\log \pi_a$ for $q_a$; its own change has mean zero, being a score",
    ),
    states=2,
    role="lemma",
    so="The logit of an action rises if the logarithm of its probability is below the mean one: the entropy keeps a policy from "
    "giving actions up too soon.",
)

leave_0 = derivation.number(r"\ell_0", "the probability of moving from state 0, if the other action stays", between=(0, 1))
leave_1 = derivation.number(r"\ell_1", "the probability of moving from state 1", between=(0, 1))
j = derivation.index("j", "a state and an action: stay or move in state 0, stay or move in state 1", states=4)
prizes = derivation.numbers("w", j, "the reward of each", "reward")
means = ((1 - leave) * prizes.at(2 * n) + leave * prizes.at(2 * n + 1) for n, leave in enumerate((leave_0, leave_1)))
eta = derivation.define(
    r"\eta",
    sum(times(chance, v) for chance, v in zip((1 - start, start), values(gamma, leave_0, leave_1, *means), strict=True)),
    "the expected discounted return",
    "policy_objective",
)
derivation.symbol("x(s,a)", "the logits of a process", "policy_logits")
derivation.symbol("d(s)", "the share of discounted time in a state", "state_occupancy")


@derivation.autodiff(
    r"\frac{\partial \eta}{\partial x(s,a)} = \frac{1}{1 - \gamma} d(s) \pi(a|s) (Q(s,a) - V(s))",
    because="Four states, three actions: the derivative through the linear solve, and the theorem.",
    role="remark",
)
def the_theorem_on_a_larger_process():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(4), size=(4, 3))
    process = tuple(map(jnp.array, (rng.dirichlet(np.ones(4)), chances, rng.normal(size=(4, 3)))))
    logits = jnp.array(rng.normal(size=(4, 3)))
    found = jax.grad(lambda logits: policy_objective(*process, logits, discount=0.9))(logits)
    of_theorem = policy_gradient(*process, logits, discount=0.9)
    return Sides(left=found, right=of_theorem, wrong={"the factor 1 / (1 - discount) forgotten": 0.1 * of_theorem})


derivation.bridge(
    "The code computes the return of two states, where one can stay or move",
    eta,
    policy_objective,
    initial=[1 - start, start],
    transition=PROCESS[1],
    reward=[[prizes.at(0), prizes.at(1)], [prizes.at(2), prizes.at(3)]],
    policy_logits=[[log(1 - leave_0), log(leave_0)], [log(1 - leave_1), log(leave_1)]],
    discount=gamma,
    wrong={"the mean reward of a step": (1 - gamma) * eta},
)
is_same = KroneckerDelta(a, b)
derivation.bridge(
    "... the terms of one decision",
    times(plus(is_same, -pi.at(b)), plus(q, -baseline)),
    bandit_gradient_samples,
    rewards=q,
    logits=logit,
    baseline=baseline,
)
norm = Total(b, (is_same - pi.at(b)) ** 2)
derivation.bridge(
    "... the best baseline",
    Expectation(pi, norm * q) / Expectation(pi, norm),
    optimal_constant_baseline,
    rewards=q,
    logits=logit,
    wrong={"the mean reward": Expectation(pi, q)},
)
i = derivation.index("i", "a step of a run")
logs = derivation.numbers("u", i, r"$\log \pi$ of the action that was taken", "log_probs")
weights = derivation.numbers("v", i, "the weights of the steps", "weights")
derivation.bridge(
    "... the loss of a run: its gradient is minus the sum of the scores, each times its weight",
    -Total(i, weights * logs),
    score_function_loss,
    log_probs=[logs],
    weights=[weights],
    mask=jnp.ones((1, 4), bool),
)
derivation.bridge("... and the entropy", Entropy(pi), policy_entropy, logits=[logit])


@derivation.algorithm(
    "REINFORCE with a baseline",
    do("start with the logits of a policy, and with a baseline of 0 for every state"),
    do(r"let the policy run: states $s_t$, actions $a_t$, rewards $r_t$"),
    do(r"from the last step back: $G_t \leftarrow r_t + \gamma G_{t+1}$, the return to come", by=to_come),
    do(r"$v_t \leftarrow \gamma^t (G_t - c(s_t))$, the weights, which are constants from here on", by=to_come),
    do(r"a step down the gradient of $-\sum_t v_t \log \pi(a_t|s_t)$", score_function_loss, by=one_decision),
    do("move the baselines of the visited states towards the returns that followed; then run again"),
)
def two_runs():
    def step(logits, weights, states, actions):
        def loss(logits):
            return score_function_loss(jax.nn.log_softmax(logits)[states, actions][None], weights[None], jnp.ones((1, 2), bool))[
                0
            ]

        return logits - jax.grad(loss)(logits)

    one = step(jnp.zeros((2, 2)), jnp.array([0.5, 0.5]), [0, 1], [1, 0])
    yield r"\text{the example; it moves, stays: } (G_0, G_1)", (0 + 0.5 * 1, 1.0), "(0.5, 1)"
    yield r"(v_0, v_1), \text{ with the baselines } 0", (0.5 - 0, 0.5 * (1 - 0)), "(0.5, 0.5)"
    yield r"\text{logits, with a step of 1}", one.ravel(), "(-0.25, 0.25, 0.25, -0.25)"
    yield r"\text{it stays, moves; baselines } \tfrac12, 1: \quad (v_0, v_1)", (0 - 0.5, 0.5 * (0 - 0.5)), "(-0.5, -0.25)"
    yield r"\text{logits in state 0}", step(one, jnp.array([-0.5, -0.25]), [0, 0], [0, 1])[0], "(-0.4668, 0.4668)"


@derivation.example(
    "Two states and two actions: stay, or move to the other state. Staying in state 1 pays 1, nothing else pays; the discount is "
    r"$\frac12$, the run begins in state 0, and both actions are as likely. The lecture on decision processes gives the shares "
    r"of discounted time, $\frac34$ and $\frac14$, and the advantages, $\mp \frac18$ in state 0 and $\pm \frac58$ in state 1."
)
def stay_or_move():
    even = jnp.zeros((2, 2))
    found = policy_gradient(*PROCESS, even, discount=0.5)
    yield r"\eta", policy_objective(*PROCESS, even, discount=0.5), "1/4"
    yield r"\text{the gradient in state 0: } 2 \cdot \tfrac34 \cdot \tfrac12 \cdot (\mp \tfrac18)", found[0], "(-3/32, 3/32)"
    yield r"\text{and in state 1: } 2 \cdot \tfrac14 \cdot \tfrac12 \cdot (\pm \tfrac58)", found[1], "(5/32, -5/32)"
    yield r"\text{the entropy of the policy in a state}", policy_entropy(even)[0], "0.6931"


derivation.figure(
    "Five policies of a process in which staying in state 1 pays (the example below), whose logits follow the gradient of the "
    "return. Left: their two probabilities, on lines of equal return. Right: their returns. All of them climb to moving once and "
    "then staying; the orange one begins with hardly any chance of either, and there the return is nearly flat.",
    panels=2,
    frames=["start", *(f"step {moment}" for moment in MOMENTS[1:])],
)(climb)


@derivation.figure(
    "Left: the return of the example over all policies (lines of equal return), and its gradient: how far each probability moves "
    "if the logits follow it. Right: one decision between two actions, worth 1 and 0 and taken with probabilities 0.9 and 0.1: "
    "the variance of the estimate for every baseline, with the best one (dot) and the mean reward (cross).",
    panels=2,
)
def hills_and_baselines(left, right):
    draw_returns(left)
    draw_variances(right)
