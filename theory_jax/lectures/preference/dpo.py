"""A policy fitted to preferences is the best policy of the reward behind them.

The lecture on the functions of theory_jax/preference/dpo.py.
"""

from sympy import Rational, exp, log, oo

from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Limit, Slope, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.lemmas.gibbs import gibbs
from theory_jax.lectures.preference._three_completions import (
    BEST,
    REFERENCE,
    draw_labels,
    draw_losses,
    draw_steps,
    population_loss,
    shared,
)
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
    question="Reinforcement learning fits a reward network to preferences, and then a policy to the reward. The policy must be "
    "sampled all the time, and it exploits every error of the network. Can the same policy be fitted to the preferences "
    "directly, as in supervised learning, and what does such a loss not control?",
    setting=(
        r"One prompt has finitely many completions. The reference gives each a positive probability, the reward of $i$ is "
        r"$r_i$, and a nat of divergence from the reference has a positive price, $\beta$. Policies are positive where the "
        "reference is.",
        r"Verdicts follow Bradley and Terry: the log-odds that $i$ is preferred to $j$ are $r_i - r_j$.",
        r"Every completion occurs in the pairs that are compared, and the graph of pairs is connected.",
    ),
    limits=(
        "Finite samples, and preferences that follow no Bradley-Terry model.",
        "Completions that no pair compares: their probability is undetermined, and can grow.",
        "Unless stated otherwise, the chains are derived on three completions; the sums hold for any number.",
    ),
)


@derivation.figure(
    r"The example. Left: level sets of the population loss over policies; it is least at the optimum (dot), which tilts the "
    r"reference (cross). Right: steps of the shared parameter on the pair 1 over 2. The loss falls, and so do both "
    r"log-probabilities.",
    panels=2,
)
def loss_over_policies(left, right):
    draw_losses(left)
    draw_steps(right)


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
sigma = derivation.function(r"\sigma", "the logistic function; the first chain holds for any other, too")
cancels = derivation.chain(
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
        prose(
            "the reward, read back from the optimum: {reward}",
            reward=holds(r, "=", plus(times(beta, log(best / reference)), times(beta, log(Z)))),
        ),
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
    so="So verdicts of the reward are verdicts of its optimum, and any policy can be held against them: no reward is needed.",
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
    "P({}|{},{})", exp(b * (r - r.at(j))) / (1 + exp(r - r.at(j))), "the distribution of the verdict", over=(b, i, j), law=True
)
u = derivation.numbers("u", (i, j), r"a policy's logit for the pair: $\beta h_{i,j}$", "preference_logits")
model = derivation.define(
    "Q({}|{},{})", exp(b * u) / (1 + exp(u)), r"the policy's distribution of the verdict", over=(b, i, j), law=True
)
likelihood = derivation.chain(
    "No policy has a smaller loss than the optimum",
    Expectation(truth, -log(model)),
    equals(
        plus(Entropy(truth), Divergence(truth, model)), r"the expected loss of a pair is a cross-entropy: entropy and divergence"
    ),
    at_least(
        Entropy(truth),
        prose("leave out the divergence (Gibbs); equality if and only if {same}", same=where(u, plus(r, -r.at(j)))),
        dropping=gibbs.at(truth, model),
    ),
    states=2,
    central=True,
    so="It holds for each pair, so for every mean over pairs. The optimum reaches the bound on all pairs at once, by the chain "
    "above; and a policy that reaches it on all pairs has the $h$ of the optimum on all of them.",
)
derivation.chain(
    "The margins determine the policy",
    times(reference, exp(h.at(i, k))) / Total(j, reference.at(j) * exp(h.at(j, k))),
    equals(
        pi,
        prose(
            "{tilt}, and a policy sums to one",
            tilt=holds(times(reference, exp(h.at(i, k))), "=", times(pi, reference.at(k) / pi.at(k))),
        ),
    ),
    so=prose(
        "Margins add up along a path of pairs, {sum}: on a connected graph those of the compared pairs give those of all. Two "
        r"policies with the same margins are the same, so the minimum is $\pi_*$ alone. Every positive policy is the optimum of "
        "some reward: nothing is lost by fitting policies in place of rewards.",
        sum=holds(plus(h, h.at(j, k)), "=", h.at(i, k)),
    ),
)

w = derivation.number("x", r"the logit of one pair, $\beta h$", "preference_logits")
derivation.answer = prose(
    "In a comparison the partition function cancels: at the optimum {margin}, where $h_{i,j}$ is how much farther a policy has "
    "moved from the reference towards $i$ than towards $j$. So the likelihood of the verdicts is a loss of the policy itself. If "
    "the pairs connect all completions, its minimum over all policies is the optimum, and no other. The loss contains $h$ alone: "
    "it does not hold the probability of what is preferred, and without smoothing, on labels that never disagree, it has no "
    r"minimum, whatever $\beta$ is: in the logit $x$ of the pair {falls}.",
    margin=holds(
        times(beta, h), "=", plus(r, -r.at(j)), when={pi: best}, wrong={"the price forgotten": plus(r, -r.at(j)) / beta}
    ),
    falls=holds(Slope(-log(_sigma(w)), w), "<", 0),
)

theta = derivation.number(r"\theta", "a parameter of the policy")
f = derivation.function("f", r"the log-probability of the chosen completion, as a function of $\theta$", "policy_chosen")
g = derivation.function("g", "that of the rejected one", "policy_rejected")
f_0 = derivation.number("f_0", "the reference's log-probability of the chosen completion", "reference_chosen")
g_0 = derivation.number("g_0", "the reference's of the rejected one", "reference_rejected")
logit = beta * ((f(theta) - f_0) - (g(theta) - g_0))
one_pair = derivation.chain(
    "What one pair does to a parameter",
    Slope(-log(_sigma(logit)), theta),
    equals(
        -times(beta, _sigma(-logit), plus(f(theta).diff(theta), -g(theta).diff(theta))),
        prose(
            "the chain rule, with {slope}; the reference is a constant",
            slope=holds(Slope(-log(_sigma(w)), w), "=", -_sigma(-w), wrong={"the other weight": -_sigma(w)}),
        ),
        wrong={
            "the probability of the verdict as the weight": -times(
                beta, _sigma(logit), plus(f(theta).diff(theta), -g(theta).diff(theta))
            )
        },
    ),
    so=prose(
        "A pair counts as much as the policy's implicit reward is wrong about it. Where the policy is the reference, the logit "
        "is 0: every pair has the loss {loss} and the weight {weight}.",
        loss=holds(-log(_sigma(w)), "=", log(2), when={w: 0}, named=True),
        weight=holds(beta * _sigma(-w), "=", beta / 2, when={w: 0}, named=True),
    ),
)

z = derivation.numbers("z", i, "logits of the completions")
phi = derivation.numbers(r"\phi", i, "a feature of the completions")
omega = derivation.number(r"\omega", "its weight, shared by all completions")
derivation.say(
    prose(
        "The loss sees the difference of two log-probabilities. Both may fall together. Say that a policy has one parameter that "
        "all completions share: their logits are {logits}.",
        logits=z + omega * phi,
    )
)
soft = derivation.define(
    r"\pi_\omega", exp(z + omega * phi) / Total(j, exp(z.at(j) + omega * phi.at(j))), "the policy", over=i, law=True
)
centered = plus(phi, -Expectation(soft.at(j), phi.at(j)))
derivation.chain(
    "A small step along the difference of features lowers the loss",
    times(plus(phi, -phi.at(k)), plus(Slope(log(soft), omega), -Slope(log(soft.at(k)), omega))),
    equals(
        (phi - phi.at(k)) ** 2,
        prose(
            "{slope}: a shared parameter moves a log-probability by a centered feature, and the mean cancels",
            slope=holds(Slope(log(soft), omega), "=", centered, wrong={"by the plain mean": plus(phi, -Total(j, phi.at(j)) / 3)}),
        ),
    ),
    at_least(0, "leave out a square", dropping=(phi - phi.at(k)) ** 2),
    role="lemma",
    so=prose(
        "So $h$ rises. But the log-probability of the chosen completion $i$ itself changes at the rate {rate}, which is negative "
        r"where the mean feature is beyond $\phi_i$, seen from $\phi_k$: a third completion gains from both.",
        rate=times(plus(phi, -phi.at(k)), centered),
    ),
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
    so="A small step on one pair lowers both only through parameters that completions share, as those of a network are.",
)

epsilon = derivation.number(
    r"\epsilon", "the probability that a label is flipped", "label_smoothing, flip_probability", between=(0, Rational(1, 2))
)
derivation.chain(
    "On labels that never disagree the loss falls for ever",
    Slope(-log(_sigma(w)), w),
    equals(
        -_sigma(-w),
        "one minus the logistic function is left, as above",
        wrong={"the probability of the verdict itself": -_sigma(w)},
    ),
    at_most(0, "add a positive number", adding=_sigma(-w)),
    role="lemma",
    so=prose(
        r"It is never zero. The loss falls towards its infimum, {zero}, whatever $\beta$ is: there $\beta$ sets the unit of $h$ "
        "and does not pull towards the reference.",
        zero=holds(Limit(-log(_sigma(w)), w, oo), "=", 0),
    ),
)
smoothed = plus(times(-(1 - epsilon), log(_sigma(w))), -times(epsilon, log(_sigma(-w))))
derivation.chain(
    "Smoothed labels have a finite optimum",
    Slope(smoothed, w),
    equals(
        plus(_sigma(w), -(1 - epsilon)),
        prose("the slopes of both terms, and {rest}", rest=holds(_sigma(-w), "=", plus(1, -_sigma(w)))),
        wrong={"the other label": plus(_sigma(w), -epsilon)},
    ),
    role="lemma",
    so=prose(
        "It rises with $x$, so the minimum is at {place}, where the policy believes the label as much as it deserves: {belief}. "
        r"Now $\beta$ decides its distance from the reference.",
        place=where(w, log((1 - epsilon) / epsilon)),
        belief=holds(_sigma(w), "=", 1 - epsilon, wrong={"the flips": epsilon}),
    ),
)


def _robust(at):
    return (plus(times(-(1 - epsilon), log(_sigma(at))), times(epsilon, log(_sigma(-at))))) / (1 - 2 * epsilon)


derivation.chain(
    "The robust loss: its mean over flipped labels is the loss of the true one",
    plus(times(1 - epsilon, _robust(w)), times(epsilon, _robust(-w))),
    equals(
        -log(_sigma(w)),
        prose(
            "the terms of the other label cancel, and {squares}",
            squares=holds(plus((1 - epsilon) ** 2, -(epsilon**2)), "=", plus(1, -2 * epsilon)),
        ),
    ),
    role="remark",
)
falls = plus(times(1 - epsilon, _sigma(-w)), times(epsilon, _sigma(w))) / (1 - 2 * epsilon)
derivation.chain(
    "The robust loss falls for ever on a pair that is always labeled the same way",
    Slope(_robust(w), w),
    equals(-falls, "the slopes of both terms, as above"),
    at_most(0, "add a sum of positive numbers", adding=falls),
    role="lemma",
    so=prose(
        "In the end it falls as a straight line does: its slope goes to {slope}. So the robust loss has no lower bound on a pair "
        "that is always labeled the same way; it relies on both labels occurring.",
        slope=holds(
            Limit(Slope(_robust(w), w), w, oo), "=", -epsilon / (1 - 2 * epsilon), wrong={"it levels off": 0}, named=True
        ),
    ),
)
derivation.figure(
    prose(
        "A pair that is always labeled the same way. Left: the loss falls for ever; smoothed with {eps} it has a minimum at "
        "{place} (dot), where the policy has the probability {belief} for the label; the robust loss has no lower bound. Right: "
        "how strongly a gradient step pushes. The plain loss pushes less, the surer the policy is, but never pulls back.",
        eps=where(epsilon, Rational(1, 10)),
        place=where(w, log(9)),
        belief=holds(_sigma(w), "=", 1 - epsilon, named=True, wrong={"the flips": epsilon}),
    ),
    panels=2,
)(draw_labels)

c_log = derivation.number("l_c", "log-probability of the chosen completion", "policy_chosen")
r_log = derivation.number("l_r", "log-probability of the rejected one", "policy_rejected")
_logit = logit.xreplace({f(theta): c_log, g(theta): r_log})
_pair = {"policy_chosen": [c_log], "policy_rejected": [r_log], "reference_chosen": [f_0], "reference_rejected": [g_0]}

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
for _what, _expression, _code, _more, _slip, _wrong in (
    (
        "the loss, smoothed",
        smoothed.subs(w, _logit),
        dpo_loss,
        {"label_smoothing": epsilon},
        "the label turned over",
        smoothed.subs(w, -_logit),
    ),
    (
        "the robust loss",
        _robust(_logit),
        robust_dpo_loss,
        {"flip_probability": epsilon},
        "the smoothed loss",
        smoothed.subs(w, _logit),
    ),
    ("the weight", beta * _sigma(-_logit), gradient_weight, {}, "the probability of the verdict", beta * _sigma(_logit)),
    (
        "and the implicit rewards",
        (beta * (c_log - f_0), beta * (r_log - g_0), None),
        implicit_reward_margin,
        {},
        "the reference forgotten",
        (beta * c_log, beta * r_log, None),
    ),
):
    derivation.bridge(f"... {_what}", _expression, _code, **_pair, kl_coefficient=beta, **_more, wrong={_slip: _wrong})


@derivation.algorithm(
    "A training step",
    do("take a prompt with a preferred completion and a rejected one"),
    do("$l_c$ and $l_r$: their log-probabilities under the policy; $f_0$ and $g_0$: under the reference, computed once"),
    do(r"$x \leftarrow \beta ((l_c - f_0) - (l_r - g_0))$", preference_logits, by=cancels),
    do(r"the loss is $-\log \sigma(x)$", dpo_loss, by=likelihood),
    do(
        r"$\theta \leftarrow \theta + \eta\, \beta\, \sigma(-x) \frac{\partial}{\partial \theta} (l_c - l_r)$, down its slope",
        gradient_weight,
        by=one_pair,
    ),
)
def two_steps():
    weight, start = 0.0, shared(0.0)
    before = r"\text{features } 1, \tfrac12, 3, \text{ 1 preferred to 2, } \beta = \eta = 1, \text{ from } \omega = 0: \quad "
    for logit, loss, factor, moved in (("0", "0.6931", "0.5", "0.25"), ("0.125", "0.6326", "0.4688", "0.4844")):
        now = shared(weight)
        pair = now[:1], now[1:2], start[:1], start[1:2]
        yield rf"{before}x", preference_logits(*pair, kl_coefficient=1.0)[0], logit
        yield r"-\log \sigma(x)", dpo_loss(*pair, kl_coefficient=1.0)[0], loss
        yield r"\beta\, \sigma(-x)", gradient_weight(*pair, kl_coefficient=1.0)[0], factor
        weight, before = weight + float(gradient_weight(*pair, kl_coefficient=1.0)[0]) * (1 - 0.5), ""
        yield r"\omega", weight, moved


@derivation.example(
    r"Three completions have the probabilities $\frac12, \frac14, \frac14$ under the reference and the rewards $0, \log 2, \log "
    r"4$, at the price 1. All three pairs are compared equally often. Then a step of the shared parameter, as in the algorithm."
)
def three_completions():
    given = {reference: (0.5, 0.25, 0.25), r: (0, log(2), log(4)), beta: 1}
    yield best, value(best, given), "(0.25, 0.25, 0.5)"
    yield r"P(3 \succ 1)", value(_sigma(times(beta, moved)).xreplace({i: 2, j: 0}), given), "4/5"
    yield r"\text{loss of the reference}", population_loss(REFERENCE[None])[0], "0.6931"
    yield r"\text{loss of the optimum}", population_loss(BEST[None])[0], "0.5911"
    yield r"\text{change of the three log-probabilities}", shared(0.25) - shared(0.0), "(-0.163, -0.288, 0.337)"
