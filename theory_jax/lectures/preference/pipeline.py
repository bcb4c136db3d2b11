"""From supervised text to preferences: two roads to one policy.

The lecture on the functions of theory_jax/preference/pipeline.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, exp, log, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.preference.kl_optimum import read_back
from theory_jax.preference.dpo import dpo_loss
from theory_jax.preference.kl_optimum import reward_kl_frontier, tilted_log_probs
from theory_jax.preference.pipeline import completion_log_prob, completion_mask, supervised_loss, token_class_score, win_rate

derivation = Derivation(
    module=__name__,
    title="From supervised text to preferences: two roads to one policy",
    lectures=(54, 55),
    sources=(
        "Ziegler et al. 2019, Fine-tuning language models from human preferences",
        "Ouyang et al. 2022, Training language models to follow instructions with human feedback",
        "Rafailov et al. 2023, Direct preference optimization",
    ),
    question="A language model is fine-tuned on answers, and then on preferences: by a reward model and reinforcement, or by "
    "direct preference optimization. Which tokens count, why do the two roads aim at the same policy, and how often does it win "
    "against the model that it began as?",
    setting=(
        r"A text has tokens $x_0, x_1, \dots$, and a language model gives $\log p(x) = \sum_t \log p(x_t | x_{<t})$. The first "
        r"$N_0 \ge 1$ tokens are the prompt; the completion ends before token $N > N_0$. The mask is $m_t = 1$ for $N_0 \le t < "
        r"N$ and else 0, and the logits after token $t - 1$ score token $t$.",
        r"For one prompt the completions $i$ are finitely many. The model after supervised fine-tuning is the reference, "
        r"$\pi_0(i) > 0$. Completions have rewards $r_i$; $i$ is preferred to $j$ with probability $\sigma(r_i - r_j)$, "
        r"$\sigma(d) = \frac{1}{1 + e^{-d}}$. A nat of divergence from the reference costs $\beta > 0$.",
        r"The judge of the comparison at the end, a program perhaps, knows the rewards: more reward wins, and of equal rewards "
        r"each wins half.",
    ),
    answer=r"The probability of a completion is the product of its own tokens' probabilities, so that a mask and a shift by one "
    r"are all that the loss needs; its gradient begins at the prompt's last token. A reward model knows the reward up to a "
    r"constant, which the optimum of reward minus divergence does not see; that optimum is also where the loss of direct "
    r"preference optimization is least. Its win rate against the reference is at least one half, and rises as the price falls.",
    limits=(
        "Whether policy gradients or gradient descent reach these optima, and from how many samples.",
        "Fluency, and rewards that are only a stand-in for what is wanted: more of them is better up to a point.",
        "Texts have three tokens of two kinds where they were derived for; the sums hold for any number.",
    ),
)

x_0 = derivation.index("x_0", "the first token: the prompt", states=2)
x_1 = derivation.index("x_1", "the second token, the completion's first", states=2)
x_2 = derivation.index("x_2", "the third token, its second", states=2)
y_1 = derivation.index("y_1", "any second token", states=2)
y_2 = derivation.index("y_2", "any third token", states=2)
first = derivation.law("p({})", x_0, "the model's first token")
second = derivation.law("p({}|{})", (x_1, x_0), "its second")
third = derivation.law("p({}|{},{})", (x_2, x_0, x_1), "its third")
text = derivation.define("p({},{},{})", first * second * third, "the probability of a text", over=(x_0, x_1, x_2))
follows = derivation.chain(
    "Whatever can follow the prompt sums to its own probability",
    Total(y_1, Total(y_2, text.at(x_0, y_1, y_2))),
    equals(first, "every law of a next token sums to one, the last first"),
    role="lemma",
    so=r"So the probability of a completion, given the prompt, is $p(x_0,x_1,x_2) / p(x_0)$.",
)
derivation.chain(
    "The log-probability of a completion is the sum over its own tokens",
    plus(log(text), -log(first)),
    equals(
        plus(log(second), log(third)),
        "the chain rule; the prompt's factors cancel",
        wrong={"the prompt's tokens counted, too": plus(log(first), log(second), log(third))},
    ),
    uses=(follows,),
    role="lemma",
    so=r"For any prompt and length it is $\log p(x_{0..N-1}) - \log p(x_{0..N_0-1}) = \sum_{t=N_0}^{N-1} \log p(x_t|x_{<t})$, "
    r"which is $\sum_{t \ge 1} m_t \log p(x_t|x_{<t})$. Of a text without a prompt the first token is scored by no logits: the "
    r"sum begins at 1, and is given that token.",
)

z = derivation.numbers("z", x_1, "the logits after the token before")
chosen = derivation.index("x", "the token at the position", states=2)
mask = derivation.number("m", "whether it counts: 0 or 1", "completion")
n = derivation.number("n", r"how many scored tokens count, $\sum_{t \ge 1} m_t$", positive=True)
softmax = derivation.define("q", exp(z) / Total(y_1, exp(z.at(y_1))), "the softmax of the logits", over=x_1, law=True)
derivation.chain(
    "The supervised loss pulls logits towards the token that follows",
    Slope(-times(mask / n, log(softmax.at(chosen))), z),
    equals(
        times(mask / n, plus(softmax, -KroneckerDelta(x_1, chosen))),
        "the derivative of a log-sum-exp is the softmax",
        wrong={"label minus probability": times(mask / n, plus(KroneckerDelta(x_1, chosen), -softmax))},
    ),
    role="lemma",
    so=r"These logits stand one place before their token. So the loss has slopes in the logits at $N_0 - 1, \dots, N - 2$: at "
    r"the prompt's last token, which predicts the completion's first, but not at the completion's own last one.",
)


derivation.symbol("N_0", "how many tokens the prompt has", "prompt_lengths")
derivation.symbol("N", "how many tokens prompt and completion have", "lengths")
derivation.symbol("t", "a place in the text")
derivation.symbol(r"\mathcal{L}", "the supervised loss", "supervised_loss")


@derivation.exact(
    r"\frac{\partial \mathcal{L}}{\partial z_t} \ne 0 \quad\text{for}\quad N_0 - 1 \le t \le N - 2 \quad\text{alone}",
    because="every prompt of 0 to 3 tokens in every text of up to 5, of 5 that the model sees; of a text without a prompt the "
    "slopes begin at 0, for there is no earlier one",
    outcomes=13,
    role="remark",
)
def where_the_loss_pulls():
    cases = np.array([(p, end) for p in range(4) for end in range(max(p + 1, 2), 6)])
    prompts, ends = cases.T
    completion = completion_mask(prompts, ends, width=5)
    tokens, logits = np.zeros((len(cases), 5), int), jnp.zeros((len(cases), 5, 2))
    slopes = jax.grad(lambda logits: supervised_loss(tokens, logits, completion).sum())(logits)
    t = np.arange(5)
    begins, stops = np.maximum(prompts - 1, 0)[:, None], (ends - 2)[:, None]
    pulled = (np.abs(slopes).sum(-1) > 0).astype(float)
    return Sides(
        left=pulled,
        right=((begins <= t) & (t <= stops)).astype(float),
        wrong={
            "at the completion's own positions, not one before": ((prompts[:, None] <= t) & (t < ends[:, None])).astype(float)
        },
    )


i = derivation.index("i", "a completion")
j = derivation.index("j", "another completion of the same prompt")
k = derivation.index("k", "a completion of the reference")
reference = derivation.law(r"\pi_0", i, "the reference", "exp(reference_log_probs)")
r = derivation.numbers("r", i, "the rewards")
c = derivation.number("c", "a constant, the same for all completions of the prompt")
beta = derivation.number(r"\beta", "the price of a nat", "kl_coefficient", positive=True)
Z = derivation.define("Z", Total(i, reference * exp(r / beta)), "the partition function", positive=True)
best = derivation.define(r"\pi_*", reference * exp(r / beta) / Z, "the reference, tilted by the rewards", over=i, law=True)
pi = derivation.law(r"\pi", i, "any policy")
derivation.say(
    r"The first road. A reward model is fitted to preferences. They depend on differences of rewards alone, so that at best it "
    r"finds $r_i + c$. Reinforcement then seeks the policy with the most reward, at a price for each nat from the reference."
)
derivation.chain(
    "Reinforcement with the reward model has its optimum at the tilt of the true reward",
    plus(Expectation(pi, r + c), -beta * Divergence(pi, reference)),
    equals(
        plus(c, times(beta, Expectation(pi, log(reference * exp(r / beta) / pi)))),
        r"a constant is its own expectation; $r = \beta \log e^{r/\beta}$, and all in one logarithm",
    ),
    equals(plus(c, times(beta, log(Z)), times(-beta, Divergence(pi, best))), r"$\pi_0 e^{r/\beta} = Z \pi_*$ by definition"),
    at_most(
        plus(c, times(beta, log(Z))),
        r"leave out the divergence (Gibbs); equality if and only if $\pi = \pi_*$, whatever $c$ is",
        adding=beta * gibbs.at(pi, best),
    ),
)
b = derivation.index("b", r"the verdict on $i$ and $j$: 1 if $i$ is preferred, else 0", states=2)
truth = derivation.define(
    "P({}|{},{})", exp(b * (r - r.at(j))) / (1 + exp(r - r.at(j))), "the law of the verdict", over=(b, i, j), law=True
)
u = derivation.numbers("u", (i, j), r"a policy's logit: $\beta (\log \frac{\pi(i)}{\pi_0(i)} - \log \frac{\pi(j)}{\pi_0(j)})$")
model = derivation.define("Q({}|{},{})", exp(b * u) / (1 + exp(u)), "the policy's law of the verdict", over=(b, i, j), law=True)
margin = times(beta, plus(log(best / reference), -log(best.at(j) / reference.at(j))))
best_model = derivation.define(
    "Q_*({}|{},{})", exp(times(b, margin)) / plus(1, exp(margin)), "that of the tilt", over=(b, i, j), law=True
)
derivation.say(
    r"The second road. Direct preference optimization has no reward: it reads the policy's own log-ratios as logits of the "
    r"verdict."
)
derivation.chain(
    "The loss of direct preference optimization is least at the same tilt",
    Expectation(truth, -log(model)),
    equals(
        plus(Entropy(truth), Divergence(truth, model)), "the expected loss of a pair is a cross-entropy: entropy and divergence"
    ),
    at_least(
        Entropy(truth),
        "leave out the divergence (Gibbs); equality if and only if both laws are the same",
        dropping=gibbs.at(truth, model),
    ),
    equals(
        Expectation(truth, -log(best_model)),
        r"the logit of $\pi_*$ is $r_i - r_j$, since $\beta \log \frac{\pi_*}{\pi_0} = r - \beta \log Z$: its law of the verdict "
        r"is the true one",
        wrong={"the model's entropy in place of the truth's": Entropy(model)},
    ),
    states=2,
    uses=(read_back,),
    central=True,
    so=r"No policy has a smaller loss on any pair than $\pi_*$. On a connected graph of pairs no other has the same loss, for "
    r"the margins of a policy determine it. So both roads end at $\pi_*$: the first through a reward model and samples, the "
    r"second through the pairs alone.",
)

derivation.say(
    r"How good is it? Draw a completion from each of two policies, and let the judge say which is better. Let $v_{i,j}$ be 1 if "
    r"$i$ has more reward than $j$, $\frac12$ if it has the same, and 0 if it has less."
)
s = derivation.numbers("s", (i, j), "1 if $i$ has more reward than $j$, else 0")
v = derivation.define("v", times(Rational(1, 2), plus(1, s, -s.at(j, i))), "the verdict, ties half", "win_rate", over=(i, j))
other = derivation.law(r"\pi'", i, "another policy")
derivation.chain(
    "The win rates of both sides sum to one",
    plus(Total(i, Total(j, pi * other.at(j) * v)), Total(i, Total(j, other * pi.at(j) * v))),
    equals(
        Total(i, Total(j, times(pi, other.at(j), plus(v, v.at(j, i))))), "exchange the names of the indices in the second sum"
    ),
    equals(
        1, r"$v_{i,j} + v_{j,i} = 1$; ties are half for either side", wrong={"ties counted as lost": 1 - Total(i, pi * other) / 2}
    ),
    role="lemma",
    so=r"Of a policy against itself it is $\frac12$.",
)
theta = derivation.number(r"\theta", r"the inverse price, $1/\beta$", positive=True)
tilt = derivation.define(
    r"\pi_\theta",
    reference * exp(theta * r) / Total(j, reference.at(j) * exp(theta * r.at(j))),
    r"the tilt at $\theta$",
    over=i,
    law=True,
)
verdicts = derivation.numbers("v'", (i, j), "the verdicts of any judge", "win_rate")
low, high = derivation.number("a", "a reward"), derivation.number("d", "another reward")
mine, yours = derivation.number("f", "the verdict on the one, against a third"), derivation.number("g", "that on the other")
rising = derivation.assume(
    "A judge never punishes reward: of two completions the one with more has the better verdict against any third",
    (high - low) * (yours - mine),
    low,
    high,
    mine,
    yours,
)
derivation.chain(
    "A lower price wins more often",
    Slope(Total(i, Total(k, tilt * reference.at(k) * verdicts.at(i, k))), theta),
    equals(
        Total(i, Total(k, times(tilt, plus(r, -Total(j, tilt.at(j) * r.at(j))), reference.at(k), verdicts.at(i, k)))),
        r"the derivative of a softmax: $\partial \pi_\theta / \partial \theta = \pi_\theta\, (r - \mathbb{E}[r])$",
    ),
    equals(
        Total(
            i,
            Total(
                j,
                Total(
                    k,
                    times(Rational(1, 2), tilt, tilt.at(j), reference.at(k), r - r.at(j), verdicts.at(i, k) - verdicts.at(j, k)),
                ),
            ),
        ),
        "a covariance, written over pairs of independent draws",
    ),
    at_least(
        0,
        "leave out a sum of numbers that are not negative: the rewards and the verdicts of two completions differ in the same "
        "sense",
        dropping=Total(
            i,
            Total(
                j,
                Total(
                    k,
                    times(
                        Rational(1, 2),
                        tilt,
                        tilt.at(j),
                        reference.at(k),
                        rising.at(r.at(j), r, verdicts.at(j, k), verdicts.at(i, k)),
                    ),
                ),
            ),
        ),
    ),
    states=2,
    so=r"At $\theta = 0$ the policy is the reference, and the win rate $\frac12$. From there it never falls; by the verdicts $v$ "
    r"it rises, unless all rewards are equal.",
)
share = derivation.number("p", "the probability of the best completions under the reference", between=(0, 1))
gap = derivation.number(r"\delta", "by how much the others are worse", positive=True)
worse = (1 - share) * exp(-theta * gap)
derivation.chain(
    "... but not to certainty",
    Limit(plus(share * (1 - share / 2), worse * (1 - share) / 2) / plus(share, worse), theta, oo),
    equals(1 - share / 2, r"$e^{-\theta \delta} \to 0$: only the best are left, and against the reference's best they are equal"),
    role="lemma",
)


@derivation.exact(
    r"\sum_{i,j} \pi_i\, \pi'_j\, v_{i,j} = \frac{21}{32}",
    because="the example below: four equally likely draws of the tilt against four of the reference, every pair of them",
    outcomes=16,
    role="remark",
)
def win_rate_of_all_draws():
    tilted, drawn = np.array([0.0, 1.0, 2.0, 2.0]), np.array([0.0, 0.0, 1.0, 2.0])  # rewards in units of log 2
    pairs = np.meshgrid(tilted, drawn)
    got = win_rate(jnp.asarray(pairs[0].ravel()), jnp.asarray(pairs[1].ravel()))
    return Sides(left=got, right=21 / 32, wrong={"ties counted as lost": 16 / 32, "ties counted as won": 26 / 32})


_texts = np.array(list(itertools.product(range(2), repeat=3)))  # all texts of three tokens: a prompt, and a completion of two
_logits = [[log(second.at(x_1, a)), log(third.at(x_2, a, b)), log(third.at(x_2, a, b))] for a, b, _ in _texts.tolist()]
_mask = completion_mask(np.full(8, 1), np.full(8, 3), width=3)
derivation.bridge(
    "The code computes the log-probability of a completion",
    plus(log(second), log(third)),
    completion_log_prob,
    tokens=_texts,
    logits=_logits,
    completion=_mask,
    wrong={"the mean of the tokens in place of the sum": (log(second) + log(third)) / 2},
)
derivation.bridge(
    "... and the supervised loss",
    -plus(log(second), log(third)) / 2,
    supervised_loss,
    tokens=_texts,
    logits=_logits,
    completion=_mask,
    wrong={
        "divided by all tokens of the text": -(log(second) + log(third)) / 3,
        "the sum in place of the mean": -(log(second) + log(third)),
    },
)
derivation.symbol("w", "the value of a token", "token_values")
derivation.symbol("S", "the score of a completion", "token_class_score")


@derivation.exact(
    r"S = \frac{1}{2} (w_{x_2} + w_{x_3}) \quad\text{for}\quad N_0 = 2,\ N = 4",
    because="a program's preference, enumerated over all texts of three kinds of tokens: the prompt has no influence",
    outcomes=81,
    role="remark",
)
def score_of_the_completion():
    texts = np.array(list(itertools.product(range(3), repeat=4)))
    ones, worth = np.ones(len(texts), int), np.array([1.0, 0.0, -0.7])
    got = token_class_score(texts, completion_mask(2 * ones, 4 * ones, width=4), jnp.asarray(worth))
    return Sides(
        left=got,
        right=worth[texts[:, 2:]].mean(1),
        wrong={"the prompt's tokens scored, too": worth[texts].mean(1), "one position early": worth[texts[:, 1:3]].mean(1)},
    )


_REFERENCE = jnp.log(jnp.array([0.5, 0.25, 0.25]))
_REWARDS = jnp.log(jnp.array([1.0, 2.0, 4.0]))
_VERDICTS = 0.5 + 0.5 * np.sign(np.subtract.outer(np.arange(3), np.arange(3)))
_PREFERRED, _OTHER = np.nonzero(~np.eye(3, dtype=bool))


def _wins(log_probs):
    """The win rate of policies [..., 3] against the reference."""
    return jnp.exp(log_probs) @ _VERDICTS @ jnp.exp(_REFERENCE)


def _tilts(prices):
    return jnp.stack([tilted_log_probs(_REWARDS[None], _REFERENCE[None], kl_coefficient=price)[0] for price in prices])


@derivation.example(
    r"Three completions, $\pi_0 = (\frac12, \frac14, \frac14)$, rewards $(0, \log 2, \log 4)$: the chance of each to win against "
    r"a draw of the reference; the win rate of the tilt at $\beta = 1$, where it is $(\frac14, \frac14, \frac12)$, at $\beta = "
    r"\frac12$, and its limit. A reward model that is off by 7. A mask of 5 places, for a prompt of 2 tokens in a text of 4."
)
def three_completions():
    given = {reference: (0.5, 0.25, 0.25), r: (0, log(2), log(4)), beta: 1}
    yield r"\text{chances}", _VERDICTS @ np.exp(_REFERENCE), "(1/4, 5/8, 7/8)"
    yield best, value(best, given), "(0.25, 0.25, 0.5)"
    yield r"\text{win rates}", _wins(_tilts((1.0, 0.5))), "(21/32, 17/22)"
    yield r"\text{limit}", value(1 - share / 2, {share: Rational(1, 4)}), "7/8"
    shifted = tilted_log_probs(_REWARDS[None] + 7.0, _REFERENCE[None], kl_coefficient=1.0)[0]
    yield r"\pi_* \text{ of } r + 7", jnp.exp(shifted), "(0.25, 0.25, 0.5)"
    yield "m", completion_mask(np.array([2]), np.array([4]), width=5)[0].astype(float), "(0, 0, 1, 1, 0)"


@derivation.figure(
    r"The example. Left: policies on three completions. The tilts lead from the reference (cross), at a high price, to the best "
    r"completion. Steps of gradient descent on the loss of direct preference optimization at $\beta = 1$, begun elsewhere "
    r"(dots), end at the tilt of that price (circle). Right: the win rate against the reference, by the divergence from it, "
    r"along the tilts; dotted, its limit $\frac78$.",
    panels=2,
)
def two_roads(left, right):
    def loss(logits):
        policy = jax.nn.log_softmax(logits)
        often = jax.nn.sigmoid(_REWARDS[_PREFERRED] - _REWARDS[_OTHER])
        pairs = (log_probs[index] for log_probs in (policy, _REFERENCE) for index in (_PREFERRED, _OTHER))
        return (often * dpo_loss(*pairs, kl_coefficient=1.0)).sum()

    logits, steps = jnp.log(jnp.array([0.1, 0.7, 0.2])), []
    for _ in range(12):
        steps.append(np.exp(jax.nn.log_softmax(logits)))
        logits = logits - 0.5 * jax.grad(loss)(logits)
    prices = np.geomspace(0.12, 30.0, 25)
    tilts = np.exp(jax.nn.log_softmax(_REFERENCE + _REWARDS / prices[:, None]))
    left.plot(tilts[:, 0], tilts[:, 2])
    left.plot(*np.array(steps)[:, [0, 2]].T, ".")
    left.plot(0.5, 0.25, "x", color="black")
    left.plot(0.25, 0.5, "o", color="black", fillstyle="none")
    left.set(xlabel=r"$\pi(1)$", ylabel=r"$\pi(3)$")
    _, divergence = reward_kl_frontier(_REWARDS, _REFERENCE, jnp.asarray(prices))
    right.plot(divergence, _wins(np.log(tilts)))
    right.axhline(7 / 8, linestyle=":", color="gray")
    right.set(xlabel="divergence from the reference, nats", ylabel="win rate")


@derivation.exercise(
    r"What is the win rate of the tilt in the example, at $\beta = 1$, if ties count as wins?",
    r"$\frac14 \cdot \frac12 + \frac14 \cdot \frac34 + \frac12 \cdot 1 = 13/16$.",
)
def ties_won():
    yield 0.25 * 0.5 + 0.25 * 0.75 + 0.5, "13/16"
    yield jnp.exp(_tilts((1.0,))[0]) @ np.ceil(_VERDICTS) @ np.exp(_REFERENCE), "13/16"


@derivation.exercise(
    r"A text of 3 tokens has a prompt of 1. Which logits have slopes in the supervised loss, and how large is the loss if every "
    r"token is one of two, equally likely?",
    r"Those at 0 and 1, the first of which is at the prompt; the loss is $\log 2 = 0.6931$ nats a token.",
)
def which_logits():
    tokens, mask = np.zeros((1, 3), int), completion_mask(np.array([1]), np.array([3]), width=3)
    slopes = jax.grad(lambda logits: supervised_loss(tokens, logits, mask)[0])(jnp.zeros((1, 3, 2)))
    yield np.flatnonzero(np.abs(slopes).sum((0, 2))), "0 and 1"
    yield supervised_loss(tokens, jnp.zeros((1, 3, 2)), mask)[0], "0.6931"


@derivation.exercise(
    r"How often can a policy at most win against a reference that gives 8 completions of different rewards the same probability?",
    r"It draws the best alone, which the reference also draws in one case of 8: $1 - \frac{1}{16} = 0.9375$.",
)
def the_largest_win_rate():
    yield win_rate(jnp.full(8, 7.0), jnp.arange(8.0)), "0.9375"
