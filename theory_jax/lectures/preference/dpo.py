"""A policy fitted to preferences is the best policy of the reward behind them.

The lecture on the functions of theory_jax/preference/dpo.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, exp, log, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import value
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.preference.kl_optimum import read_back
from theory_jax.preference.dpo import dpo_loss, gradient_weight, implicit_reward_margin, preference_logits, robust_dpo_loss

derivation = Derivation(
    module=__name__,
    title="A policy fitted to preferences is the best policy of the reward behind them",
    lectures=(55,),
    sources=(
        "Rafailov et al. 2023, Direct preference optimization",
        "Mitchell 2023, A note on DPO with noisy preferences",
        "Chowdhury, Kini & Natarajan 2024, Provably robust DPO",
    ),
    question="Reinforcement learning fits a reward to preferences and then a policy to the reward. How can the same policy be "
    "fitted to the preferences directly, without a reward network, a partition function or sampling, and what does the loss not "
    "control?",
    setting=(
        r"One prompt has finitely many completions. The reference gives each a probability $\pi_0(i) > 0$, the reward of $i$ is "
        r"$r_i$, and a nat of divergence costs $\beta > 0$. Policies are positive where the reference is.",
        r"Verdicts follow Bradley and Terry: $i$ is preferred to $j$ with probability $\sigma(r_i - r_j)$, $\sigma(d) = "
        r"\frac{1}{1 + e^{-d}}$.",
        r"Every completion occurs in the pairs that are compared, and the graph of pairs is connected.",
    ),
    answer=r"In a comparison the partition function cancels: $i$ is preferred to $j$ with probability $\sigma(\beta h)$, where "
    r"$h$ is how much farther the optimum has moved towards $i$ than towards $j$. So the likelihood of the verdicts is a loss of "
    r"the policy itself, and its minimum over all policies is the optimum. The loss contains $h$ alone: it does not hold the "
    r"probability of what is preferred, and on labels that never disagree it has no minimum, whatever $\beta$ is.",
    limits=(
        "Finite samples, and preferences that follow no Bradley-Terry model.",
        "Completions that no pair compares: their probability is undetermined, and can grow.",
        "Unless stated otherwise, all policies, references and rewards on three completions were derived for; the sums hold "
        "for any number.",
    ),
)

i = derivation.index("i", "a completion")
j = derivation.index("j", "another completion of the same prompt")
k = derivation.index("k", "any completion")
reference = derivation.law(r"\pi_0", i, "the reference", "exp(reference_log_probs)")
r = derivation.numbers("r", i, "the rewards")
beta = derivation.number(r"\beta", "the price of a nat", "kl_coefficient", positive=True)
Z = derivation.define("Z", Total(i, reference * exp(r / beta)), "the partition function", positive=True)
best = derivation.define(r"\pi_*", reference * exp(r / beta) / Z, "the optimum of reward minus divergence", over=i, law=True)


def _sigma(at):
    return 1 / plus(1, exp(-at))


moved = plus(log(best / reference), -log(best.at(j) / reference.at(j)))
sigma = derivation.function(r"\sigma", "the logistic function, of which the first argument uses nothing")
derivation.chain(
    "In a comparison the partition function cancels",
    sigma(plus(r, -r.at(j))),
    equals(
        sigma(
            plus(
                times(beta, log(best / reference)),
                times(beta, log(Z)),
                times(-1, beta, log(best.at(j) / reference.at(j))),
                times(-1, beta, log(Z)),
            )
        ),
        r"the reward, read back from the optimum: $r_i = \beta \log \frac{\pi_*(i)}{\pi_0(i)} + \beta \log Z$",
        wrong={"the price forgotten": sigma(moved)},
    ),
    equals(
        sigma(times(beta, moved)),
        r"one prompt, one $Z$",
        wrong={
            "the reference forgotten": sigma(times(beta, plus(log(best), -log(best.at(j))))),
            "the references of the two completions swapped": sigma(
                times(beta, plus(log(best / reference.at(j)), -log(best.at(j) / reference)))
            ),
        },
    ),
    uses=(read_back,),
    so=r"So verdicts of the reward are verdicts of its optimum, and any policy can be held against them: no reward is needed.",
)

b = derivation.index("b", r"the verdict on $i$ and $j$: 1 if $i$ is preferred, else 0", states=2)
pi = derivation.law(r"\pi", i, "any policy", "exp(policy_log_probs)")
h = derivation.define(
    "h",
    plus(log(pi / reference), -log(pi.at(j) / reference.at(j))),
    r"how much farther $\pi$ has moved to $i$ than to $j$",
    "preference_logits / kl_coefficient",
    over=(i, j),
)
truth = derivation.define(
    "P({}|{},{})", exp(b * (r - r.at(j))) / (1 + exp(r - r.at(j))), "the law of the verdict", over=(b, i, j), law=True
)
u = derivation.numbers("u", (i, j), r"a policy's logit for the pair: $\beta h_{i,j}$", "preference_logits")
model = derivation.define("Q({}|{},{})", exp(b * u) / (1 + exp(u)), r"the policy's law of the verdict", over=(b, i, j), law=True)
derivation.chain(
    "No policy has a smaller loss than the optimum",
    Expectation(truth, -log(model)),
    equals(
        plus(Entropy(truth), Divergence(truth, model)), r"the expected loss of a pair is a cross-entropy: entropy and divergence"
    ),
    at_least(
        Entropy(truth),
        r"leave out the divergence (Gibbs); equality if and only if $\sigma(u_{i,j}) = \sigma(r_i - r_j)$",
        dropping=gibbs.at(truth, model),
    ),
    states=2,
    central=True,
    so=r"It holds for each pair, so for every mean over pairs. The optimum $\pi_*$ reaches the bound on all pairs at once, since "
    r"its $\beta h$ is $r_i - r_j$; and a policy that reaches it on all pairs has the $h$ of the optimum on all of them.",
)
derivation.chain(
    "Margins add up along a path of pairs",
    plus(h, h.at(j, k)),
    equals(h.at(i, k), r"$\log \frac{\pi(j)}{\pi_0(j)}$ cancels"),
    role="lemma",
)
derivation.chain(
    "... and they determine the policy",
    times(reference, exp(h.at(i, k))) / Total(j, reference.at(j) * exp(h.at(j, k))),
    equals(pi, r"$\pi_0(i)\, e^{h_{i,k}} = \pi(i)\, \frac{\pi_0(k)}{\pi(k)}$, and a policy sums to one"),
    so=r"On a connected graph of pairs the margins of the compared pairs give those of all. Two policies with the same margins "
    r"are the same, so the minimum is $\pi_*$ alone. Every positive policy is the optimum of some reward: nothing is lost by "
    r"fitting policies in place of rewards.",
)

theta = derivation.number(r"\theta", "a parameter of the policy")
f = derivation.function("f", r"the log-probability of the chosen completion, as a function of $\theta$", "policy_chosen")
g = derivation.function("g", "that of the rejected one", "policy_rejected")
f_0 = derivation.number("f_0", "the reference's log-probability of the chosen completion", "reference_chosen")
g_0 = derivation.number("g_0", "the reference's of the rejected one", "reference_rejected")
logit = beta * ((f(theta) - f_0) - (g(theta) - g_0))
derivation.chain(
    "What one pair does to a parameter",
    Slope(-log(_sigma(logit)), theta),
    equals(
        -times(beta, _sigma(-logit), plus(f(theta).diff(theta), -g(theta).diff(theta))),
        r"$(-\log \sigma)'(u) = -\sigma(-u)$; the reference is a constant",
        wrong={
            "the probability of the verdict as the weight": -times(
                beta, _sigma(logit), plus(f(theta).diff(theta), -g(theta).diff(theta))
            )
        },
    ),
    so=r"A pair counts as much as the policy's implicit reward is wrong about it. Where the policy is the reference, $u = 0$, "
    r"every pair has the loss $\log 2$ and the weight $\frac{\beta}{2}$.",
)

derivation.say(
    r"The loss sees the difference of two log-probabilities. Both may fall together. Say that a policy has one shared parameter: "
    r"$\pi_\omega(i) \propto e^{z_i + \omega \phi_i}$."
)
z = derivation.numbers("z", i, "logits of the completions")
phi = derivation.numbers(r"\phi", i, "a feature of the completions")
omega = derivation.number(r"\omega", "its weight, shared by all completions")
soft = derivation.define(
    r"\pi_\omega", exp(z + omega * phi) / Total(j, exp(z.at(j) + omega * phi.at(j))), "the policy", over=i, law=True
)
derivation.chain(
    "A shared parameter moves a log-probability by a centered feature",
    Slope(log(soft), omega),
    equals(
        plus(phi, -Total(j, soft.at(j) * phi.at(j))),
        "the derivative of a log-sum-exp is a mean under its softmax",
        wrong={"centered by the plain mean, not by the policy's": plus(phi, -Total(j, phi.at(j)) / 3)},
    ),
    role="lemma",
)
derivation.chain(
    "A small step along the difference of features lowers the loss",
    times(plus(phi, -phi.at(k)), plus(Slope(log(soft), omega), -Slope(log(soft.at(k)), omega))),
    equals((phi - phi.at(k)) ** 2, "the mean under the softmax cancels"),
    at_least(0, "leave out a square", dropping=(phi - phi.at(k)) ** 2),
    role="lemma",
    so=r"So $h$ rises. But the log-probability of the chosen completion $i$ itself changes by $(\phi_i - \phi_k)(\phi_i - "
    r"\mathbb{E}[\phi])$, which is negative where the mean feature is beyond $\phi_i$: a third completion gains from both.",
)
free = derivation.define("p", exp(z) / Total(j, exp(z.at(j))), "a policy with a logit for each completion", over=i, law=True)
derivation.chain(
    "With a free logit for each completion the chosen one rises",
    plus(Slope(log(free.at(0)), z.at(0)), -Slope(log(free.at(0)), z.at(1))),
    equals(
        plus(1, -free.at(0), free.at(1)),
        "a step on one pair, completion 0 chosen and 1 rejected: one logit up, the other down by as much",
    ),
    at_least(free.at(1), "a probability is at most one", dropping=plus(1, -free.at(0))),
    role="lemma",
    so="A step on one pair lowers both only through parameters that completions share, as those of a network are.",
)

w = derivation.number("u", r"the logit of one pair, $\beta h$", "preference_logits")
epsilon = derivation.number(
    r"\epsilon", "the probability that a label is flipped", "label_smoothing, flip_probability", between=(0, Rational(1, 2))
)
derivation.chain(
    "On labels that never disagree the loss falls for ever",
    Slope(-log(_sigma(w)), w),
    equals(-_sigma(-w), r"$\sigma' = \sigma(u)\, \sigma(-u)$", wrong={"the probability of the verdict itself": -_sigma(w)}),
    at_most(0, "add a positive number", adding=_sigma(-w)),
    role="lemma",
    so=r"It is never zero: the infimum 0 is at $h = \infty$, whatever $\beta$ is. There $\beta$ sets the unit of $h$; it does "
    r"not pull towards the reference.",
)
smoothed = plus(times(-(1 - epsilon), log(_sigma(w))), -times(epsilon, log(_sigma(-w))))
derivation.chain(
    "Smoothed labels have a finite optimum",
    Slope(smoothed, w),
    equals(
        plus(_sigma(w), -(1 - epsilon)),
        r"$-(1 - \epsilon)\, \sigma(-u) + \epsilon\, \sigma(u)$, and $\sigma(-u) = 1 - \sigma(u)$",
    ),
    role="lemma",
)
derivation.chain(
    "... where the policy believes the label as much as it deserves",
    _sigma(log((1 - epsilon) / epsilon)),
    equals(1 - epsilon, r"$e^{-u} = \frac{\epsilon}{1 - \epsilon}$"),
    role="lemma",
    so=r"The slope rises with $u$, so $\beta h = \log \frac{1 - \epsilon}{\epsilon}$ is the minimum, and now $\beta$ decides its "
    r"distance from the reference.",
)


def _robust(at):
    return (plus(times(-(1 - epsilon), log(_sigma(at))), times(epsilon, log(_sigma(-at))))) / (1 - 2 * epsilon)


derivation.chain(
    "The robust loss: its mean over flipped labels is the loss of the true one",
    plus(times(1 - epsilon, _robust(w)), times(epsilon, _robust(-w))),
    equals(
        -times(((1 - epsilon) ** 2 - epsilon**2) / (1 - 2 * epsilon), log(_sigma(w))), r"the terms with $\log \sigma(-u)$ cancel"
    ),
    equals(-log(_sigma(w)), r"$(1 - \epsilon)^2 - \epsilon^2 = 1 - 2 \epsilon$"),
)
falls = plus(times(1 - epsilon, _sigma(-w)), times(epsilon, _sigma(w))) / (1 - 2 * epsilon)
derivation.chain(
    "... but it falls for ever on one label",
    Slope(_robust(w), w),
    equals(-falls, r"$(\log \sigma)'(u) = \sigma(-u)$"),
    at_most(0, "add a sum of positive numbers", adding=falls),
    role="lemma",
)
derivation.chain(
    "... and as fast as a straight line",
    Limit(-falls, w, oo),
    equals(-epsilon / (1 - 2 * epsilon), r"$\sigma(-u) \to 0$", wrong={"the loss levels off": 0}),
    role="lemma",
    so=r"So the robust loss has no lower bound on a pair that is always labeled the same way: it relies on both labels "
    r"occurring.",
)

c_log = derivation.number("l_c", "log-probability of the chosen completion", "policy_chosen")
r_log = derivation.number("l_r", "log-probability of the rejected one", "policy_rejected")
_logit = beta * ((c_log - f_0) - (r_log - g_0))


derivation.bridge(
    "The code computes the logit, here of the first completion as the chosen and the second as the rejected one",
    times(beta, h.at(0, 1)),
    preference_logits,
    policy_chosen=[log(pi.at(0))],
    policy_rejected=[log(pi.at(1))],
    reference_chosen=[log(reference.at(0))],
    reference_rejected=[log(reference.at(1))],
    kl_coefficient=beta,
    wrong={"the reference forgotten": times(beta, plus(log(pi.at(0)), -log(pi.at(1))))},
)
derivation.bridge(
    "... the loss, smoothed",
    smoothed.subs(w, _logit),
    dpo_loss,
    policy_chosen=[c_log],
    policy_rejected=[r_log],
    reference_chosen=[f_0],
    reference_rejected=[g_0],
    kl_coefficient=beta,
    label_smoothing=epsilon,
    wrong={"the label turned over": smoothed.subs(w, -_logit)},
)
derivation.bridge(
    "... the robust loss",
    _robust(_logit),
    robust_dpo_loss,
    policy_chosen=[c_log],
    policy_rejected=[r_log],
    reference_chosen=[f_0],
    reference_rejected=[g_0],
    kl_coefficient=beta,
    flip_probability=epsilon,
    wrong={"the smoothed loss in place of the robust one": smoothed.subs(w, _logit)},
)
derivation.bridge(
    "... the weight",
    beta * _sigma(-_logit),
    gradient_weight,
    policy_chosen=[c_log],
    policy_rejected=[r_log],
    reference_chosen=[f_0],
    reference_rejected=[g_0],
    kl_coefficient=beta,
    wrong={"the probability of the verdict as the weight": beta * _sigma(_logit)},
)
derivation.bridge(
    "... and the implicit rewards",
    (beta * (c_log - f_0), beta * (r_log - g_0), None),
    implicit_reward_margin,
    policy_chosen=[c_log],
    policy_rejected=[r_log],
    reference_chosen=[f_0],
    reference_rejected=[g_0],
    kl_coefficient=beta,
    wrong={"the reference forgotten": (beta * c_log, beta * r_log, None)},
)

_REFERENCE = jnp.log(jnp.array([0.5, 0.25, 0.25]))
_BEST = jnp.log(jnp.array([0.25, 0.25, 0.5]))
_PREFERRED, _OTHER = np.array([1, 2, 2]), np.array([0, 0, 1])  # the three pairs
_OFTEN = np.array([2 / 3, 4 / 5, 2 / 3])  # how often the first of each is preferred, for rewards (0, log 2, log 4)


def _population_loss(policies):
    """The expected loss of policies [..., 3] over the three pairs, equally often compared."""

    def loss(c, r):
        pair = policies[..., c].ravel(), policies[..., r].ravel()
        return dpo_loss(
            *pair, *(jnp.broadcast_to(_REFERENCE[at], policies[..., at].shape).ravel() for at in (c, r)), kl_coefficient=1.0
        )

    return (
        _OFTEN * loss(_PREFERRED, _OTHER).reshape(*policies.shape[:-1], 3)
        + (1 - _OFTEN) * loss(_OTHER, _PREFERRED).reshape(*policies.shape[:-1], 3)
    ).mean(-1)


def _shared(weight):
    """The log-probabilities of a policy with logits of weight times the features (1, 1/2, 3)."""
    return jax.nn.log_softmax(weight * jnp.array([1.0, 0.5, 3.0]))


@derivation.example(
    r"Three completions with $\pi_0 = (\frac12, \frac14, \frac14)$ and rewards $(0, \log 2, \log 4)$, at $\beta = 1$: $\pi_* = "
    r"(\frac14, \frac14, \frac12)$, log-ratios $(-\log 2, 0, \log 2)$. All three pairs are compared equally often. Then one "
    r"shared parameter with features $(1, \frac12, 3)$: completion 1 preferred to 2, $\omega$ moved from 0 to $\frac14$."
)
def three_completions():
    given = {reference: (0.5, 0.25, 0.25), r: (0, log(2), log(4)), beta: 1}
    yield best, value(best, given), "(0.25, 0.25, 0.5)"
    yield r"P(3 \succ 1)", value(_sigma(times(beta, moved)).xreplace({i: 2, j: 0}), given), "4/5"
    yield r"\text{loss of the reference}", _population_loss(_REFERENCE[None])[0], "0.6931"
    yield r"\text{loss of the optimum}", _population_loss(_BEST[None])[0], "0.5911"
    yield r"\text{change of the three log-probabilities}", _shared(0.25) - _shared(0.0), "(-0.163, -0.288, 0.337)"
    after, before = _shared(0.25), _shared(0.0)
    step = dpo_loss(after[:1], after[1:2], before[:1], before[1:2], kl_coefficient=1.0)[0]
    yield r"\text{loss after the step}", step, "0.6326"


@derivation.figure(
    r"The example. Left: level sets of the population loss over policies; it is least at the optimum (dot), which tilts the "
    r"reference (cross). Right: steps of the shared parameter on the pair 1 over 2. The loss falls, and so do both "
    r"log-probabilities.",
    panels=2,
)
def loss_over_policies(left, right):
    first, second = np.meshgrid(np.linspace(0.02, 0.96, 40), np.linspace(0.02, 0.96, 40))
    inside = first + second < 0.99
    probabilities = np.stack([first, second, np.where(inside, 1 - first - second, 0.1)], axis=-1)
    loss = np.where(inside, _population_loss(jnp.log(probabilities)), np.nan)
    left.contour(first, second, loss, levels=0.5911 + np.array([0.002, 0.01, 0.03, 0.07, 0.13, 0.25, 0.5]), linewidths=1)
    left.plot(0.25, 0.25, "o", color="black")
    left.plot(0.5, 0.25, "x", color="black")
    left.set(xlabel=r"$\pi(1)$", ylabel=r"$\pi(2)$")
    weights = np.linspace(0, 1, 15)
    logs = jax.nn.log_softmax(weights[:, None] * np.array([1.0, 0.5, 3.0]), axis=1)
    start = jnp.broadcast_to(logs[0], logs.shape)
    right.plot(weights, logs[:, 0], label=r"$\log \pi(1)$, preferred")
    right.plot(weights, logs[:, 1], label=r"$\log \pi(2)$, rejected")
    right.plot(
        weights, dpo_loss(logs[:, 0], logs[:, 1], start[:, 0], start[:, 1], kl_coefficient=1.0), "--", color="black", label="loss"
    )
    right.set(xlabel=r"$\omega$", ylabel="nats")
    right.legend()


@derivation.exercise(
    r"Which weight has a pair with $\beta h = \log 3$, at $\beta = 1$?",
    r"$\sigma(-\log 3) = 1/4 = 0.25$: half of what it had at the start.",
)
def weight_of_a_pair():
    zero = jnp.zeros(1)
    yield gradient_weight(jnp.log(jnp.array([3.0])), zero, zero, zero, kl_coefficient=1.0)[0], "0.25"


@derivation.exercise(
    r"A pair is labeled one way with probability $\frac34$, and the loss is smoothed with $\epsilon = \frac{1}{10}$. Which "
    r"$\sigma(u)$ is best?",
    r"The label that the loss sees is one with probability $\frac34 \cdot 0.9 + \frac14 \cdot 0.1 = 0.7$, so $\sigma(u) = 0.7$: "
    r"there the slope is 0.",
)
def smoothing_an_uncertain_label():
    zero = jnp.zeros(1)

    def slope(u):
        loss = jax.grad(lambda u: dpo_loss(u[None], zero, zero, zero, kl_coefficient=1.0, label_smoothing=0.1)[0])
        return 0.75 * loss(u) - 0.25 * loss(-u)

    yield 0.75 * 0.9 + 0.25 * 0.1, "0.7"
    yield slope(jnp.log(0.7 / 0.3)), "0"


@derivation.exercise(
    r"In the example the features are $(1, \frac12, t)$. For which $t$ does the first small step lower $\log \pi(1)$?",
    r"It changes by a positive number times $1 - \frac{1.5 + t}{3}$, so for $t > 1.5$. At $t = 3$ this is $-0.5$.",
)
def when_the_chosen_one_falls():
    def slope(t):
        return jax.grad(lambda weight: jax.nn.log_softmax(weight * jnp.array([1.0, 0.5, t]))[0])(0.0)

    yield 1.5 + slope(1.5), "1.5"
    yield slope(3.0), "-0.5"
