"""What comparisons teach a reward model, what they leave open, and why its favorite disappoints.

The lecture on the functions of theory_jax/preference/reward_model.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent
from theory_jax.lectures.preference._reward_models import draw_margins, draw_winners, loss_of_all_pairs
from theory_jax.preference.reward_model import (
    pairwise_reward_loss,
    pessimistic_reward,
    preference_accuracy,
    sequence_reward,
    standardize_rewards,
)

derivation = Derivation(
    module=__name__,
    title="What comparisons teach a reward model, what they leave open, and why its favorite disappoints",
    lectures=(54,),
    sources=(
        "Stiennon et al. 2020, Learning to summarize from human feedback",
        "Ouyang et al. 2022, Training language models to follow instructions with human feedback",
        "Touvron et al. 2023, Llama 2, section 3.2.2 (the margin)",
        "Eisenstein et al. 2023, Helping or herding? Reward model ensembles mitigate but do not eliminate reward hacking",
        "Coste et al. 2024, Reward model ensembles help mitigate overoptimization",
    ),
    question="A reward model that ranks held-out pairs perfectly can still mislead a policy: its scale may be wrong, and the "
    "answer that it likes best is one of its errors. It was trained on nothing but statements that this answer was preferred to "
    "that one. What does it learn, what stays open, and what do the usual additions (a margin, centering, an ensemble) change?",
    setting=(
        r"A prompt and two of its completions are drawn. Their pair $i$ is preferred one way with the probability "
        r"$\sigma(d^*_i)$ of the Bradley-Terry model, where $d^*_i$, a difference of true rewards, are the log-odds.",
        r"The model gives every completion a reward, and $d_i$ is the difference of its two rewards.",
        r"The completions of a prompt are joined by those pairs that are compared with positive probability; this graph is "
        r"connected.",
    ),
    limits=(
        "Rewards of pairs that are never compared: that is generalization.",
        "Labels that no Bradley-Terry model gives.",
        "That pessimism picks better completions. It is never above the mean, by a line; the gain depends on the noise, and the "
        "figure measures one case.",
    ),
)

# ---------------------------------------------------------------------------------------------------- what is learned

b = derivation.index("b", "the verdict on a pair: 1 if its first completion is preferred, else 0", states=2)
pair = derivation.index("i", "a pair of completions of one prompt")
often = derivation.law("c", pair, "how often each pair is compared")
label = derivation.law("p({}|{})", (b, pair), "the annotators' distribution of the verdict, $\\sigma(d^*_i)$ of 1")
d = derivation.numbers("d", pair, "the model's difference of rewards", "reward_chosen - reward_rejected")
guess = derivation.define(
    "q({}|{})",
    exp(b * d) / (1 + exp(d)),
    r"the model's distribution of the verdict: $\sigma(d_i)$ of 1",
    over=(b, pair),
    law=True,
)
loss = derivation.define(
    "L", Expectation(often, Expectation(label, -log(guess))), "the expected loss", "mean of pairwise_reward_loss"
)
truth = derivation.numbers("d^*", pair, "the true differences")
fitted = derivation.chain(
    "The expected loss is least at the true differences, and nowhere else",
    loss,
    equals(
        Expectation(often, plus(Entropy(label), Divergence(label, guess))),
        "a cross-entropy is entropy plus divergence, pair by pair",
    ),
    at_least(
        Expectation(often, Entropy(label)),
        prose(
            r"leave out the divergences (Gibbs); equality if and only if {same} for both verdicts on every pair that is "
            r"compared, so at the true $d_i$, because $\sigma$ is increasing",
            same=where(label, guess),
        ),
        dropping=Expectation(often, gibbs.at(label, guess)),
    ),
    states=2,
    central=True,
    so=r"What remains is the annotators' own disagreement. Along a path of compared pairs differences add up, so in a connected "
    r"graph every difference within a prompt is the true one: the model is the true reward plus a constant for each prompt. No "
    r"comparison is made between prompts, and the constant stays open.",
)

# ---------------------------------------------------------------------------------------------------- the scale

x = derivation.number("x", "a difference of rewards, $d$", "reward_chosen - reward_rejected")
derivation.say(r"Write $x$ for one difference. How does the loss pull it, and what does accuracy not see?")


def _sigma(at):
    return 1 / plus(1, exp(-at))


m = derivation.number("m", "a margin", "margin", positive=True)
derivation.chain(
    "A pair pulls by the probability that its verdict was the other one",
    Slope(-log(_sigma(x - m)), x),
    equals(-_sigma(-(x - m)), prose("the chain rule, and {slope}", slope=holds(Slope(log(_sigma(x)), x), "=", _sigma(-x)))),
    role="lemma",
    so=r"A pair that is right by far pulls little. With a margin every pair pulls harder, also a right one.",
)
a = derivation.number("a", "a scale: the model's rewards are $a$ times the true ones", positive=True)
p_true = _sigma(truth)
scaled = derivation.define(
    "L_a",
    Expectation(often, plus(-times(p_true, log(_sigma(a * truth))), -times(1 - p_true, log(_sigma(-a * truth))))),
    "the expected loss at this scale",
)
bent = Expectation(often, truth**2 * _sigma(a * truth) * _sigma(-a * truth))
derivation.chain(
    "The loss finds the scale",
    Slope(scaled, a, 2),
    equals(
        Slope(Expectation(often, truth * plus(_sigma(a * truth), -p_true)), a),
        prose(
            "the slope of a cross-entropy is guess minus truth, times the true difference: it is {zero} at the scale 1",
            zero=holds(Slope(scaled, a), "=", 0, when={a: 1}, named=True),
        ),
    ),
    equals(bent, prose("{slope}", slope=holds(Slope(_sigma(x), x), "=", times(_sigma(x), _sigma(-x))))),
    at_least(0, "leave out squares times positive numbers; zero only if no pair has a difference", dropping=bent),
    states=2,
    so=r"So the loss has its only minimum at the scale 1, if some pair has a difference. Accuracy asks for the sign of $d$ "
    r"alone, so it is the same at every scale: a model may rank perfectly and be wrong about every probability. Policies are "
    "trained on the rewards.",
)


@derivation.exact(
    r"\text{accuracy of } a\, r + t = \text{accuracy of } r",
    because=r"For the scales $\frac{1}{100}$, 1 and 30 and the shifts $\pm 2$: all 16 pairs of four rewards, two of them equal.",
    outcomes=96,
    role="remark",
)
def accuracy_is_blind_to_the_scale():
    rewards = np.array([-1.0, 0.5, 0.5, 3.0])
    chosen, rejected = np.array(list(itertools.product(rewards, rewards))).T
    plain = preference_accuracy(jnp.array(chosen), jnp.array(rejected))
    maps = [(scale, shift) for scale in (0.01, 1.0, 30.0) for shift in (2.0, -2.0)]
    moved = [preference_accuracy(*(jnp.array(scale * r + shift) for r in (chosen, rejected))) for scale, shift in maps]
    wrong = {"ties counted as wrong": np.tile(chosen > rejected, 6).astype(float)}
    return Sides(left=np.concatenate(moved), right=np.tile(plain, 6), wrong=wrong)


# ---------------------------------------------------------------------------------------------------- centering

derivation.say(
    "The constant of a prompt is of no use, and drifts while a network trains. A term that pulls the sum of both rewards to zero "
    "fixes it. What else does it do?"
)
r_1 = derivation.number("r_1", "the reward of the chosen completion", "reward_chosen")
r_2 = derivation.number("r_2", "the reward of the rejected one", "reward_rejected")
c = derivation.number("t", "a shift of both")
derivation.chain(
    "For one pair a shift removes the centering term, and leaves the difference",
    Slope(plus(r_1 + c, r_2 + c) ** 2, c),
    equals(times(4, plus(times(2, c), r_1, r_2)), "the chain rule: both rewards move"),
    role="lemma",
    so=prose(
        "It is zero at {shift}, where the term is {none}. The sum and the difference of two rewards are independent coordinates, "
        "so the best difference is still the true one.",
        shift=where(c, -(r_1 + r_2) / 2),
        none=holds(plus(r_1 + c, r_2 + c) ** 2, "=", 0, named=True),
    ),
)
j = derivation.index("j", "a completion of one prompt")
j_2 = derivation.index("k", "another")
r = derivation.numbers("r", j, "the model's rewards of all completions of a prompt")
N = derivation.count(j, "N", "how many completions there are")
derivation.chain(
    "All pairs of several completions: centering is a ridge as well",
    times(Rational(1, 2), plus(Total(j, Total(j_2, (r + r.at(j_2)) ** 2)), -Total(j, (2 * r) ** 2))),
    equals(
        plus(times(N - 2, Total(j, r**2)), Total(j, r) ** 2),
        prose(
            "{double}; the pairs of a completion with itself take away four squares each, and every pair was met twice",
            double=holds(
                Total(j, Total(j_2, (r + r.at(j_2)) ** 2)), "=", plus(times(2 * N, Total(j, r**2)), 2 * Total(j, r) ** 2)
            ),
        ),
        wrong={"every pair counted twice": plus(times(2 * N - 4, Total(j, r**2)), 2 * Total(j, r) ** 2)},
    ),
    sizes={j: 4, j_2: 4},
    so=r"For two completions the first term is gone. For more it pulls every reward to zero, with $\lambda (N - 2)$: the "
    r"differences come out smaller than the true ones. A small $\lambda$ is enough for the constant.",
    role="lemma",
)

# ---------------------------------------------------------------------------------------------------- the margin

derivation.say(
    r"A margin asks that the chosen completion be ahead by $m$. With labels that are not certain this is no longer an estimate "
    r"of $d^*$. Let the first completion be preferred with a probability $p$ above one half; otherwise exchange both."
)
p = derivation.number("p", "how often the first completion is preferred", between=(Rational(1, 2), 1))
with_margin = plus(-times(p, log(_sigma(x - m))), -times(1 - p, log(_sigma(-x - m))))
over = (1 + exp(m - x)) * (1 + exp(-x - m))
quadratic = plus(times(1 - p, exp(-m), exp(2 * x)), times(1 - 2 * p, exp(x)), times(-p, exp(-m)))
derivation.chain(
    "With a margin the slope of the expected loss has the sign of a quadratic",
    Slope(with_margin, x),
    equals(plus(-times(p, _sigma(m - x)), times(1 - p, _sigma(x + m))), "either verdict pulls its own way"),
    equals(exp(m - 2 * x) * quadratic / over, "common denominator"),
    role="lemma",
    so=prose(
        "The bracket is a quadratic in $e^x$ with one positive root. Without a margin it is {product}, with the root {odds}.",
        product=holds(quadratic, "=", times(exp(x) + 1, plus(times(1 - p, exp(x)), -p)), when={m: 0}, named=True),
        odds=p / (1 - p),
    ),
)
odds = p / (1 - p)
pull = times(1 - exp(-m), p / (1 - p), 2 * p - 1)
derivation.chain(
    "At the true odds the loss still falls: a margin exaggerates",
    plus(times(1 - p, exp(-m), odds**2), times(1 - 2 * p, odds), times(-p, exp(-m))),
    equals(
        -pull,
        prose("the quadratic at the odds; {square}", square=holds(plus((1 - p) * odds**2, -p), "=", p * (2 * p - 1) / (1 - p))),
    ),
    at_most(
        0,
        r"add a product of positive numbers: $e^m - 1$ is at least $m$ (the tangent)",
        adding=times(exp(-m), tangent.at(exp(m)) + m, odds, 2 * p - 1),
    ),
    so=r"So the minimum is beyond $d^*$, farther from 0; where both verdicts are as likely it stays at 0. A margin is useful "
    r"where labels give the size of a difference; the rewards are then no longer logits of a preference.",
)

# ---------------------------------------------------------------------------------------------------- the winner

derivation.say(
    r"A reward model is used to choose: among several completions, the one with the largest reward. Let $z$ stand for all the "
    r"noise of the model. Nothing is assumed of it, except that the reward of the truly best completion is right on average."
)
z = derivation.index("z", "the noise of all rewards together")
noise = derivation.law(r"\nu", z, "its distribution")
gold = derivation.number("g", "the true reward of the truly best completion")
raw = derivation.numbers("h", z, "any numbers, which become the noise once their mean is taken away")
proxy = derivation.define(
    r"\hat r", gold + raw - Expectation(noise, raw), "the model's reward of the truly best completion: right on average", over=z
)
ahead = derivation.numbers("s", z, "by how much the winner's reward is larger than this one", positive=True)
behind = derivation.numbers("u", z, "by how much the winner is truly worse", positive=True)
winner = derivation.define("w", proxy + ahead, "the model's reward of the winner", over=z)
winner_gold = derivation.define(r"g_w", gold - behind, "the true reward of the winner", over=z)
derivation.answer = prose(
    "In expectation the loss is least where the model's differences are the true ones. The level of each prompt stays open; "
    "centering fixes it, and shrinks the differences where more than two completions are compared: {ridge}. A margin exaggerates "
    "the differences. Accuracy does not see the scale, which only the loss finds. And the choice of the best of several by "
    "rewards that are right on average overestimates the chosen one on average, unless the best one always wins.",
    ridge=holds(
        times(Rational(1, 2), plus(Total(j, Total(j_2, (r + r.at(j_2)) ** 2)), -Total(j, (2 * r) ** 2))),
        "=",
        plus(times(N - 2, Total(j, r**2)), Total(j, r) ** 2),
    ),
)
derivation.chain(
    "The winner's curse: on average the winner is no better than its reward says",
    Expectation(noise, winner),
    equals(
        plus(gold, Expectation(noise, ahead)),
        "the reward of the best completion is right on average",
        wrong={"the noise counted as reward": plus(gold, Expectation(noise, raw), Expectation(noise, ahead))},
    ),
    at_least(
        gold,
        r"leave out an advantage that is never negative: the winner's reward is at least every completion's",
        dropping=Expectation(noise, ahead),
    ),
    equals(Expectation(noise, winner_gold + behind), "add and subtract what the winner lacks"),
    at_least(
        Expectation(noise, winner_gold),
        "leave out what the winner lacks: no completion is truly better than the best",
        dropping=Expectation(noise, behind),
    ),
    so=r"Both $s_z$ and $u_z$ may be 0, too; equality holds if and only if one and the same truly best completion wins whatever "
    r"the noise. The number of completions and the dependence between their noises do not matter. How much is lost as candidates "
    r"become more is the next topic.",
)
n = derivation.index("n", "a model of an ensemble")
member = derivation.numbers("R", n, "the rewards that the models of an ensemble give one completion", "rewards[:, 0]")
M = derivation.count(n, "M", "how many models there are")
kappa = derivation.number(r"\kappa", "how much disagreement is held against a completion", "pessimism", positive=True)
mean = derivation.define(r"\bar R", Total(n, member) / M, "the mean of the models")
spread = derivation.define("S", Total(n, (member - mean) ** 2) / M, "the mean square of their disagreement")
agree = where(member, member.at(0))
derivation.chain(
    "The pessimistic reward is at most the mean of the ensemble",
    plus(mean, -times(kappa, sqrt(spread))),
    at_most(
        mean,
        prose("add a deviation, times a positive number; equality if and only if all models agree, {agree}", agree=agree),
        adding=kappa * sqrt(Total(n, (member - mean) ** 2) / M),
    ),
    role="lemma",
)

# ---------------------------------------------------------------------------------------------------- the code

v = derivation.index("v", "a channel of the network below the head")
tau = derivation.index("t", "a position of the text")
hidden = derivation.numbers("H", (tau, v), "the outputs of the network below the head", "hidden")
head = derivation.numbers("W", v, "the head's weights", "weight")
offset = derivation.number("b_0", "its bias", "bias")
lam = derivation.number(r"\lambda", "the coefficient of the centering", "center_coefficient", positive=True)
derivation.bridge(
    "The code reads the last token that counts: of the positions 0 to 3, here, position 2",
    plus(Total(v, head * hidden.at(2, v)), offset),
    sequence_reward,
    hidden=[[hidden.at(position, v) for position in range(4)]],
    mask=jnp.array([[False, True, True, False]]),
    weight=head,
    bias=offset,
    wrong={"the last position, although it is padding": plus(Total(v, head * hidden.at(3, v)), offset)},
)
derivation.bridge(
    "... the loss with margin and centering",
    plus(-log(_sigma(r_1 - r_2 - m)), times(lam, (r_1 + r_2) ** 2)),
    pairwise_reward_loss,
    reward_chosen=[r_1],
    reward_rejected=[r_2],
    margin=m,
    center_coefficient=lam,
    wrong={"centered on the difference": plus(-log(_sigma(r_1 - r_2 - m)), times(lam, (r_1 - r_2) ** 2))},
)
derivation.bridge(
    "... the pessimistic reward",
    plus(mean, -times(kappa, sqrt(spread))),
    pessimistic_reward,
    rewards=[[member.at(model)] for model in range(4)],
    pessimism=kappa,
    wrong={"the variance in place of the deviation": plus(mean, -times(kappa, spread))},
)
derivation.bridge(
    "... and rewards in units of a reference: the constant and the scale are stated, since no comparison states them",
    (r_1 - mean) / plus(sqrt(spread), lam),
    standardize_rewards,
    rewards=[r_1],
    reference_rewards=member,
    epsilon=lam,
    wrong={"divided by one less": (r_1 - mean) / plus(sqrt(spread * M / (M - 1)), lam)},
)


@derivation.exact(
    r"\hat r \text{ of a padded text} = \hat r \text{ of the text alone}",
    because="For all 15 masks of four positions with a token, with other numbers in the padding. That the network below the head "
    "gives a token the same output with padding as without depends on it: a causal decoder does if padding comes last.",
    outcomes=15,
    role="remark",
)
def padding_has_no_influence():
    masks = np.array(list(itertools.product((False, True), repeat=4))[1:])
    rng = np.random.default_rng(0)
    rows, weight = rng.normal(size=(15, 4, 2)), np.array([1.0, -2.0])
    last = np.array([np.flatnonzero(mask)[-1] for mask in masks])
    padded = np.where((np.arange(4) > last[:, None])[..., None], 9.0, rows)
    ends = rows[np.arange(15), last][:, None]  # the text alone, cut behind its last token
    got = sequence_reward(jnp.array(padded), jnp.array(masks), jnp.array(weight), jnp.array(0.5))
    wanted = sequence_reward(jnp.array(ends), jnp.ones((15, 1), bool), jnp.array(weight), jnp.array(0.5))
    pooled = np.where(masks[..., None], padded, 0.0).sum(axis=1) / masks.sum(axis=1, keepdims=True)
    wrong = {"the last position": padded[:, -1] @ weight + 0.5, "the mean over tokens": pooled @ weight + 0.5}
    return Sides(left=got, right=wanted, wrong=wrong)


@derivation.algorithm(
    "A training step of a reward model",
    do("take a prompt with the completion that was preferred and the other one"),
    do("$r_1$ and $r_2$: the head's number at the last token of each", sequence_reward),
    do(r"a step down the gradient of $-\log \sigma(r_1 - r_2 - m) + \lambda (r_1 + r_2)^2$", pairwise_reward_loss, by=fitted),
    do("after the last step: subtract the mean of reference completions, and divide by their deviation", standardize_rewards),
)
def two_steps():
    hidden, mask = jnp.eye(2)[:, None], jnp.ones((2, 1), bool)

    def loss(weight):
        rewards = sequence_reward(hidden, mask, weight, jnp.array(0.0))
        return pairwise_reward_loss(rewards[:1], rewards[1:])[0]

    weight, text = jnp.zeros(2), r"\text{outputs } (1, 0) \text{ and } (0, 1); m = \lambda = 0, \text{ from } W = 0: \quad "
    for said, moved in (("0.6931", "(0.5, -0.5)"), ("0.3133", "(0.7689, -0.7689)")):
        yield rf"{text}-\log \sigma(r_1 - r_2)", loss(weight), said
        weight, text = weight - jax.grad(loss)(weight), ""
        yield r"W \text{ after a step of 1}", weight, moved
    yield r"\text{standardized by these two}", standardize_rewards(weight, weight, epsilon=1e-300), "(1, -1)"


@derivation.example(
    prose(
        "Three of four people prefer the first completion, so the true difference is {difference}; with a margin of {margin} the "
        "quadratic is {zero} at {root}. Then the true rewards $\\log 4, \\log 2, 0$, all pairs compared equally often, centered "
        "with the coefficient 0.1 and without. Last, two candidates of true reward 0 and one half, each off by 1 either way.",
        difference=log(3),
        margin=log(2),
        root=log(2 + sqrt(7)),
        zero=holds(quadratic, "=", 0, when={p: Rational(3, 4), m: log(2), x: log(2 + sqrt(7))}, named=True),
    )
)
def three_of_four():
    def expected(difference, margin=0.0):
        zero = jnp.zeros(1)
        first, second = (
            pairwise_reward_loss(*order, margin=margin)[0] for order in ((zero + difference, zero), (zero, zero + difference))
        )
        return 0.75 * first + 0.25 * second

    yield r"L \text{ at } d = \log 3", expected(np.log(3)), "0.5623"
    yield (
        r"\frac{\partial L}{\partial d} \text{ with the margin, at } \log(2 + \sqrt 7)",
        jax.grad(expected)(jnp.log(2 + jnp.sqrt(7.0)), jnp.log(2.0)),
        "0.0000",
    )
    true = np.log([4.0, 2.0, 1.0])
    for coefficient, half, said in ((0.0, np.log(2), "1.386"), (0.1, 0.516, "1.032")):
        slope = jax.grad(loss_of_all_pairs)(jnp.array([half, 0.0, -half]), true, coefficient)
        yield rf"r_1 - r_3 \text{{ at the coefficient {coefficient:g}}}", 2 * half, said
        yield r"\text{the largest slope there}", jnp.abs(slope).max(), "0.000"
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    proxies, golds = np.array([0.0, 0.5]) + signs, np.array([0.0, 0.5])
    yield r"\text{the winner's reward}", proxies.max(axis=1).mean(), "7/8"
    yield r"\text{its true reward}", golds[proxies.argmax(axis=1)].mean(), "3/8"


@derivation.figure(
    r"Left: the expected loss where three of four people prefer the first completion. The minimum is at $\log 3$, and farther "
    r"right with a margin of $\log 2$ (dots). Right: the best of $n$ candidates by the mean of four reward models that are "
    r"noisier about some candidates than about others. The winner's reward and its true reward open like scissors. The "
    r"pessimistic reward starts too low, stays near the truth of its winners, and of 16 candidates or more it picks better ones.",
    panels=2,
)
def margins_and_winners(left, right):
    draw_margins(left)
    draw_winners(right)
