"""What comparisons teach a reward model, what they leave open, and why its favorite disappoints.

The lecture on the functions of theory_jax/preference/reward_model.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Rational, exp, log, sqrt

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Slope, Total, plus, times
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.lemmas.tangent import tangent
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
    question='A network is trained on many statements "this answer was preferred to that one". What does it learn, what stays '
    "undetermined, and what do the usual additions (a margin, centering, an ensemble) change?",
    setting=(
        r"A prompt and two of its completions are drawn. Their pair $i$ is preferred one way with the probability "
        r"$\sigma(d^*_i)$ of the Bradley-Terry model, where $d^*_i$ is a difference of true rewards, and "
        r"$\sigma(d) = 1 / (1 + e^{-d})$.",
        r"The model gives every completion a reward, and $d_i$ is the difference of its two rewards.",
        r"The completions of a prompt are joined by those pairs that are compared with positive probability; this graph is "
        r"connected.",
    ),
    answer="In expectation the loss is least where the model's differences are the true ones. The level of each prompt stays "
    "open; centering fixes it, and shrinks the differences where a completion is in several pairs. A margin exaggerates the "
    "differences. Accuracy does not see the scale, which only the loss finds. And the choice of the best of several by a noisy "
    "reward overestimates the chosen one, for any noise.",
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
label = derivation.law("p({}|{})", (b, pair), "the annotators' law of the verdict, $\\sigma(d^*_i)$ of 1")
d = derivation.numbers("d", pair, "the model's difference of rewards", "reward_chosen - reward_rejected")
guess = derivation.define(
    "q({}|{})", exp(b * d) / (1 + exp(d)), r"the model's law of the verdict: $\sigma(d_i)$ of 1", over=(b, pair), law=True
)
loss = derivation.define(
    "L", Expectation(often, Expectation(label, -log(guess))), "the expected loss", "mean of pairwise_reward_loss"
)
derivation.chain(
    "The expected loss is least at the true differences, and nowhere else",
    loss,
    equals(
        Expectation(often, plus(Entropy(label), Divergence(label, guess))),
        "a cross-entropy is entropy plus divergence, pair by pair",
    ),
    at_least(
        Expectation(often, Entropy(label)),
        r"leave out the divergences (Gibbs); equality if and only if $q(1|i) = p(1|i)$, so $d_i = d^*_i$, for every pair that is "
        r"compared, because $\sigma$ is increasing",
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
    equals(-_sigma(-(x - m)), r"$(\log \sigma)'(x) = \sigma(-x)$"),
    role="lemma",
    so=r"A pair that is right by far pulls little. With a margin every pair pulls harder, also a right one.",
)
truth = derivation.numbers("d^*", pair, "the true differences")
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
        r"the slope of a cross-entropy is guess minus truth, times $\partial(a d^*) / \partial a = d^*$: zero at $a = 1$",
    ),
    equals(bent, r"$\sigma' = \sigma(x)\, \sigma(-x)$"),
    at_least(0, "leave out squares times positive numbers; zero only if no pair has a difference", dropping=bent),
    states=2,
    so=r"So the loss has its only minimum at $a = 1$. Accuracy asks for the sign of $d$ alone, so it is the same at every $a > "
    r"0$: a model may rank perfectly and be wrong about every probability. Policies are trained on the rewards.",
)


@derivation.exact(
    r"\text{accuracy of } a\, r + t = \text{accuracy of } r",
    because=r"For $a = \frac{1}{100}$, 1 and 30 and $t = \pm 2$, over all 16 pairs of four rewards, two of which are equal.",
    outcomes=96,
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
    "One pair: a shift removes the term, and leaves the difference",
    Slope(plus(r_1 + c, r_2 + c) ** 2, c),
    equals(times(4, plus(times(2, c), r_1, r_2)), "the chain rule: both rewards move"),
    role="lemma",
    so=r"Zero at $t = -\frac{r_1 + r_2}{2}$, where the term is 0. The sum and the difference of two rewards are independent "
    r"coordinates, so the best difference is still the true one.",
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
        r"$\sum_j \sum_k (r_j + r_k)^2 = 2 N \sum_j r_j^2 + 2 \left(\sum_j r_j\right)^2$; the pairs of a completion with itself "
        r"take away four squares each, and every pair was met twice",
        wrong={"every pair counted twice": plus(times(2 * N - 4, Total(j, r**2)), 2 * Total(j, r) ** 2)},
    ),
    sizes={j: 4, j_2: 4},
    so=r"For two completions the first term is gone. For more it pulls every reward to zero, with $\lambda (N - 2)$: the "
    r"differences come out smaller than the true ones. A small $\lambda$ is enough for the constant.",
)

# ---------------------------------------------------------------------------------------------------- the margin

derivation.say(
    r"A margin asks that the chosen completion be ahead by $m$. With labels that are not certain this is no longer an estimate "
    r"of $d^*$. Let the first completion be preferred with probability $p > \frac12$; for $p < \frac12$ exchange both."
)
p = derivation.number("p", "how often the first completion is preferred", between=(Rational(1, 2), 1))
with_margin = plus(-times(p, log(_sigma(x - m))), -times(1 - p, log(_sigma(-x - m))))
over = (1 + exp(m - x)) * (1 + exp(-x - m))
derivation.chain(
    "The slope of the expected loss with a margin",
    Slope(with_margin, x),
    equals(plus(-times(p, _sigma(m - x)), times(1 - p, _sigma(x + m))), "either verdict pulls its own way"),
    equals(
        exp(m - 2 * x) * plus(times(1 - p, exp(-m), exp(2 * x)), times(1 - 2 * p, exp(x)), times(-p, exp(-m))) / over,
        "common denominator",
    ),
    role="lemma",
    so=r"A quadratic in $e^x$ with one positive root. For $m = 0$ it is $(e^x + 1)((1 - p) e^x - p)$, and the root is the odds "
    r"$\frac{p}{1 - p}$.",
)
odds = p / (1 - p)
pull = times(1 - exp(-m), p / (1 - p), 2 * p - 1)
derivation.chain(
    "At the true odds the loss still falls: a margin exaggerates",
    plus(times(1 - p, exp(-m), odds**2), times(1 - 2 * p, odds), times(-p, exp(-m))),
    equals(-pull, r"put $e^x = \frac{p}{1 - p}$; $(1 - p)\left(\frac{p}{1 - p}\right)^2 - p = \frac{p (2 p - 1)}{1 - p}$"),
    at_most(
        0,
        r"add a product of positive numbers: $e^m - 1 \ge m > 0$ (the tangent)",
        adding=times(exp(-m), tangent.at(exp(m)) + m, odds, 2 * p - 1),
    ),
    so=r"So the minimum is beyond $d^*$, farther from 0. With $p = \frac12$ it stays at 0. A margin is useful where labels give "
    r"the size of a difference; the rewards are then no longer logits of a preference.",
)

# ---------------------------------------------------------------------------------------------------- the winner

derivation.say(
    r"A reward model is used to choose: among several completions, the one with the largest reward. Let $z$ stand for all the "
    r"noise of the model. Nothing is assumed of its law, except that the reward of the truly best completion is right on average."
)
z = derivation.index("z", "the noise of all rewards together")
noise = derivation.law(r"\nu", z, "its law")
gold = derivation.number("g", "the true reward of the truly best completion")
raw = derivation.numbers("h", z, "any numbers, which become the noise once their mean is taken away")
proxy = derivation.define(
    r"\hat r", gold + raw - Expectation(noise, raw), "the model's reward of the truly best completion: right on average", over=z
)
ahead = derivation.numbers("s", z, "by how much the winner's reward is larger than this one", positive=True)
behind = derivation.numbers("u", z, "by how much the winner is truly worse", positive=True)
winner = derivation.define("w", proxy + ahead, "the model's reward of the winner", over=z)
winner_gold = derivation.define(r"g_w", gold - behind, "the true reward of the winner", over=z)
derivation.chain(
    "The winner's curse: on average the winner is worse than its reward",
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
derivation.chain(
    "Pessimism takes disagreement for a warning",
    plus(mean, -times(kappa, sqrt(spread))),
    at_most(
        mean,
        r"add a deviation, times $\kappa > 0$; equality if and only if all models agree",
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


def _all_pairs(rewards, true, coefficient):
    """The expected loss of all pairs of a prompt's completions, each compared once."""
    first, second = np.array(list(itertools.combinations(range(len(true)), 2))).T
    often = 1 / (1 + np.exp(true[second] - true[first]))
    one, other = (
        pairwise_reward_loss(rewards[chosen], rewards[rejected], center_coefficient=coefficient)
        for chosen, rejected in ((first, second), (second, first))
    )
    return jnp.sum(often * one + (1 - often) * other)


@derivation.example(
    r"Three of four people prefer the first completion: $d^* = \log 3$. With a margin of $\log 2$ the quadratic is $u^2 - 4 u - "
    r"3 = 0$, so $u = 2 + \sqrt 7$. Then true rewards $(\log 4, \log 2, 0)$, all pairs compared equally often, centered with "
    r"$\lambda = 0.1$ and without. Last, two candidates of true reward 0 and $\frac12$, each off by $\pm 1$."
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
        slope = jax.grad(_all_pairs)(jnp.array([half, 0.0, -half]), true, coefficient)
        yield rf"r_1 - r_3 \text{{ at }} \lambda = {coefficient:g}", 2 * half, said
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
    along = jnp.linspace(-1.0, 4.0, 60)
    for margin, root in ((0.0, np.log(3)), (np.log(2), np.log(2 + np.sqrt(7)))):
        at = jnp.append(along, root)
        loss = 0.75 * pairwise_reward_loss(at, 0 * at, margin=margin) + 0.25 * pairwise_reward_loss(0 * at, at, margin=margin)
        (line,) = left.plot(along, loss[:-1], label=f"margin {margin:.2g}")
        left.plot(root, loss[-1], "o", color=line.get_color())
    left.set(xlabel="$d$", ylabel="expected loss, nats")
    left.legend()
    rng, draws, most = np.random.default_rng(0), 1000, 64
    gold, noise = rng.normal(size=(draws, most)), rng.choice((0.2, 2.0), size=(draws, most))
    models = (gold + noise * rng.normal(size=(4, draws, most))).reshape(4, -1)
    sizes = 2 ** np.arange(7)
    for pessimism, name in ((0.0, "mean"), (1.0, "pessimistic")):
        proxy = np.asarray(pessimistic_reward(jnp.array(models), pessimism=pessimism)).reshape(draws, most)
        winners = [proxy[:, :size].argmax(axis=1)[:, None] for size in sizes]
        reward, true = ([np.take_along_axis(table, w, axis=1).mean() for w in winners] for table in (proxy, gold))
        (line,) = right.plot(sizes, true, "o-", markersize=3, label=f"{name}: true reward")
        right.plot(sizes, reward, "--", color=line.get_color(), label=f"{name}: its own")
    right.set(xlabel="candidates $n$", ylabel="of the winner", xscale="log")
    right.legend()


@derivation.exercise(
    r"What does a pair with a tie cost, and how does it pull at the chosen reward?",
    r"$-\log \sigma(0) = \log 2 = 0.6931$, and the slope is $-\sigma(0) = -0.5$.",
)
def a_tie():
    zero = jnp.zeros(1)
    yield pairwise_reward_loss(zero, zero)[0], "0.6931"
    yield jax.grad(lambda r: pairwise_reward_loss(r, zero)[0])(zero)[0], "-0.5"


@derivation.exercise(
    "Five completions of a prompt are compared in all pairs, centered with coefficient 1. Which coefficient has the ridge? And "
    "with a single pair?",
    r"$N - 2 = 3$: the rewards (1, -1, 0, 0, 0), whose sum is 0, cost 3 $\sum_j r_j^2 = 6$. A single pair has none: (1, -1) "
    r"costs 0.",
)
def the_ridge():
    def cost(rewards):
        first, second = (jnp.array(part) for part in np.array(list(itertools.combinations(rewards, 2))).T)
        return (pairwise_reward_loss(first, second, center_coefficient=1.0) - pairwise_reward_loss(first, second)).sum()

    yield cost([1.0, -1.0, 0.0, 0.0, 0.0]) / 2, "3"
    yield cost([1.0, -1.0, 0.0, 0.0, 0.0]), "6"
    yield cost([1.0, -1.0]), "0"


@derivation.exercise(
    r"Sixteen completions are equally good, and the noise of each reward is uniform on $(-1, 1)$. By how much does the winner's "
    r"reward exceed its true one?",
    r"By the mean of the largest of 16 uniform numbers on $(-1, 1)$, $\frac{n - 1}{n + 1} = \frac{15}{17} = 0.882$.",
)
def sixteen_equals():
    u = sympy.Symbol("u", positive=True)
    yield sympy.integrate((2 * u - 1) * 16 * u**15, (u, 0, 1)), "0.882"
