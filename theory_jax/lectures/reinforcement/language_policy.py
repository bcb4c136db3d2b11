"""A language model is a policy, and its best version is the reference, tilted token by token.

The lecture on the functions of theory_jax/reinforcement/language_policy.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.score import score
from theory_jax.lectures.lemmas.tilting import tilting
from theory_jax.lectures.reinforcement._two_tokens import EVEN, REWARDS, draw_frontier, draw_tree, policy_of
from theory_jax.reinforcement.language_policy import (
    backward_soft_values,
    kl_regularized_objective,
    masked_token_log_probs,
    optimal_token_log_probs,
    shaped_rewards,
)

derivation = Derivation(
    module=__name__,
    title="A language model is a policy, and its best version is the reference, tilted token by token",
    lectures=(51,),
    sources=(
        "Ziegler et al. 2019, Fine-tuning language models from human preferences",
        "Stiennon et al. 2020, Learning to summarize from human feedback",
        "Ouyang et al. 2022, Training language models to follow instructions with human feedback",
        "Rafailov et al. 2024, From r to Q*: your language model is secretly a Q-function",
    ),
    question="A reward model scores a whole text, so nothing says which of its tokens was good. And a language model that is "
    "trained on the reward alone soon writes what no one would call language. In what sense is it a policy, which one is best if "
    "leaving a reference has a price, and how does a token know what the text will be worth?",
    setting=(
        r"A text has a fixed number of tokens from a finite vocabulary. Its state is the prefix written so far, an action is the "
        r"next token, and the next state is the prefix with this token: certain. Nothing is discounted, and the reward $r$ "
        r"is paid after the last token. So the probability of a text is the product of those of its tokens, as in any language "
        r"model.",
        r"The reference gives every token a positive probability; the reward is finite. A nat of divergence from the reference "
        r"has a positive price, $\beta$.",
        r"Chains over tokens have two of them, $a$ and then $b$: what is new with a second token is all that is new with a "
        r"third.",
    ),
    limits=(
        "Texts of free length: after an end token every state is absorbing, and the mask leaves its tokens out.",
        "Sampling at another temperature, which is another policy.",
        "How the best policy is found where the tree cannot be enumerated: by policy gradients.",
    ),
)

a = derivation.index("a", "the first token")
b = derivation.index("b", "the second token")
first = derivation.law(r"\pi({})", a, "the policy at the empty prefix", "exp(log_probs[:, 0])")
second = derivation.law(r"\pi({}|{})", (b, a), "the policy after the first token", "exp(log_probs[:, 1])")
first_0 = derivation.law(r"\pi_0({})", a, "the reference", "exp(reference_log_probs[0])")
second_0 = derivation.law(r"\pi_0({}|{})", (b, a), "the reference after the first token", "exp(reference_log_probs[1])")
r = derivation.numbers("r({},{})", (a, b), "the reward of the text", "rewards")
beta = derivation.number(r"\beta", "the price of a nat", "kl_coefficient", positive=True)
ratio = derivation.define(
    r"\ell({},{})", log(first * second / (first_0 * second_0)), "the log-ratio of a text, policy to reference", over=(a, b)
)


def _over_texts(body):
    """The expectation over texts, token by token."""
    return Expectation(first, Expectation(second, body))


K = derivation.define("K", _over_texts(ratio), "the divergence of the policy over texts from that of the reference")
derivation.chain(
    "The divergence of texts is a sum over tokens",
    K,
    equals(
        _over_texts(plus(log(first / first_0), log(second / second_0))),
        "the logarithm of a product, by definition of a text's probability",
        wrong={"averaged over the tokens": _over_texts(plus(log(first / first_0), log(second / second_0)) / 2)},
    ),
    equals(
        plus(Divergence(first, first_0), Expectation(first, Divergence(second, second_0))),
        "what is known of the prefix does not depend on what follows, and the probabilities of that sum to one",
        wrong={"prefixes of the reference": plus(Divergence(first, first_0), Expectation(first_0, Divergence(second, second_0)))},
    ),
    so="The prefixes are the policy's own. So a token's price can be paid when it is written.",
)
paid_1 = derivation.define(
    r"\tilde r_1({})", -beta * log(first / first_0), "what the first token is paid", "shaped_rewards[:, 0]", over=a
)
paid_2 = derivation.define(
    r"\tilde r_2({},{})", plus(r, -beta * log(second / second_0)), "what the second is paid", "shaped_rewards[:, 1]", over=(a, b)
)
J = derivation.define("J", plus(_over_texts(r), -beta * K), "the regularized objective", "kl_regularized_objective")
paid = derivation.chain(
    "Paid token by token, the sum is the objective",
    _over_texts(plus(paid_1, paid_2)),
    equals(J, "the logarithms add up to that of the product"),
    so="So any method for sums of rewards applies: the undiscounted return from a prefix is what is still paid from there on.",
    role="lemma",
)

derivation.say("Which policy is best? First over whole texts, forgetting the tokens: a single choice among finitely many.")
x = derivation.index("x", "a whole text")
pi = derivation.law(r"\pi({})", x, "any policy over texts", "exp(log_probs)")
pi_0 = derivation.law(r"\pi_0({})", x, "the reference", "exp(reference_log_probs)")
reward = derivation.numbers("r({})", x, "the reward", "rewards")
Z = derivation.define("Z", Total(x, pi_0 * exp(reward / beta)), "the normalizer of the tilted reference", positive=True)
best = derivation.define(r"\pi_*({})", pi_0 * exp(reward / beta) / Z, "the tilted reference", over=x, law=True)
objective = plus(Expectation(pi, reward), -beta * Divergence(pi, pi_0))
derivation.answer = prose(
    "The divergence of texts is a sum over tokens, so it can be paid token by token. The best policy over texts is the reference "
    "tilted by the reward, {tilt}, and worth {worth}. Soft values, computed from the last token to the first, turn it into a "
    "policy over tokens. The reward is read back from it: {reward}, in which the last term is the same for all texts.",
    tilt=holds(best, "=", pi_0 * exp(reward / beta) / Z, wrong={"the price multiplied": pi_0 * exp(reward * beta) / Z}),
    worth=holds(objective, "=", times(beta, log(Z)), when={pi: best}, named=True),
    reward=holds(reward, "=", plus(times(beta, log(best / pi_0)), times(beta, log(Z)))),
)
derivation.chain(
    "Every policy falls short of the tilted reference by the price of its divergence from it",
    objective,
    equals(
        plus(times(beta, log(Z)), times(-beta, Divergence(pi, best))),
        prose(
            r"the reward is $\beta$ times the logarithm of $e^{r/\beta}$, and {tilt}",
            tilt=holds(times(pi_0, exp(reward / beta)), "=", times(Z, best)),
        ),
        wrong={"the divergence turned over": plus(times(beta, log(Z)), times(-beta, Divergence(best, pi)))},
    ),
    at_most(
        times(beta, log(Z)),
        prose("leave out the divergence; equality if and only if {same}", same=where(pi, best)),
        adding=tilting.at(pi, pi_0, reward, beta),
    ),
    central=True,
    so=r"The best policy is unique, and what it is worth is $\beta \log Z$: between the mean of the reward under the reference "
    r"and its maximum.",
)

derivation.say(
    "But no one can sum over all texts, and a language model writes tokens. So go backwards through the tree of prefixes: a "
    "prefix is worth the soft maximum of what its continuations are worth. This is the soft Bellman operator without discount; "
    "on a tree it need not be iterated to a fixed point, one sweep from the leaves to the root is the solution."
)
v_1 = derivation.define(
    "v_1({})",
    beta * log(Total(b, second_0 * exp(r / beta))),
    "the soft value of a prefix of one token",
    "backward_soft_values[1]",
    over=a,
)
v_0 = derivation.define(
    "v_0", beta * log(Total(a, first_0 * exp(v_1 / beta))), "the soft value of the empty prefix", "backward_soft_values[0]"
)
best_1 = derivation.define(
    r"\pi_*({})",
    first_0 * exp(v_1 / beta) * exp(-v_0 / beta),
    "the tilted first token",
    "exp(optimal_token_log_probs[0])",
    over=a,
    positive=True,
)
best_2 = derivation.define(
    r"\pi_*({}|{})",
    second_0 * exp(r / beta) * exp(-v_1 / beta),
    "the tilted second token",
    "exp(optimal_token_log_probs[1])",
    over=(b, a),
    positive=True,
)
W = derivation.define(
    "W", Total(a, Total(b, first_0 * second_0 * exp(r / beta))), "the normalizer again, summed over two tokens", positive=True
)
derivation.chain(
    "The value of the empty prefix is the value of the best policy",
    v_0,
    equals(
        times(beta, log(Total(a, first_0 * Total(b, second_0 * exp(r / beta))))),
        r"$e^{v_1/\beta}$ is the inner sum, by definition",
    ),
    equals(
        times(beta, log(W)),
        "one sum over all texts",
        wrong={"the reference forgotten": times(beta, log(Total(a, Total(b, exp(r / beta)))))},
    ),
    states=2,
    role="lemma",
)
derivation.chain(
    "What the soft value does: the tilted tokens are probabilities",
    Total(b, best_2),
    equals(
        times(exp(-v_1 / beta), Total(b, second_0 * exp(r / beta))), "the value of the prefix does not depend on its continuation"
    ),
    equals(1, r"$e^{v_1/\beta}$ is that sum, by definition; so too for the first token"),
    states=2,
    role="lemma",
)
derivation.chain(
    "Written token by token, it is the same policy",
    times(best_1, best_2),
    equals(
        times(first_0, second_0, exp(r / beta), exp(-v_0 / beta)),
        "the value of the prefix is added by one token and subtracted by the next: the sum telescopes",
    ),
    equals(times(first_0, second_0, exp(r / beta), 1 / W), prose("{value}", value=holds(v_0, "=", times(beta, log(W))))),
    states=2,
    so=r"So it is $\pi_*$ of the text. Each factor sums to one over its token, by definition of the soft value: it is the "
    r"conditional probability, and a language model with a softmax over its vocabulary can hold it exactly. The advantage of a "
    r"token is $v_t - v_{t-1}$, in units of $\beta$ a logit on top of the reference's.",
)
derivation.symbol("v_t", "the soft value of a prefix of $t$ tokens", "backward_soft_values[t]")
derivation.chain(
    "Read backwards: the log-ratios of the best policy are the reward, up to a constant",
    times(beta, plus(log(best_1 / first_0), log(best_2 / second_0))),
    equals(plus(r, -v_0), "the logarithm of the line above", wrong={"the last token alone": plus(r, -v_1)}),
    so="The sum of its log-ratios is the reward, up to a constant that all texts share and every comparison of two texts loses. "
    "Direct preference optimization begins here.",
    states=2,
    role="remark",
)

derivation.say(
    r"Without the tree one climbs. Let the policy move along a parameter $\theta$ in any direction: what is the slope of the "
    r"objective, in terms of what each token is paid?"
)
theta = derivation.number(r"\theta", "a parameter of the policy")
x_1 = derivation.numbers("x({})", a, "the logits of the first token")
h = derivation.numbers("h({})", a, "how the parameter acts on them")
x_2 = derivation.numbers("z({},{})", (a, b), "the logits of the second token")
k = derivation.numbers("k({},{})", (a, b), "how it acts on these")
soft_1 = derivation.define(
    r"\pi_\theta({})", exp(x_1 + theta * h) / Total(a, exp(x_1 + theta * h)), "the moved policy", over=a, law=True
)
soft_2 = derivation.define(
    r"\pi_\theta({}|{})", exp(x_2 + theta * k) / Total(b, exp(x_2 + theta * k)), "after the first token", over=(b, a), law=True
)
earned_1 = derivation.define(r"\rho_1({})", -beta * log(soft_1 / first_0), "what it is paid for the first token", over=a)
earned_2 = derivation.define(r"\rho_2({},{})", plus(r, -beta * log(soft_2 / second_0)), "... and for the second", over=(a, b))


def _moved(body):
    """The expectation over texts of the moved policy."""
    return Expectation(soft_1, Expectation(soft_2, body))


score_1, score_2 = Slope(log(soft_1), theta), Slope(log(soft_2), theta)
to_go = derivation.chain(
    "A token answers for what is paid from there on",
    Slope(_moved(plus(earned_1, earned_2)), theta),
    equals(
        _moved(times(plus(score_1, score_2), plus(earned_1, earned_2))),
        prose(
            r"the product rule, with {slope}; the price itself changes by $-\beta$ times the score, and the score has mean zero",
            slope=holds(Slope(soft_1, theta), "=", times(soft_1, score_1)),
        ),
    ),
    equals(
        _moved(plus(times(score_1, plus(earned_1, earned_2)), times(score_2, earned_2))),
        "what the first token was paid is known before the second is drawn: times a mean score it is zero",
        wrong={"each token answers for its own pay alone": _moved(plus(times(score_1, earned_1), times(score_2, earned_2)))},
    ),
    states=2,
    uses=(score,),
    so="The log-ratio in the reward is held fixed, a number like the reward itself: its own slope has mean zero. This is the "
    "policy gradient on the tree of prefixes, with the reward to go.",
)


@derivation.exact(
    r"\prod_t \pi_*(x_t | x_{<t}) = \pi_0(x)\, e^{r(x)/\beta} / Z",
    because="All texts of three tokens from a vocabulary of three: the product of the tokens' probabilities, against the tilted "
    "and normalized reference.",
    outcomes=27,
    role="remark",
)
def three_tokens():
    rng = np.random.default_rng(0)
    tables = tuple(jax.nn.log_softmax(jnp.asarray(rng.normal(size=(3,) * t))) for t in (1, 2, 3))
    rewards = jnp.asarray(rng.normal(size=(3, 3, 3)))
    reference = tables[0][:, None, None] + tables[1][:, :, None] + tables[2]
    tilted = jax.nn.softmax((reference + rewards / 0.5).ravel())
    wrong = {"the price multiplied": jax.nn.softmax((reference + rewards * 0.5).ravel())}
    return Sides(left=jnp.exp(policy_of(rewards, tables, 0.5)).ravel(), right=tilted, wrong=wrong)


derivation.symbol(r"\prod_t \pi_*(x_t | x_{<t})", "the product over the tokens of a text")
logit = derivation.numbers("z({})", x, "logits of one step", "logits")
derivation.bridge(
    "The code computes the probability of a token",
    log(exp(logit) / Total(x, exp(logit))),
    masked_token_log_probs,
    tokens=jnp.arange(4)[None],
    logits=[[logit] * 4],
    mask=jnp.ones((1, 4), bool),
)
TEXTS = tuple(itertools.product(range(2), repeat=2))
derivation.bridge(
    "... what the tokens are paid",
    [[paid_1.at(one), paid_2.at(one, two)] for one, two in TEXTS],
    shaped_rewards,
    score=[r.at(one, two) for one, two in TEXTS],
    log_probs=[[log(first.at(one)), log(second.at(two, one))] for one, two in TEXTS],
    reference_log_probs=[[log(first_0.at(one)), log(second_0.at(two, one))] for one, two in TEXTS],
    mask=jnp.ones((4, 2), bool),
    kl_coefficient=beta,
    wrong={"the score at both tokens": [[paid_1.at(one) + r.at(one, two), paid_2.at(one, two)] for one, two in TEXTS]},
    states=2,
)
derivation.bridge(
    "... the objective",
    objective,
    kl_regularized_objective,
    log_probs=[log(pi)],
    reference_log_probs=[log(pi_0)],
    rewards=[reward],
    kl_coefficient=beta,
)
derivation.bridge(
    "... the soft values",
    (v_0, v_1),
    backward_soft_values,
    rewards=r,
    reference_log_probs=(log(first_0), log(second_0)),
    kl_coefficient=beta,
    wrong={"plain means": (v_0, Expectation(second_0, r))},
)
derivation.bridge(
    "... and the best policy by tokens",
    (log(best_1), log(best_2)),
    optimal_token_log_probs,
    rewards=r,
    reference_log_probs=(log(first_0), log(second_0)),
    kl_coefficient=beta,
)

_even = {pi_0: (Rational(1, 4),) * 4, reward: (0, 0, 0, log(4)), beta: 1}


@derivation.algorithm(
    "A policy gradient with a price for every token",
    do(r"let the policy write texts, and note $\log \pi$ of each token", masked_token_log_probs),
    do(r"$\tilde r_t \leftarrow -\beta \log (\pi / \pi_0)$ for each token; add $r$ at the last one", shaped_rewards, by=paid),
    do(r"$R_t \leftarrow \tilde r_t + R_{t+1}$, from the last token back: the reward to go", by=to_go),
    do(r"a step along $\sum_t R_t\, \nabla \log \pi(x_t|x_{<t})$, with the $R_t$ held fixed", by=to_go),
    do("again, with texts of the new policy"),
)
def rewards_to_go():
    even, mask = jnp.log(jnp.full((1, 2), 0.5)), jnp.ones((1, 2), bool)
    for name, chances, worth, said in (
        (r"\text{the example, text 11 at the reference}", (1 / 2, 1 / 2), np.log(4.0), ("(0, 1.3863)", "(1.3863, 1.3863)")),
        (r"\text{at the best policy}", (5 / 7, 4 / 5), np.log(4.0), ("(-0.3567, 0.9163)", "(0.5596, 0.9163)")),
        (r"\text{text 00 there}", (2 / 7, 1 / 2), 0.0, ("(0.5596, 0)", "(0.5596, 0)")),
    ):
        logits = jnp.log(jnp.array([[[1 - chance, chance] for chance in chances]]))
        written = masked_token_log_probs(jnp.ones((1, 2), int), logits, mask)
        paid_out = shaped_rewards(jnp.array([worth]), written, even, mask, kl_coefficient=1.0)[0]
        yield rf"{name}\text{{: }} \tilde r", paid_out, said[0]
        yield "R", jnp.cumsum(paid_out[::-1])[::-1], said[1]


@derivation.example(
    r"Two tokens from a vocabulary of two, an even reference, a nat at the price 1, and a reward of $\log 4$ for the text 11, 0 "
    r"for the others. The weights of the texts 00, 01, 10, 11 are $\frac14, \frac14, \frac14, 1$."
)
def one_text_is_rewarded():
    tables = optimal_token_log_probs(REWARDS, EVEN, kl_coefficient=1.0)
    values = backward_soft_values(REWARDS, EVEN, kl_coefficient=1.0)
    yield Z, value(Z, _even), "7/4"
    yield best, value(best, _even), "(1/7, 1/7, 1/7, 4/7)"
    yield r"e^{v_1}", jnp.exp(values[1]), "(1, 5/2)"
    yield r"\text{the best policy's first token}", jnp.exp(tables[0]), "(2/7, 5/7)"
    yield r"\text{its second, after } 1", jnp.exp(tables[1][1]), "(1/5, 4/5)"
    yield r"J \text{ of the reference}", value(Expectation(pi_0, reward), _even), "0.3466"
    yield Divergence(pi_0, best), value(Divergence(pi_0, best), _even), "0.2130"


@derivation.figure(
    r"Left: the example's tree of prefixes with their soft values; the width of an edge is the best policy's probability, and "
    r"the numbers next to it are the reference's and the best policy's. Right: reward and divergence of the best policy as the "
    r"price falls from 10 to 0.1; the dot is at the price 1.",
    panels=2,
)
def a_tree_and_a_frontier(left, right):
    draw_tree(left)
    draw_frontier(right)


derivation.symbol("m_t", "1 where a token counts, 0 in the prompt and the padding", "mask")
derivation.symbol(r"\tilde r_t", "what the token $t$ is paid", "shaped_rewards")


@derivation.numeric(
    r"\sum_t m_t\, \tilde r_t \ \text{is the same with and without padding}",
    because="The last token that counts is found from the mask, whichever side the padding is on; what is outside the mask, "
    "even a NaN, has no influence. The text 11 of the example, written by the best policy.",
    role="appendix",
)
def padding_changes_nothing():
    log_probs, padding = jnp.log(jnp.array([5 / 7, 4 / 5])), jnp.array([jnp.nan, -jnp.inf])

    def rewards_of(*parts):
        row, mask = jnp.concatenate(parts)[None], jnp.repeat(jnp.array([part is log_probs for part in parts]), 2)[None]
        return shaped_rewards(jnp.log(jnp.array([4.0])), row, jnp.log(jnp.full(row.shape, 0.5)), mask, kl_coefficient=1.0)[mask]

    plain = rewards_of(log_probs)
    padded = [rewards_of(padding, log_probs), rewards_of(log_probs, padding), rewards_of(padding, log_probs, padding)]
    wrong = {"score at the first token": jnp.tile(plain[::-1], (3, 1))}
    return Sides(left=jnp.stack(padded), right=jnp.tile(plain, (3, 1)), wrong=wrong)
