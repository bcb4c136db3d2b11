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
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.preference._two_roads import (
    REFERENCE,
    REWARDS,
    VERDICTS,
    draw_policies,
    draw_win_rates,
    loss_of_logits,
    tilts,
    wins,
)
from theory_jax.lectures.preference.kl_optimum import read_back
from theory_jax.preference.kl_optimum import tilted_log_probs
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
    question="A loss that also counts the tokens of the prompt teaches a model to ask questions, and one that is off by one "
    "position teaches nothing of use. Then come preferences: by a reward model and reinforcement, or by direct preference "
    "optimization. Which tokens count, why do the two roads aim at the same policy, and how often does it win against its "
    "reference?",
    setting=(
        r"A text has tokens $x_0, x_1, \dots$, and a language model gives its log-probability as a sum over the tokens. The "
        r"first $N_0$ tokens, at least one, are the prompt; the completion ends before token $N$. The mask $m_t$ is 1 from $N_0$ "
        r"to $N - 1$ and else 0, and the logits after token $t - 1$ score token $t$.",
        r"For one prompt the completions $i$ are finitely many. The model after supervised fine-tuning is the reference, "
        r"$\pi_0$, with positive probabilities. Completions have rewards $r_i$; the log-odds that $i$ is preferred to $j$ are "
        r"$r_i - r_j$. A nat of divergence from the reference has a positive price, $\beta$.",
        r"The judge of the comparison at the end, a program perhaps, knows the rewards: more reward wins, and of equal rewards "
        r"each wins half.",
    ),
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
    equals(first, "every distribution of a next token sums to one, the last first"),
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
    so=r"For any prompt and length it is the sum of the log-probabilities of the tokens, times $m_t$. Of a text without a "
    r"prompt the first token is scored by no logits: the sum begins at 1, and is given that token.",
)

z = derivation.numbers("z", x_1, "the logits after the token before")
chosen = derivation.index("x", "the token at the position", states=2)
mask = derivation.number("m", "whether it counts: 0 or 1", "completion")
n = derivation.number("n", "how many scored tokens count", positive=True)
softmax = derivation.define("q", exp(z) / Total(y_1, exp(z.at(y_1))), "the softmax of the logits", over=x_1, law=True)
supervised = derivation.chain(
    "The supervised loss pulls logits towards the token that follows",
    Slope(-times(mask / n, log(softmax.at(chosen))), z),
    equals(
        times(mask / n, plus(softmax, -KroneckerDelta(x_1, chosen))),
        "the derivative of a log-sum-exp is the softmax",
        wrong={"label minus probability": times(mask / n, plus(KroneckerDelta(x_1, chosen), -softmax))},
    ),
    role="lemma",
    so=r"These logits are one position before their token. So the loss has slopes in the logits at $N_0 - 1, \dots, N - 2$: at "
    r"the prompt's last token, which predicts the completion's first, but not at the completion's own last one.",
)


derivation.symbol("N_0", "how many tokens the prompt has", "prompt_lengths")
derivation.symbol("N", "how many tokens prompt and completion have", "lengths")
derivation.symbol("t", "a position in the text")
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
derivation.answer = prose(
    "The probability of a completion is the product of its own tokens' probabilities, so that a mask and a shift by one are all "
    "that the loss needs; its gradient begins at the prompt's last token. A reward model knows the reward up to a constant, "
    "which the optimum of reward minus divergence does not see: {tilt}. That optimum is also where the loss of direct preference "
    "optimization is least. Its win rate against the reference is at least one half and, unless all rewards are equal, rises as "
    "the price falls, though not to certainty.",
    tilt=holds(
        best,
        "=",
        reference * exp((r + c) / beta) / Total(j, reference.at(j) * exp((r.at(j) + c) / beta)),
        wrong={"the reward times the price": reference * exp(r * beta) / Total(j, reference.at(j) * exp(r.at(j) * beta))},
    ),
)
first_road = derivation.chain(
    "Reinforcement with the reward model has its optimum at the tilt of the true reward",
    plus(Expectation(pi, r + c), -beta * Divergence(pi, reference)),
    equals(
        plus(c, times(beta, Expectation(pi, log(reference * exp(r / beta) / pi)))),
        r"a constant is its own expectation; the reward is $\beta$ times the logarithm of $e^{r/\beta}$; all in one logarithm",
    ),
    equals(
        plus(c, times(beta, log(Z)), times(-beta, Divergence(pi, best))),
        prose("{tilt} by definition", tilt=holds(times(reference, exp(r / beta)), "=", times(Z, best))),
    ),
    at_most(
        plus(c, times(beta, log(Z))),
        prose("leave out the divergence (Gibbs); equality if and only if {same}, whatever $c$ is", same=where(pi, best)),
        adding=beta * gibbs.at(pi, best),
    ),
)
b = derivation.index("b", r"the verdict on $i$ and $j$: 1 if $i$ is preferred, else 0", states=2)
truth = derivation.define(
    "P({}|{},{})", exp(b * (r - r.at(j))) / (1 + exp(r - r.at(j))), "the distribution of the verdict", over=(b, i, j), law=True
)
u = derivation.numbers("u", (i, j), r"a policy's logit: $\beta (\log \frac{\pi(i)}{\pi_0(i)} - \log \frac{\pi(j)}{\pi_0(j)})$")
model = derivation.define(
    "Q({}|{},{})", exp(b * u) / (1 + exp(u)), "the policy's distribution of the verdict", over=(b, i, j), law=True
)
margin = times(beta, plus(log(best / reference), -log(best.at(j) / reference.at(j))))
best_model = derivation.define(
    "Q_*({}|{},{})", exp(times(b, margin)) / plus(1, exp(margin)), "that of the tilt", over=(b, i, j), law=True
)
derivation.say(
    r"The second road. Direct preference optimization has no reward: it reads the policy's own log-ratios as logits of the "
    r"verdict."
)
second_road = derivation.chain(
    "The loss of direct preference optimization is least at the same tilt",
    Expectation(truth, -log(model)),
    equals(
        plus(Entropy(truth), Divergence(truth, model)), "the expected loss of a pair is a cross-entropy: entropy and divergence"
    ),
    at_least(
        Entropy(truth),
        "leave out the divergence (Gibbs); equality if and only if both distributions are the same",
        dropping=gibbs.at(truth, model),
    ),
    equals(
        Expectation(truth, -log(best_model)),
        prose(
            r"the logit of $\pi_*$ is that of the rewards, {logit}: its distribution of the verdict is the true one",
            logit=holds(margin, "=", plus(r, -r.at(j))),
        ),
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
        1,
        prose("{both}; ties are half for either side", both=holds(plus(v, v.at(j, i)), "=", 1)),
        wrong={"ties counted as lost": 1 - Total(i, pi * other) / 2},
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
    *(low, high, mine, yours),
    example={low: 0, high: 1, mine: 0, yours: 1},
    wrong={"the better one punished": (high - low) * (mine - yours)},
)
derivation.chain(
    "A lower price wins more often",
    Slope(Total(i, Total(k, tilt * reference.at(k) * verdicts.at(i, k))), theta),
    equals(
        Total(i, Total(k, times(tilt, plus(r, -Total(j, tilt.at(j) * r.at(j))), reference.at(k), verdicts.at(i, k)))),
        prose(
            "the derivative of a softmax: {slope}",
            slope=holds(Slope(tilt, theta), "=", times(tilt, plus(r, -Total(j, tilt.at(j) * r.at(j))))),
        ),
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
        "a covariance, written over pairs of independent samples",
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
    so=prose(
        "At the inverse price 0 the policy is the reference, {start}, and the win rate by the verdicts $v$ is {half}. From there "
        "it never falls; by the verdicts $v$ it rises, unless all rewards are equal.",
        start=holds(tilt, "=", reference, when={theta: 0}),
        half=holds(Total(i, Total(j, reference * reference.at(j) * v)), "=", Rational(1, 2), named=True),
    ),
)
share = derivation.number("p", "the probability of the best completions under the reference", between=(0, 1))
gap = derivation.number(r"\delta", "by how much the others are worse", positive=True)
worse = (1 - share) * exp(-theta * gap)
derivation.chain(
    "However low the price, the win rate stops short of certainty",
    Limit(plus(share * (1 - share / 2), worse * (1 - share) / 2) / plus(share, worse), theta, oo),
    equals(
        1 - share / 2,
        prose(
            "{none}: only the best are left, and against the reference's best they are equal",
            none=holds(Limit(exp(-theta * gap), theta, oo), "=", 0),
        ),
    ),
    role="lemma",
)


@derivation.exact(
    r"\sum_{i,j} \pi_i\, \pi'_j\, v_{i,j} = \frac{21}{32}",
    because="the example below: four equally likely samples of the tilt against four of the reference, every pair of them",
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


@derivation.algorithm(
    "From a language model to preferences",
    do("supervised: a step down the mean of $-\\log p$ over the completion's tokens", supervised_loss, by=supervised),
    do("the reference $\\pi_0$ is what comes out; collect pairs of its completions with verdicts"),
    do(r"first road: fit rewards; maximize their mean less $\beta\, \mathrm{KL}(\pi \,\|\, \pi_0)$", by=first_road),
    do(r"second road: steps down $-\log \sigma$ of the policy's own log-ratios", loss_of_logits, by=second_road),
    do("let a judge compare completions of the policy and of the reference", win_rate),
)
def both_roads():
    tokens, mask = np.zeros((1, 3), int), completion_mask(np.array([1]), np.array([3]), width=3)
    yield r"\text{the loss of two tokens, each one of two}", supervised_loss(tokens, jnp.zeros((1, 3, 2)), mask), "0.6931"
    four = jnp.array([0.0, 0.0, 1.0, 2.0])  # what the reference draws, in units of log 2
    logits, text = REFERENCE, r"\text{second road, from the reference; steps of } \tfrac12: \quad "
    for policy, rate in (("(0.4117, 0.2600, 0.3283)", "0.5527"), ("(0.3570, 0.2611, 0.3819)", "0.5866")):
        logits, before = logits - 0.5 * jax.grad(loss_of_logits)(logits), text
        yield rf"{before}\pi", jax.nn.softmax(logits), policy
        yield (
            r"\text{its win rate}",
            jax.nn.softmax(logits) @ jnp.array([win_rate(jnp.full(4, k), four) for k in (0.0, 1.0, 2.0)]),
            rate,
        )
        text = ""
    yield r"\text{the end of both roads}", jnp.exp(tilts((1.0,))[0]), "(0.25, 0.25, 0.5)"


@derivation.example(
    r"Three completions, with the probabilities $\frac12, \frac14, \frac14$ under the reference and the rewards $0, \log 2, \log "
    r"4$: the chance of each to win against a sample of the reference; the win rate of the tilt at the price 1, at one half, and "
    "its limit. A reward model that is off by 7. A mask of 5 positions, for a prompt of 2 tokens in a text of 4."
)
def three_completions():
    given = {reference: (0.5, 0.25, 0.25), r: (0, log(2), log(4)), beta: 1}
    yield r"\text{chances}", VERDICTS @ np.exp(REFERENCE), "(1/4, 5/8, 7/8)"
    yield best, value(best, given), "(0.25, 0.25, 0.5)"
    yield r"\text{win rates}", wins(tilts((1.0, 0.5))), "(21/32, 17/22)"
    yield r"\text{limit}", value(1 - share / 2, {share: Rational(1, 4)}), "7/8"
    shifted = tilted_log_probs(REWARDS[None] + 7.0, REFERENCE[None], kl_coefficient=1.0)[0]
    yield r"\pi_* \text{ of } r + 7", jnp.exp(shifted), "(0.25, 0.25, 0.5)"
    yield "m", completion_mask(np.array([2]), np.array([4]), width=5)[0].astype(float), "(0, 0, 1, 1, 0)"


@derivation.figure(
    r"The example. Left: policies on three completions. The tilts lead from the reference (cross), at a high price, to the best "
    r"completion. Steps of gradient descent on the loss of direct preference optimization at the price 1, begun elsewhere "
    r"(dots), end at the tilt of that price (circle). Right: the win rate against the reference, by the divergence from it, "
    r"along the tilts; dotted, its limit $\frac78$.",
    panels=2,
)
def two_roads(left, right):
    draw_policies(left)
    draw_win_rates(right)
