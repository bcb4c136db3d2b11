"""Other answers in place of a value function: what is climbed after each division.

The lecture on the functions of theory_jax/reinforcement/group_policy.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Matrix, Max, Min, Rational, asin, exp, log, oo, sqrt

from theory_jax.derivation.chains import equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.lectures.reinforcement import _groups as groups
from theory_jax.reinforcement.group_policy import (
    MODES,
    aggregate_tokens,
    group_normalized_advantages,
    group_token_loss,
    leave_one_out_advantages,
    sequence_ratio,
)

derivation = Derivation(
    module=__name__,
    title="Other answers in place of a value function: what is climbed after each division",
    lectures=(51, 52),
    sources=(
        "Kool, van Hoof & Welling 2019, Buy 4 REINFORCE samples, get a baseline for free",
        "Ahmadian et al. 2024, Back to basics: revisiting REINFORCE-style optimization (RLOO)",
        "Shao et al. 2024, DeepSeekMath (GRPO)",
        "Yu et al. 2025, DAPO: an open-source LLM reinforcement learning system at scale",
        "Liu et al. 2025, Understanding R1-zero-like training (Dr. GRPO)",
        "Zheng et al. 2025, Group sequence policy optimization (GSPO)",
    ),
    question="A value function for a language model is a second model of the same size, and it is wrong for most of the "
    "training. If a question is answered several times, can the other answers be the baseline? And which objective is climbed "
    "once advantages are divided by their deviation or by the length of the answer, and ratios give way to a geometric mean?",
    setting=(
        r"To one question the policy $\pi$ gives $G$ answers, at least two, independently. An answer $x$ has the reward $r(x)$ "
        r"and the score $g(x)$, the gradient of $\log \pi(x)$, with mean zero; so the mean reward $J$ has the gradient "
        r"$\mathbb{E}[g r]$.",
        r"A batch averages over questions, with the same weight for each.",
        r"An answer has $L$ tokens, all with the advantage of the answer; its log-probability is the sum over them.",
    ),
    limits=(
        "Normalized rewards that are not 0 or 1.",
        "What an asymmetric clip does to the entropy, and several steps from one batch, where the ratios leave 1.",
        "Tokens that depend on one another: the variances of ratios are derived for independent ones.",
    ),
)

x = derivation.index("x", "an answer")
pi = derivation.law(r"\pi({})", x, "the policy", "exp of the sum of log_probs")
r = derivation.numbers("r({})", x, "its reward", "rewards")
y = derivation.numbers("y({})", x, "any numbers")
g = derivation.define("g({})", y - Expectation(pi, y), "a score: any numbers with mean zero", over=x)
one, two, three = (
    derivation.index(f"x_{n}", f"the {name} answer of a group") for n, name in enumerate(("first", "second", "third"), start=1)
)
GROUP = (one, two, three)


def _over_groups(body):
    """The expectation over three independent answers."""
    for answer in reversed(GROUP):
        body = Expectation(pi.at(answer), body)
    return body


def _estimate(advantage):
    """The mean over the group of score times advantage; advantage(own reward, sum of the others')."""
    total = plus(*(r.at(answer) for answer in GROUP))
    return plus(*(g.at(answer) * advantage(r.at(answer), total - r.at(answer)) for answer in GROUP)) / 3


left_out = derivation.chain(
    "The other answers are a baseline that changes no mean",
    _over_groups(_estimate(lambda own, others: own - others / 2)),
    equals(
        plus(Expectation(pi, g * r), times(-1, Expectation(pi, g), Expectation(pi, r))),
        "the three answers have one distribution, so each gives the same; means of independent factors are multiplied",
        wrong={"the own reward in it": times(Rational(2, 3), Expectation(pi, g * r))},
    ),
    equals(Expectation(pi, g * r), "a score has mean zero"),
    central=True,
    states=2,
    so=r"This is $\nabla J$, without a value function, and any number of answers will do. Any share of the others' mean would "
    r"do as well for the mean; the whole of it takes away what all answers to a question have in common.",
)
i = derivation.index("i", "an answer of the group")
G = derivation.count(i, "G", "how many there are")
rho = derivation.numbers("r", i, "their rewards", "rewards")
mean = derivation.define(r"\bar r", Total(i, rho) / G, "their mean")
loo = derivation.define("A", rho - (Total(i, rho) - rho) / (G - 1), "leave one out", "leave_one_out_advantages", over=i)
derivation.chain(
    "With the own reward in the mean, the gradient is too short",
    plus(rho, -mean),
    equals(
        times((G - 1) / G, plus(rho, -(Total(i, rho) - rho) / (G - 1))),
        r"the mean is $\frac1G r_i$ and $\frac{G-1}{G}$ times the mean of the others",
    ),
    equals(times((G - 1) / G, loo), "by definition"),
    role="lemma",
    so=r"So the mean of all gives $\frac{G-1}{G} \nabla J$: the same direction, another step size.",
)

derivation.say(
    r"Many programs divide the distance from the mean by the deviation of the group. Let rewards be 0 and 1, and $p$ the "
    r"probability of a right answer. The mean score of right answers is $\nabla p / p$, since $\nabla p$ is $\mathbb{E}[g r]$; "
    r"that of wrong ones is $-\nabla p / (1 - p)$, since the mean of all is zero. If $k$ of $G$ answers are right, the mean is "
    r"$k/G$ and the variance $\frac kG (1 - \frac kG)$, so a right answer has the advantage $\sqrt{(G-k)/k}$ and a wrong one "
    r"$-\sqrt{k/(G-k)}$; if all are alike, the advantages are 0 and the question is silent."
)
p = derivation.number("p", "the probability of a right answer", between=(0, 1))
slope = derivation.number(r"\dot p", r"its derivative $\nabla p$ in a parameter of the policy")
derivation.chain(
    "Divided by the deviation, groups of two or three weigh all questions alike, groups of four do not",
    Matrix([groups.normalized_estimate(answers, p, slope) for answers in (2, 3, 4)]),
    equals(
        Matrix([slope, sqrt(2) * slope, (sqrt(3) + (3 - 2 * sqrt(3)) * p * (1 - p)) * slope]),
        r"collect the powers of $p$ and $1 - p$",
    ),
    so=r"With two or three answers this is a multiple of $\nabla p$, the same for every question. From four on, questions that "
    r"are nearly always or nearly never answered rightly weigh more.",
    role="lemma",
)
climbed = times(Slope(2 * asin(sqrt(p)), p), slope)
derivation.answer = prose(
    r"The mean reward of the other answers is a baseline that changes no mean: leaving one out gives $\nabla J$, and the mean of "
    "all gives a share of it, since {short}. Dividing by the deviation weighs questions: with rewards 0 and 1 and many answers "
    r"it climbs $2 \arcsin \sqrt p$ in place of the probability $p$ of a right answer, {climbed}. Dividing by the length lets "
    "wrong answers be long. A geometric mean of ratios varies little, but is no importance weight.",
    short=holds(plus(rho, -mean), "=", times((G - 1) / G, loo), wrong={"the same": loo}),
    climbed=holds(climbed, "=", slope / sqrt(p * (1 - p)), wrong={"the variance": slope / (p * (1 - p))}),
)
normalized = derivation.chain(
    "Divided by the deviation, many answers climb the arcsine of the root of p, not p",
    times(p, sqrt((1 - p) / p), slope / p) + times(1 - p, sqrt(p / (1 - p)), slope / (1 - p)),
    equals(
        slope / sqrt(p * (1 - p)),
        r"$k/G$ tends to $p$ (the law of large numbers); both terms are $\sqrt{p(1-p)}\, \dot p$, over $p$ and over $1 - p$",
        wrong={"the variance": slope / (p * (1 - p))},
    ),
    equals(climbed, "the chain rule", wrong={"the logarithm of the odds": times(Slope(log(p / (1 - p)), p), slope)}),
    so=r"So what is climbed is $2 \arcsin \sqrt p$, averaged over questions: it stretches both ends of the scale. "
    r"With the correction 1 in the deviation every weight is $\sqrt{(G-1)/G}$ times as large.",
)

derivation.say(
    r"Next, the lengths. A loss that is averaged over the tokens of each answer gives every token the weight $A / L$. Take "
    r"three answers, a softmax of logits: 0 is right, 1 and 2 are wrong and differ in length."
)
j = derivation.index("j", "one of three answers", states=3)
logit = derivation.numbers("z", j, "their logits")
soft = derivation.define(r"\pi", exp(logit) / Total(j, exp(logit)), "the policy", over=j, law=True)
length = derivation.numbers("L", j, "their lengths", positive=True)
J = derivation.number("J", "the probability of the right answer, which is the mean reward", between=(0, 1))
worth = derivation.define(
    "a", KroneckerDelta(j, 0) - J, "the advantage: the reward, which is 1 for answer 0, less its mean", over=j
)


def _push(answer, divisor):
    """By how much an answer's logit is moved on average, in units of its probability."""
    return times(1 / soft.at(answer), Expectation(soft, times(worth / divisor, Slope(log(soft), logit.at(answer)))))


of_lengths = derivation.chain(
    "Divided by the length, a longer wrong answer is pushed down less",
    plus(_push(1, length), -_push(2, length)),
    equals(
        plus(worth.at(1) / length.at(1), -worth.at(2) / length.at(2)),
        prose(
            "of a softmax: {score}; what is the same for both answers cancels",
            score=holds(Slope(log(soft), logit.at(1)), "=", plus(KroneckerDelta(j, 1), -soft.at(1))),
        ),
    ),
    equals(times(-J, plus(1 / length.at(1), -1 / length.at(2))), r"a wrong answer has the advantage $-J$"),
    so="Negative if the first is the shorter: of two wrong answers that are equally likely the longer gains on the shorter, "
    "whatever is wrong with them. Without the division the difference is zero. Dividing all answers of a batch by one constant "
    "keeps it zero, and the gradient a fixed multiple of the unbiased one; dividing by their total length gives all tokens one "
    "weight, but the length is random (exercise 3).",
)

derivation.say("Last, the ratios. A text has the product of its tokens' ratios, new policy to old.")
a = derivation.index("a", "the first token")
b = derivation.index("b", "the second token")
o_1, o_2 = derivation.law("o_1({})", a, "the old policy of the first token"), derivation.law("o_2({})", b, "... of the second")
pi_1, pi_2 = derivation.law(r"\pi_1({})", a, "the new policy of the first"), derivation.law(r"\pi_2({})", b, "... of the second")
derivation.chain(
    "The mean square of a product of independent ratios is a product",
    Expectation(o_1, Expectation(o_2, (pi_1 * pi_2 / (o_1 * o_2)) ** 2)),
    equals(
        times(Total(a, pi_1**2 / o_1), Total(b, pi_2**2 / o_2)), "independent tokens; one of the squares cancels the old policy"
    ),
    role="lemma",
    so=prose(
        "The mean of the product is 1. Each factor here is 1 and a chi-square divergence, {square}, so where every token has "
        "moved by as much the variance grows exponentially with their number.",
        square=holds(Total(a, pi_1**2 / o_1), "=", plus(1, Total(a, (pi_1 - o_1) ** 2 / o_1))),
    ),
)
sigma = derivation.number(r"\sigma", "the deviation of a token's log-ratio", positive=True)
T = derivation.number("T", "how many tokens an answer has", positive=True)
s = derivation.number("s", "the log-ratio of a text")
sums = Normal(s, -T * sigma**2 / 2, T * sigma**2)
derivation.chain(
    "With Gaussian log-ratios the variance of the ratio of a text grows exponentially with its tokens",
    plus(Expectation(sums, exp(2 * s)), -(Expectation(sums, exp(s)) ** 2)),
    equals(
        plus(exp(T * sigma**2), -1),
        prose(
            r"the mean $-\sigma^2/2$ of a token's log-ratio makes the mean ratio 1, {one}; moments of a Gaussian",
            one=holds(Expectation(sums, exp(s)), "=", 1),
        ),
    ),
    role="lemma",
)
derivation.chain(
    "The geometric mean of ratios is below 1 in the mean: it is no importance weight",
    Expectation(sums, exp(s / T)),
    equals(exp(-(sigma**2) / 2 * (1 - 1 / T)), "the same with a share of the exponent"),
    so=prose(
        "It varies as little as the ratio of one token or less. But its mean is {one} for one token alone, and falls towards "
        "{least} with their number: weights by it give no expectation under the new policy. It says how far an answer has moved, "
        "token by token.",
        one=holds(exp(-(sigma**2) / 2 * (1 - 1 / T)), "=", 1, when={T: 1}, named=True),
        least=holds(Limit(exp(-(sigma**2) / 2 * (1 - 1 / T)), T, oo), "=", exp(-(sigma**2) / 2), named=True),
    ),
)

derivation.say("What a token pays in all: the clipped surrogate with two clips, and a price for leaving the reference.")
u = derivation.number("u", r"$\log \pi$ of a token", "log_probs")
u_o = derivation.number("u_o", "that of the old policy", "old_log_probs")
u_0 = derivation.number("u_0", "that of the reference", "reference_log_probs")
A = derivation.number("A", "the advantage of the answer", "advantages")
beta = derivation.number(r"\beta", "the price of a nat", "kl_coefficient", positive=True)
low = derivation.number(r"\epsilon_-", "how far a ratio may fall", "clip_low", between=(0, 1))
high = derivation.number(r"\epsilon_+", "how far it may rise", "clip_high", positive=True)
price = plus(exp(u_0 - u), -1, -(u_0 - u))
token_slope = derivation.chain(
    "As long as nothing is clipped, a token is pulled by its advantage and back to the reference",
    Slope(plus(-exp(u - u_o) * A, times(beta, price)), u),
    equals(
        plus(-exp(u - u_o) * A, times(beta, plus(1, -exp(u_0 - u)))),
        prose("the chain rule; the price is {price}, with the slope {slope}", price=price, slope=Slope(price, u)),
    ),
    so=prose(
        "At the old policy the term with the advantage is {first}; at the reference that with the price is {second}.",
        first=holds(-exp(u - u_o) * A, "=", -A, when={u: u_o}, named=True),
        second=holds(times(beta, plus(1, -exp(u_0 - u))), "=", 0, when={u: u_0}, named=True),
    ),
    role="lemma",
)

near = Min(Max(exp(u - u_o), 1 - low), 1 + high)
derivation.bridge(
    "The code computes the rewards less those of the others",
    loo,
    leave_one_out_advantages,
    rewards=[rho],
    wrong={"less the mean": plus(rho, -mean), "divided by G": rho - (Total(i, rho) - rho) / G},
)
epsilon = derivation.number(r"\varepsilon", "a small number that keeps the divisor from 0", "epsilon", positive=True)
variance = Total(i, (rho - mean) ** 2) / (G - 1)
derivation.bridge(
    "... the normalized rewards",
    (rho - mean) / (sqrt(variance) + epsilon),
    group_normalized_advantages,
    rewards=[rho],
    correction=1,
    epsilon=epsilon,
    wrong={"epsilon under the root": (rho - mean) / sqrt(variance + epsilon)},
)
derivation.bridge(
    "... the loss of a token",
    plus(-Min(exp(u - u_o) * A, near * A), times(beta, price)),
    group_token_loss,
    log_probs=[[u]],
    old_log_probs=[[u_o]],
    reference_log_probs=[[u_0]],
    advantages=[A],
    mask=jnp.ones((1, 1), bool),
    clip_low=low,
    clip_high=high,
    kl_coefficient=beta,
    wrong={
        "one clip for both sides": plus(-Min(exp(u - u_o) * A, Min(Max(exp(u - u_o), 1 - low), 1 + low) * A), times(beta, price)),
        "the two policies of the price exchanged": plus(
            -Min(exp(u - u_o) * A, near * A), times(beta, plus(exp(u - u_0), -1, -(u - u_0)))
        ),
    },
)
t = derivation.index("t", "a token")
d = derivation.numbers("d", t, "its log-ratio", "log_probs - old_log_probs")
n = derivation.count(t, "n", "how many there are")
for _title, _ratio, _mean in (
    ("... the ratio of a text", exp(Total(t, d)), False),
    ("... its geometric mean over the tokens", exp(Total(t, d) / n), True),
):
    derivation.bridge(
        _title,
        _ratio,
        sequence_ratio,
        log_probs=[d],
        old_log_probs=jnp.zeros((1, 4)),
        mask=jnp.ones((1, 4), bool),
        length_normalized=_mean,
    )
ell = derivation.numbers(r"\ell", (i, t), "the loss of a token", "losses")
triangle = [[ell.at(answer, token) for token in range(answer + 1)] for answer in range(3)]
per_answer, per_token, per_length = MODES
below = jnp.tril(jnp.ones((3, 3), bool))
for _title, _mean, _more in (
    (
        "... a mean over answers of one, two and three tokens",
        sum(sum(row) / len(row) for row in triangle) / 3,
        {"mode": per_answer},
    ),
    ("... a mean over their tokens", sum(map(sum, triangle)) / 6, {"mode": per_token}),
    ("... and a mean over a constant length", sum(map(sum, triangle)) / (3 * 4), {"mode": per_length, "constant_length": 4}),
):
    derivation.bridge(_title, _mean, aggregate_tokens, losses=ell, mask=below, states=3, **_more)


derivation.symbol(r"\nabla J", "the gradient in the logits of three answers")
derivation.symbol("A_i", "the advantages of a group")
derivation.symbol("g_i", "the scores of its answers")


@derivation.exact(
    r"\mathbb{E}\Big[\tfrac1G \sum_i g_i A_i\Big] = \nabla J \text{ for the rewards less the others', and } (\sqrt 3 + (3 - 2 "
    r"\sqrt 3)\, p (1 - p))\, \nabla J \text{ for normalized ones}",
    because="All groups of four out of three answers, one of which is right: the advantages of the code.",
    outcomes=81,
    role="remark",
)
def four_answers():
    policy = np.array([0.2, 0.5, 0.3])
    scores, groups = np.eye(3) - policy, np.indices((3,) * 4).reshape(4, -1).T
    rewards = jnp.array(groups == 0, float)

    def mean(advantages):
        return np.einsum("n,ngk,ng->k", policy[groups].prod(axis=1), scores[groups], np.asarray(advantages)) / 4

    left = [mean(leave_one_out_advantages(rewards)), mean(group_normalized_advantages(rewards, correction=0, epsilon=1e-300))]
    exact = policy[0] * scores[0]
    weight = np.sqrt(3) + (3 - 2 * np.sqrt(3)) * policy[0] * (1 - policy[0])
    wrong = {
        "the first with the own reward in the mean": jnp.stack([0.75 * exact, weight * exact]),
        "the second with the correction 1 in the deviation": jnp.stack([exact, np.sqrt(0.75) * weight * exact]),
    }
    return Sides(left=jnp.stack(left), right=jnp.stack([exact, weight * exact]), wrong=wrong)


ONE_RIGHT = jnp.array([[1.0, 0.0, 0.0, 0.0]])


@derivation.algorithm(
    "A step of GRPO",
    do("for each question: $G$ answers of the old policy, each with its reward"),
    do(r"$A_i \leftarrow (r_i - \bar r) / (\sigma + \varepsilon)$", group_normalized_advantages, by=normalized),
    do(r"or $A_i \leftarrow r_i$ less the mean of the others, to climb the mean reward", leave_one_out_advantages, by=left_out),
    do(
        r"the loss of a token: the clipped $-e^{u - u_o} A$ and $\beta$ times the price of leaving the reference",
        group_token_loss,
        by=token_slope,
    ),
    do("the mean over the tokens of each answer, or over a constant length, and over answers", aggregate_tokens, by=of_lengths),
    do("a few gradient steps on it; then new answers"),
)
def two_steps():
    advantages = group_normalized_advantages(ONE_RIGHT, correction=1, epsilon=1e-300)[0]
    yield r"\text{one of four answers is right; one token each: } A", advantages, "(1.5, -0.5, -0.5, -0.5)"
    yield r"\text{leave one out}", leave_one_out_advantages(ONE_RIGHT)[0], "(1, -1/3, -1/3, -1/3)"
    old, mask = jnp.full((4, 1), -1.0), jnp.ones((4, 1), bool)
    for text, moved, each, said in (
        (r"\text{at the old policy}", old, "(-1.5, 0.5, 0.5, 0.5)", "0"),
        (r"u - u_o = A / 10", old + advantages[:, None] / 10, "(-1.7417, 0.4757, 0.4757, 0.4757)", "-0.0786"),
    ):
        clips = {"clip_low": 0.2, "clip_high": 0.3, "kl_coefficient": 0.1}
        losses = group_token_loss(moved, old, old, advantages, mask, **clips)
        yield rf"{text}\text{{: the losses}}", losses[:, 0], each
        yield r"\text{their mean}", aggregate_tokens(losses, mask, mode=per_answer), said


@derivation.example(
    r"Three answers with the probabilities $(\frac12, \frac14, \frac14)$ and the lengths 2, "
    r"1, 4, of which the first is right: the mean push on each logit, $\pi_j$ times the advantage over the length less its mean."
)
def three_lengths():
    policy, worth_of = np.array([0.5, 0.25, 0.25]), np.array([0.5, -0.5, -0.5])
    for name, lengths, said in (
        ("divided by the length", np.array([2.0, 1.0, 4.0]), "(9/64, -15/128, -3/128)"),
        ("not divided", np.ones(3), "(1/4, -1/8, -1/8)"),
    ):
        yield rf"\text{{the push, {name}}}", policy * (worth_of / lengths - policy @ (worth_of / lengths)), said


@derivation.figure(
    r"Left: what the gradient $\nabla p$ of a question is multiplied by if rewards are 0 and 1 and advantages are divided by "
    r"the deviation of $G$ answers; dashed, its limit $1 / \sqrt{p(1-p)}$. Right: the variance of the ratio of a text and of "
    r"its geometric mean against the number of independent tokens, log-ratios of deviation 0.3; dots are 2000 samples, which at "
    r"40 tokens miss most of the variance: rare texts carry it.",
    panels=2,
)
def weights_and_variances(left, right):
    groups.draw_weights(left)
    groups.draw_variances(right)
