"""Several steps from one batch: the clipped surrogate, what it promises and what it does not.

The lecture on the functions of theory_jax/reinforcement/ppo.py.
"""

import jax
import jax.numpy as jnp
from sympy import Matrix, Max, Min, exp, log

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.reinforcement._ppo import a_roof_and_a_slope, one_batch
from theory_jax.reinforcement.ppo import clipped_indicator, clipped_policy_loss, clipped_value_loss, kl_penalty_loss, ppo_loss

derivation = Derivation(
    module=__name__,
    title="Several steps from one batch: the clipped surrogate, what it promises and what it does not",
    lectures=(52,),
    sources=(
        "Schulman, Wolski, Dhariwal, Radford & Klimov 2017, Proximal policy optimization algorithms",
        "Engstrom et al. 2020, Implementation matters in deep policy gradients",
        "Huang et al. 2022, The 37 implementation details of proximal policy optimization",
    ),
    question="A policy gradient is an expectation under the current policy, so after one step the batch is out of date, and "
    "new actions must be sampled. If many steps are taken on the old batch anyway, a few actions that have become much more "
    "probable than they were outweigh all others, and the policy can collapse. How can a batch serve several steps, and what "
    "keeps those steps from trusting it too far?",
    setting=(
        r"Actions were drawn from an old policy $o$ with positive probabilities; the new policy $\pi$ has them, too. The "
        r"advantages $A$ are those of the old policy: constants, which are not differentiated.",
        r"One state is written. A batch averages over the states that the old policy visited.",
    ),
    limits=(
        "That several epochs improve the return: the lecture on trust regions bounds what keeping the old policy's states costs.",
        "Advantages that are estimated, or shifted and scaled within a batch.",
        "Ratios of whole texts, which are products over tokens: here every token is a step with its own ratio.",
    ),
)

derivation.figure(
    r"Left: the clipped objective of a step against its ratio, for the advantages 1 and $-1$, with the surrogate dashed: the "
    r"objective is never above it, flat on one side only. Right: two actions with the old probabilities 0.9 and 0.1 and "
    r"the advantages 1 and $-9$: the expectation of the clipped objective against the new probability of the first action. From "
    r"the dotted line on the second action has no gradient, and the objective still rises.",
    panels=2,
)(a_roof_and_a_slope)


a = derivation.index("a", "an action")
o = derivation.law("o({})", a, "the old policy, which drew the actions", "exp(old_log_probs)")
pi = derivation.law(r"\pi({})", a, "the new policy", "exp(log_probs)")
A = derivation.numbers("A({})", a, "the old policy's advantage", "advantages")
rho = derivation.define(
    r"\rho({})", pi / o, "the ratio of its probabilities, new to old", "exp(log_probs - old_log_probs)", over=a, positive=True
)
surrogate = derivation.chain(
    "The old policy's actions can judge the new policy",
    Expectation(pi, A),
    equals(Expectation(o, times(rho, A)), r"multiply and divide by $o(a)$, which is positive"),
    role="lemma",
    so="This is the surrogate. All that it needs of the new policy is the probability of the actions in the batch.",
)
theta = derivation.number(r"\theta", "a parameter of the policy, 0 at the old one")
h = derivation.numbers("h({})", a, "how it acts on the logits: any direction")
moved = derivation.define(
    r"\pi_\theta({})", o * exp(theta * h) / Total(a, o * exp(theta * h)), "the moved policy", over=a, law=True
)
derivation.chain(
    "The slope of the surrogate is a policy gradient, with the old policy's advantages",
    Slope(Expectation(o, times(moved / o, A)), theta),
    equals(
        Expectation(o, times(moved / o, Slope(log(moved), theta), A)),
        prose("{score}", score=holds(Slope(moved, theta), "=", times(moved, Slope(log(moved), theta)))),
    ),
    equals(
        Expectation(moved, times(plus(h, -Expectation(moved, h)), A)),
        "the ratio turns one expectation into the other; the score is $h$ less its mean",
        wrong={"under the old policy": Expectation(o, times(plus(h, -Expectation(o, h)), A))},
    ),
    states=2,
    role="lemma",
    so=prose(
        "At the old policy, {old}, it is the policy gradient, {gradient}: the first step from a batch is a step of that.",
        old=where(theta, 0),
        gradient=holds(
            Slope(Expectation(o, times(moved / o, A)), theta), "=", Expectation(o, times(plus(h, -Expectation(o, h)), A))
        ),
    ),
)
derivation.chain(
    "The larger the ratios, the noisier the batch",
    Expectation(o, times(rho, A) ** 2),
    equals(
        Expectation(pi, times(rho, A**2)),
        "one of the two ratios turns the expectation into one under the new policy",
        wrong={"both ratios": Expectation(pi, A**2)},
    ),
    so="The mean is right for every new policy, but a batch has finitely many samples, and their second moment grows with the "
    "ratios that the new policy meets. An action of probability 0.01 is absent from more than half of the batches of 50 steps; "
    "if its ratio is 20, it counts as 20 steps where it occurs. So ratios should not grow far.",
)
derivation.chain(
    "What some ratios lose below 1, the others gain above it",
    Expectation(o, Max(rho - 1, 0)),
    equals(
        plus(Expectation(o, Max(1 - rho, 0)), Expectation(o, rho - 1)),
        "every number is its positive part less its negative part",
        wrong={"the parts added": plus(-Expectation(o, Max(1 - rho, 0)), Expectation(o, rho - 1))},
    ),
    equals(
        Expectation(o, Max(1 - rho, 0)),
        prose("both policies sum to one: the mean ratio is {one}", one=holds(Expectation(o, rho), "=", 1, named=True)),
    ),
    states=2,
    role="lemma",
)
derivation.say(
    "A small ratio adds no noise itself, but what pushes a bad action down pushes others up by as much in all, whatever their "
    "advantages are. So a step should stop counting once its ratio has moved far enough: up if the action is good, down if bad."
)

epsilon = derivation.number(r"\epsilon", "how far a ratio may go", "clip", between=(0, 1))


def _loss(ratio, advantage, limit):
    """The clipped loss, printed as it is written."""
    clipped = Min(Max(ratio, 1 - limit, evaluate=False), 1 + limit, evaluate=False)
    return -Min(times(ratio, advantage), times(clipped, advantage), evaluate=False)


near = derivation.define(
    r"\bar\rho({})", Min(Max(rho, 1 - epsilon), 1 + epsilon), r"the ratio, moved into $[1 - \epsilon, 1 + \epsilon]$", over=a
)
ell = derivation.define(r"\ell({})", -Min(rho * A, near * A), "the clipped loss of an action", "clipped_policy_loss", over=a)
derivation.answer = prose(
    "Weighted by the ratio of the probabilities, new to old, the old policy's actions give the new policy's mean advantage "
    "over it: {surrogate}. The clipped objective never promises more than that, for any action: {bound}. It takes the gradient "
    r"from an action whose ratio has moved by more than $\epsilon$ in the direction of its advantage, and from no other, so "
    "that what has gone wrong can still be repaired. It does not bound the ratios: the other actions can go on moving them.",
    surrogate=holds(Expectation(o, times(rho, A)), "=", Expectation(pi, A), wrong={"no ratio": Expectation(o, A)}),
    bound=holds(-ell, "<=", rho * A, wrong={"the clipped ratio's": near * A / 2}),
)
pessimistic = derivation.chain(
    "The clipped objective is a pessimistic bound on the new policy's advantage over the old one",
    Expectation(o, -ell),
    equals(
        Expectation(o, plus(rho * A, -Max(rho * A - near * A, 0))),
        "the smaller of two numbers is the first, less its excess over the second, if there is any",
        wrong={"clipped alone": Expectation(o, near * A)},
    ),
    at_most(
        Expectation(o, rho * A),
        "leave out what is never negative; it is 0 where the ratio itself gives the smaller one, as it does inside the range",
        adding=Expectation(o, Max(rho * A - near * A, 0)),
    ),
    equals(Expectation(pi, A), "the surrogate"),
    uses=(surrogate,),
    central=True,
    states=2,
    so="It holds for each action, too, before the mean. For which actions is the clipped objective flat?",
)
c = derivation.number("c", "the size of an advantage", positive=True)
x = derivation.number("x", "by how much the ratio is out of the range", positive=True)
derivation.chain(
    "The objective is flat where a good action has become likelier than the range allows, and not where it has become rarer",
    Matrix([_loss(1 + epsilon + x, c, epsilon), _loss(1 - epsilon - x, c, epsilon)]),
    equals(
        Matrix([-(1 + epsilon) * c, -(1 - epsilon - x) * c]),
        r"of a ratio above the range the clipped one is smaller; below the range, the ratio itself is",
        wrong={"no ceiling": Matrix([-(1 + epsilon + x) * c, -(1 - epsilon - x) * c])},
    ),
    so="These are losses: of a ratio above the range, and of one below it. The first is constant in the ratio: its gradient is "
    "0. The second is the surrogate: a good action that has become rarer is still pushed up. Clipping alone, without the "
    "minimum, would be flat on both sides, and the mistake would stay.",
)
derivation.chain(
    "For a negative advantage it is flat where the action has become rarer than the range allows",
    Matrix([_loss(1 - epsilon - x, -c, epsilon), _loss(1 + epsilon + x, -c, epsilon)]),
    equals(Matrix([(1 - epsilon) * c, (1 + epsilon + x) * c]), "the same with the order turned over"),
    role="lemma",
    so=r"Inside the range both entries of the minimum are equal. So the gradient in $\log \pi$ is 0 in two cases out of six, "
    r"and $-\rho A$ in the other four.",
)


@derivation.autodiff(
    r"\frac{\partial \ell}{\partial \log \pi} = -\rho A \text{ or } 0",
    because="The derivative of the code in all six cases; it is zero exactly where the code's indicator is 1.",
    role="appendix",
)
def six_slopes():
    found = jax.grad(lambda log_probs: jnp.sum(clipped_policy_loss(log_probs, *SIX[1:], clip=0.2)))(SIX[0])
    cut, plain = clipped_indicator(*SIX, clip=0.2), -jnp.exp(SIX[0] - SIX[1]) * SIX[2]
    wrong = {"nothing cut": plain, "the other side": jnp.where(cut[::-1], 0.0, plain)}
    return Sides(left=found, right=jnp.where(cut, 0.0, plain), wrong=wrong)


q = derivation.number("q", "the old probability of the first action", between=(0, 1))
p = derivation.number("p", "the new one", between=(0, 1))
derivation.say(
    prose(
        r"Does the clip keep the ratios within $1 \pm \epsilon$? Take two actions. The old policy does the first with "
        r"probability $q$, so near to 1 that its ratio cannot reach $1 + \epsilon$; the second has the ratio $\frac{1 - p}{1 - "
        "q}$ if the new policy does the first with probability $p$. The advantages have mean 0 under the old policy, {zero}.",
        zero=holds(plus(times(q, c), times(1 - q, -c * q / (1 - q))), "=", 0),
    )
)
derivation.chain(
    "Cutting the gradient of an action does not stop its ratio: another one can push it to 0",
    plus(times(q, p / q, c), times(1 - q, 1 - epsilon, -c * q / (1 - q))),
    equals(
        times(c, plus(p, -times(1 - epsilon, q))),
        r"the expected objective where the second ratio is below $1 - \epsilon$: the first term is not cut",
        wrong={"both cut": times(c, epsilon * q), "the second not cut": times(c, plus(p, -times((1 - p) / (1 - q), q)))},
    ),
    so=prose(
        "Its slope in $p$ is $c$, {slope}, up to {one}: the first action is pushed up, and pushes the second down, since they "
        "share the probability. So the clipped objective has no maximum among policies with positive probabilities: it comes "
        "as near as one likes to {supremum}, its limit at {one}, where the second ratio is {none}. What keeps ratios near 1 is "
        "that the steps are few and small.",
        slope=holds(Slope(times(c, plus(p, -times(1 - epsilon, q))), p), "=", c),
        supremum=holds(times(c, plus(p, -times(1 - epsilon, q))), "=", times(c, plus(1, -times(1 - epsilon, q))), named=True),
        one=where(p, 1),
        none=holds((1 - p) / (1 - q), "=", 0, named=True),
    ),
)

derivation.say("Actor and critic are often one network, and its values are clipped in the same way, around the old values.")
t = derivation.index("t", "a step of the batch")
v = derivation.numbers("v", t, "the value of the state, as it is learned", "values")
w = derivation.numbers("w", t, "the old value", "old_values")
G = derivation.numbers("G", t, "the return to which it is fitted", "returns")
kappa = derivation.number(r"\kappa", "how far a value may go", "clip of clipped_value_loss", positive=True)
near_v = derivation.define(r"\bar v", Min(Max(v, w - kappa), w + kappa), "the value, moved into the range", over=t)
ell_v = derivation.define(r"\ell^v", Max((v - G) ** 2, (near_v - G) ** 2) / 2, "its clipped loss", "clipped_value_loss", over=t)
d = derivation.number("d", "the excess of the return over the range; negative inside")
of_values = derivation.chain(
    "The clipped value loss is at least half the squared error",
    Max((x - d) ** 2, d**2) / 2,
    equals(
        plus((x - d) ** 2 / 2, Max(2 * d * x - x**2, 0) / 2),
        prose(
            "with {v} and {G} the errors are {free} and {clipped}; the larger square is the first and, if there is any, the "
            "excess of the second, {excess}",
            v=where(v, w + kappa + x),
            G=where(G, w + kappa + d),
            free=holds(v - G, "=", x - d),
            clipped=holds(near_v - G, "=", -d),
            excess=holds(plus(d**2, -((x - d) ** 2)), "=", plus(2 * d * x, -(x**2)), wrong={"the sign": x**2 - 2 * d * x}),
        ),
        wrong={"the smaller": plus((x - d) ** 2 / 2, -Max(x**2 - 2 * d * x, 0) / 2)},
    ),
    at_least((x - d) ** 2 / 2, "leave out what is never negative", dropping=Max(2 * d * x - x**2, 0) / 2),
    so=prose(
        "Never less than half the squared error. The constant $d^2$ is the larger one, and the gradient is cut, if and only if "
        "{excess} is positive: from the end of the range to its mirror image beyond the return, {mirror}, where {zero}. A return "
        r"inside the range cuts nothing, and neither does a value far beyond its return. Below $w - \kappa$ it is mirrored.",
        excess=times(x, plus(2 * d, -x)),
        mirror=where(x, 2 * d),
        zero=holds(d**2, "=", (x - d) ** 2, wrong={"at the return": (x / 2 - d) ** 2}),
    ),
    role="remark",
)
A_t = derivation.numbers("A", t, "the advantage of the step's action", "advantages")
rho_t = derivation.numbers(r"\rho", t, "its ratio", "exp(log_probs - old_log_probs)", positive=True)
near_t = Min(Max(rho_t, 1 - epsilon), 1 + epsilon)
ell_t = derivation.define(r"\ell", -Min(rho_t * A_t, near_t * A_t), "its clipped loss", "clipped_policy_loss", over=t)
_steps = {"log_probs": [log(rho_t)], "old_log_probs": jnp.zeros((1, 6)), "advantages": [A_t]}
_fit = {"values": [v], "old_values": [w], "returns": [G]}
derivation.bridge(
    "The code computes the loss of a step",
    ell_t,
    clipped_policy_loss,
    **_steps,
    clip=epsilon,
    wrong={"the larger": -Max(rho_t * A_t, near_t * A_t), "clipped alone": -near_t * A_t, "not clipped": -rho_t * A_t},
    states=6,
)
derivation.bridge(
    "... of a value",
    ell_v,
    clipped_value_loss,
    **_fit,
    clip=kappa,
    wrong={"not clipped": (v - G) ** 2 / 2, "the clipped loss alone": (near_v - G) ** 2 / 2},
    states=6,
)
T = derivation.count(t, "T", "how many steps an example has")
H = derivation.numbers("H", t, "the entropy of the policy there", "entropy")
c_v = derivation.number("c_v", "the weight of the values", "value_coefficient", positive=True)
c_e = derivation.number("c_e", "the weight of the entropy", "entropy_coefficient", positive=True)
whole = derivation.bridge(
    "... and all of it, for one network with two heads",
    times(1 / T, Total(t, plus(ell_t, c_v * ell_v, -c_e * H))),
    ppo_loss,
    **_steps,
    **_fit,
    entropy=[H],
    mask=jnp.ones((1, 6), bool),
    clip=epsilon,
    value_clip=kappa,
    value_coefficient=c_v,
    entropy_coefficient=c_e,
    wrong={"the entropy paid for": times(1 / T, Total(t, plus(ell_t, c_v * ell_v, c_e * H)))},
    states=6,
)


# Ratios 1/2, 1 and 3/2; advantages 1 and -1.
SIX = (jnp.log(jnp.array([[0.5, 1.0, 1.5]] * 2)), jnp.zeros((2, 3)), jnp.array([[1.0] * 3, [-1.0] * 3]))


@derivation.algorithm(
    "Proximal policy optimization",
    do(r"for every iteration: $o \leftarrow \pi$"),
    do(r"act with $o$; keep $\log o(a_t)$ and the values $w_t$; compute advantages $A_t$ and returns $G_t$", indent=1),
    do("for every epoch, and every minibatch of the kept steps:", indent=1),
    do(r"$\rho_t \leftarrow \exp(\log \pi(a_t) - \log o(a_t))$", by=surrogate, indent=2),
    do(r"$\ell_t \leftarrow -\min(\rho_t A_t, \bar\rho_t A_t)$", clipped_policy_loss, by=pessimistic, indent=2),
    do(r"$\ell^v_t \leftarrow \frac12 \max((v_t - G_t)^2, (\bar v_t - G_t)^2)$", clipped_value_loss, by=of_values, indent=2),
    do(r"step down the gradient of the mean of $\ell_t + c_v \ell^v_t - c_e H_t$", ppo_loss, by=whole, indent=2),
)
def three_steps_from_a_batch():
    """One step with each of two actions that were equally likely; the logit of the first and the value are learned."""
    advantages, old, zero, at = jnp.array([[1.0, -1.0]]), jnp.log(jnp.full((1, 2), 0.5)), jnp.zeros((1, 2)), jnp.zeros(2)

    def loss(at):
        steps = jax.nn.log_softmax(zero.at[0, 0].set(at[0])), old, advantages, zero + at[1], zero, zero + 1, zero, zero == 0
        return ppo_loss(*steps, clip=0.2, value_clip=0.2, value_coefficient=0.5, entropy_coefficient=0.0)[0]

    yield (
        r"o = (\tfrac12, \tfrac12),\ A = (1, -1),\ w = 0,\ G = 1,\ \epsilon = \kappa = \tfrac15,\ c_v = \tfrac12,\ c_e = 0,"
        r" \text{ step length } \tfrac35: \quad \rho",
        jnp.exp(zero),
        "(1, 1)",
    )
    for step, (ratios, slopes) in enumerate((("(1.1489, 0.8511)", "(-0.4889, 0)"), ("(1.2883, 0.7117)", "(0, 0)")), start=1):
        at = at - 0.6 * jax.grad(loss)(at)
        new = jax.nn.log_softmax(zero.at[0, 0].set(at[0]))
        yield rf"\rho \text{{ after step }} {step}", jnp.exp(new - old), ratios
        yield r"\text{the slopes there, in the first logit and in the value}", jax.grad(loss)(at), slopes
    yield r"\ell", clipped_policy_loss(new, old, advantages, clip=0.2), "(-1.2, 0.8)"
    yield r"\ell^v", clipped_value_loss(zero + at[1], zero, zero + 1, clip=0.2), "(0.32, 0.32)"


derivation.figure(
    prose(
        "The two actions of the algorithm, advantages 1 and $-1$. Left: the ratios of the good action (solid) and of the bad "
        "one (dashed). Once they are out of the range (gray), the clip takes away the gradient, here after two steps; without "
        "it they go on. Right: so does the noise of the estimate, whose second moment is {moment}.",
        moment=holds(
            Expectation(o, times(rho, A) ** 2),
            "=",
            Expectation(pi, times(rho, A**2)),
            wrong={"no ratio left": Expectation(pi, A**2)},
        ),
    ),
    panels=2,
)(one_batch)


def _ratios_after(steps, clip):
    """What the algorithm's two actions come to without the critic, after steps of 0.6 down the gradient."""
    old, advantages, logits = jnp.log(jnp.full((1, 2), 0.5)), jnp.array([[1.0, -1.0]]), jnp.zeros((1, 2))

    def slope(logits):
        return jax.grad(lambda at: jnp.mean(clipped_policy_loss(jax.nn.log_softmax(at), old, advantages, clip=clip)))(logits)

    for _ in range(steps):
        logits = logits - 0.6 * slope(logits).at[0, 1].set(0.0)
    return jnp.exp(jax.nn.log_softmax(logits) - old)[0]


@derivation.example(
    r"The two actions of the algorithm, and 20 steps of $\frac35$ from the same batch: with a clip of $\frac15$, and with one so "
    r"wide that it does not act within them. The second moment is that of $\rho A$ under the old policy. Then six single "
    r"actions, with the clip $\frac15$, and the rare action of (3)."
)
def by_hand():
    clipped, free = _ratios_after(20, 0.2), _ratios_after(20, 0.999999)
    yield r"\text{clipped: ratios}", clipped, "(1.2883, 0.7117)"
    yield r"\text{clipped: second moment}", jnp.mean(clipped**2), "1.0831"
    yield r"\text{not clipped: ratios}", free, "(1.9008, 0.0992)"
    yield r"\text{not clipped: second moment}", jnp.mean(free**2), "1.8114"
    objective = -clipped_policy_loss(*SIX, clip=0.2)
    yield r"-\ell \text{ at } \rho = \tfrac12, 1, \tfrac32 \text{ and } A = 1", objective[0], "(0.5, 1, 1.2)"
    yield r"-\ell \text{ there if } A = -1", objective[1], "(-0.8, -1, -1.5)"
    yield r"\text{an action of probability } 0.01 \text{ is absent from 50 steps with probability } 0.99^{50}", 0.99**50, "0.605"


derivation.say(
    r"The clip prices no divergence. The same paper's other loss does: at a price for $\mathrm{KL}(o \,\|\, \pi)$, which samples "
    "of the old policy can estimate."
)
beta = derivation.number(r"\beta", "the price of a nat", "kl_coefficient", positive=True)
derivation.chain(
    "The penalty of an action has the divergence of the old policy from the new one as its mean",
    Expectation(o, plus(pi / o, -1, -log(pi / o))),
    equals(
        Divergence(o, pi), prose("multiply out, with {one}; turned over, a logarithm is negated", one=holds(Total(a, pi), "=", 1))
    ),
    role="lemma",
    so=r"It is $k_3$ of the estimators of a divergence, with the old policy as the one that is sampled.",
)
best = derivation.law(r"\tilde\pi({})", a, "a policy")
nu = derivation.number(r"\nu", "a number larger than every advantage")
A_nu = derivation.define(
    r"A_\nu({})", plus(nu, -beta * o / best), r"the advantages for which it is the best, as will be shown", over=a
)
derivation.chain(
    "At a price for this divergence the best policy keeps every action",
    plus(Expectation(best, A_nu), -beta * Divergence(o, best), -Expectation(pi, A_nu), beta * Divergence(o, pi)),
    equals(
        plus(Total(a, times(best - pi, nu - beta * o / best)), times(beta, Expectation(o, log(best / pi)))),
        "the old policy's entropy cancels",
    ),
    equals(
        times(beta, Total(a, times(o, plus(pi / best, -1, -log(pi / best))))),
        r"both policies sum to one, so $\nu$ cancels",
        wrong={"the ratio turned over": times(beta, Total(a, times(o, plus(best / pi, -1, -log(best / pi)))))},
    ),
    at_least(
        0,
        prose("the logarithm is below its tangent; equality if and only if {same}", same=where(pi, best)),
        dropping=times(beta, Total(a, times(o, tangent.at(pi / best)))),
    ),
    so=prose(
        r"Solved for the policy: {best}, with the one $\nu$ above all advantages for which it sums to one, since the sum falls "
        "from infinity to zero. Every ratio is positive: no action is given up. Paid as the other divergence, "
        r"$\mathrm{KL}(\pi \,\|\, o)$, the best policy is $o$ tilted by $e^{A/\beta}$.",
        best=holds(best, "=", beta * o / (nu - A_nu), wrong={"the price forgotten": o / (nu - A_nu)}),
    ),
    role="remark",
)
derivation.bridge(
    "The code computes the penalized loss of an action",
    plus(-times(pi / o, A), times(beta, plus(pi / o, -1, -log(pi / o)))),
    kl_penalty_loss,
    log_probs=[log(pi)],
    old_log_probs=[log(o)],
    advantages=[A],
    kl_coefficient=beta,
    wrong={"the divergence turned over": plus(-times(pi / o, A), times(beta, plus(o / pi, -1, -log(o / pi))))},
)
