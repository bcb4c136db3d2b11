"""Domain adaptation: what confusing a domain classifier is good for, and when it is not enough.

The lecture on the functions of theory_jax/adversarial/domain_adversarial.py.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, Max, Rational, Tuple, exp, log, nsimplify, tanh

from theory_jax.adversarial.domain_adversarial import (
    adaptation_schedule,
    domain_adversarial_objective,
    domain_loss,
    gradient_reversal,
    proxy_a_distance,
)
from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.foundations.maximum_likelihood import categorical_negative_log_likelihood
from theory_jax.lectures.adversarial._domains import ALL, DOMAINS, SOURCE, TARGET, differ, draw_domains
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="Domain adaptation: what confusing a domain classifier is good for, and when it is not enough",
    lectures=(13,),
    sources=(
        "Ben-David, Blitzer, Crammer, Kulesza, Pereira & Vaughan 2010, A theory of learning from different domains, theorem 2",
        "Ganin et al. 2016, Domain-adversarial training of neural networks",
        "Zhao, Tachet des Combes, Zhang & Gordon 2019, On learning invariant representations for domain adaptation",
    ),
    question="A classifier of rendered digits fails on photographed ones. The examples of the source domain have labels, those "
    "of the target domain have none, and the two domains look different. Why does it help to learn features that confuse a "
    "domain classifier? Which quantity is made small, and when does the target's error stay large all the same?",
    setting=(
        "A feature has finitely many values $x$, with the distributions $p^s$ in the source domain and $p^t$ in the target "
        "domain. There are two labels, 0 and 1. A hypothesis gives every feature a label; it may toss a coin, and $h(a|x)$ is "
        "the probability that it says $a$. The true labels $y^s(a|x)$ and $y^t(a|x)$ may be uncertain, too, and differ between "
        "the domains.",
        "Hypotheses and labels toss their coins independently, given the feature. All probabilities are positive; a hypothesis "
        "that is always sure is a limit of these.",
        r"Hypotheses come from a class $\mathcal{H}$. The error of $h$ is the probability that it disagrees with the true label.",
    ),
    limits=(
        "Finite samples: the paper's bound has a further term for them.",
        "Whether the best common hypothesis remains good while the features change is not known without labels of the target.",
        "Convergence of the saddle point's descent: the lecture on f-GANs has the local analysis of such games.",
    ),
)

x = derivation.index("x", "a feature")
a = derivation.index("a", "a label, 0 or 1", states=2)
p_s = derivation.law("p^s", x, "features in the source domain")
p_t = derivation.law("p^t", x, "features in the target domain")
h = derivation.law("h({}|{})", (a, x), "the hypothesis that was learned")
star = derivation.law("h^*({}|{})", (a, x), "a hypothesis that is good in both domains")
y_s = derivation.law("y^s({}|{})", (a, x), "the label in the source domain")
y_t = derivation.law("y^t({}|{})", (a, x), "the label in the target domain")


def _apart(one, other):
    """The probability that two of them disagree at a feature."""
    return one.at(1, x) * other.at(0, x) + one.at(0, x) * other.at(1, x)


def _error(name, law, one, other, meaning):
    return derivation.define(name, Total(x, law * _apart(one, other)), meaning)


error_s = _error(r"\epsilon_s", p_s, h, y_s, "the hypothesis's error in the source domain")
error_t = _error(r"\epsilon_t", p_t, h, y_t, "its error in the target domain")
best_s = _error(r"\epsilon^*_s", p_s, star, y_s, "the error of $h^*$ in the source domain")
best_t = _error(r"\epsilon^*_t", p_t, star, y_t, "... and in the target domain")
apart_s = _error(r"\delta_s", p_s, h, star, "how often $h$ and $h^*$ disagree in the source domain")
apart_t = _error(r"\delta_t", p_t, h, star, "... and in the target domain")
joint = derivation.define(r"\lambda^*", best_s + best_t, "the joint error of $h^*$: the smallest that a hypothesis has")
d = derivation.number("d", r"the distance of the domains, as $\mathcal{H}$ sees it", positive=True)
derivation.symbol(r"\mathcal{H}", "the class of hypotheses")

u, v, w = (
    derivation.number(letter, f"the probability that the {place} answer is 1", between=(0, 1))
    for letter, place in (("u", "first"), ("v", "second"), ("w", "third"))
)


def _unlike(one, other):
    """The probability that two answers differ, which are 1 with these probabilities."""
    return plus(one * (1 - other), (1 - one) * other)


triangle = derivation.chain(
    "Errors obey a triangle inequality",
    plus(_unlike(u, v), _unlike(v, w), -u * (1 - w), -(1 - u) * w),
    equals(
        times(2, plus(v * (1 - u) * (1 - w), (1 - v) * u * w)),
        "with two labels, two of three answers agree. Where the second is alone it differs from both others, and these agree; "
        "elsewhere the terms cancel",
    ),
    at_least(
        0,
        "a sum of products of probabilities; zero where the second answer is never alone",
        dropping=times(2, plus(v * (1 - u) * (1 - w), (1 - v) * u * w)),
    ),
    role="lemma",
    about=(u, v, w),
    name=r"\tau\left({}, {}, {}\right)",
)
derivation.symbol(r"\tau", "by how much the way from the first to the third answer is longer by way of the second")


def _detour(law, one, by, other):
    return Total(x, law * triangle.at(one.at(1, x), by.at(1, x), other.at(1, x)))


derivation.say(
    "Half of the distance $d$ of the domains is the largest difference, between target and source, of how often two hypotheses "
    "of the class disagree: not more than what the class can notice. Its definition is all that is used of it."
)
noticed = derivation.assume(
    "No two hypotheses of the class disagree much more often in the target than in the source",
    d / 2 - (apart_t - apart_s),
    example={d: 2},
    wrong={"no distance": apart_s - apart_t},
)
central = derivation.chain(
    "The target's error is at most the source's, half the distance, and the joint error",
    error_t,
    at_most(plus(apart_t, best_t), r"the triangle inequality, by way of $h^*$", adding=_detour(p_t, h, star, y_t)),
    equals(plus(apart_s, apart_t - apart_s, best_t), r"add and subtract $\delta_s$"),
    at_most(
        plus(apart_s, d / 2, best_t),
        "the difference is at most half the distance, by its definition",
        adding=noticed.at(),
        wrong={"a quarter": plus(apart_s, d / 4, best_t)},
    ),
    at_most(
        plus(error_s, best_s, d / 2, best_t),
        r"the triangle inequality in the source domain, by way of $y^s$",
        adding=_detour(p_s, h, y_s, star),
    ),
    equals(plus(error_s, d / 2, joint), r"$\lambda^*$ is the joint error"),
    central=True,
    so="The source's error is minimized with its labels; the distance needs no labels, and can be made small by features. That "
    r"$\lambda^*$ stays small meanwhile is a hope.",
)
tv = derivation.define(
    r"\mathrm{TV}", Total(x, Abs(p_s - p_t)) / 2, "the total variation distance of the features' distributions"
)
derivation.chain(
    "No class notices more than the total variation",
    plus(apart_t, -apart_s),
    equals(
        Total(x, (p_t - p_s) * _apart(h, star)),
        "collect the features",
        wrong={"the domains exchanged": Total(x, (p_s - p_t) * _apart(h, star))},
    ),
    at_most(
        tv,
        "most where $h$ and $h^*$ disagree exactly where $p^t$ is above $p^s$; the differences sum to zero, so the positive "
        "parts are half",
        adding=Total(
            x,
            plus(
                (h.at(1, x) * star.at(1, x) + h.at(0, x) * star.at(0, x)) * Max(p_t - p_s, 0), _apart(h, star) * Max(p_s - p_t, 0)
            ),
        ),
    ),
    states=2,
    so=prose(
        r"So $d$ is at most $2\, \mathrm{TV}$, and if the class holds all functions it is no less, since then some two "
        "hypotheses disagree exactly where $p^t$ is above $p^s$: {parts}.",
        parts=holds(Total(x, Max(p_t - p_s, 0)), "=", tv),
    ),
    role="lemma",
)
derivation.say("A domain classifier sees a feature and says where it comes from; both domains are shown equally often.")
c = derivation.law("c({}|{})", (a, x), "the domain classifier: the probability of the source (1) and of the target (0)")
error_d = derivation.define(
    r"\epsilon_d", Total(x, p_s * c.at(0, x) + p_t * c.at(1, x)) / 2, "the domain classifier's error", "error"
)
derivation.chain(
    "The best domain classifier measures the total variation",
    times(2, 1 - 2 * error_d),
    equals(
        times(2, Total(x, c.at(1, x) * (p_s - p_t))),
        prose("{rest}, and $p^s$ sums to one", rest=holds(c.at(0, x), "=", 1 - c.at(1, x))),
        wrong={"the domains exchanged": 2 * Total(x, c.at(1, x) * (p_t - p_s))},
    ),
    at_most(
        times(2, tv),
        "a classifier gains most if it says source exactly where $p^s$ is above $p^t$; the positive parts are half of all",
        adding=2 * Total(x, plus(c.at(0, x) * Max(p_s - p_t, 0), c.at(1, x) * Max(p_t - p_s, 0))),
        wrong={"the sum of absolute values": 4 * tv},
    ),
    states=2,
    so=prose(
        r"The first line is the proxy $\mathcal{A}$-distance of a trained domain classifier, an estimate from below of $d$ for "
        "the class of all functions. At chance, with {half}, it is {zero}.",
        half=where(c, Rational(1, 2)),
        zero=holds(times(2, 1 - 2 * error_d), "=", 0, named=True),
    ),
    role="lemma",
)
derivation.bridge(
    "The code computes the proxy distance",
    times(2, 1 - 2 * error_d),
    proxy_a_distance,
    error=[error_d],
    wrong={"the error once": 2 * (1 - error_d)},
)
loss_d = derivation.define(
    "L_d", -Total(x, p_s * log(c.at(1, x)) + p_t * log(c.at(0, x))) / 2, "the domain classifier's log loss", "domain_loss"
)
m = derivation.define("m", (p_s + p_t) / 2, "all features, source and target", over=x, law=True)
post = derivation.define(
    "b({}|{})",
    (a * p_s + (1 - a) * p_t) / (p_s + p_t),
    "the probability of the source (1) and of the target (0), given a feature",
    over=(a, x),
    law=True,
)
least = -Total(x, p_s * log(post.at(1, x)) + p_t * log(post.at(0, x))) / 2
jsd = derivation.define(
    r"\mathrm{JSD}",
    plus(Divergence(p_s, m) / 2, Divergence(p_t, m) / 2),
    "the Jensen-Shannon divergence of the two distributions",
    "jensen_shannon_divergence",
)
of_log_loss = derivation.chain(
    "With log loss it measures the Jensen-Shannon divergence",
    loss_d,
    equals(
        plus(least, Total(x, m * Divergence(post, c))),
        prose(
            r"{source} and {target}; add and subtract $\log b$",
            source=holds(p_s / 2, "=", times(m, post.at(1, x))),
            target=holds(p_t / 2, "=", times(m, post.at(0, x))),
        ),
    ),
    at_least(
        least,
        prose("leave out divergences (Gibbs); zero if and only if {same}", same=where(c, post)),
        dropping=Total(x, m * gibbs.at(post, c)),
    ),
    equals(
        plus(log(2), -jsd),
        prose(r"{both}; each of the two means gives $\log 2$, and they are halved", both=holds(plus(p_s, p_t), "=", 2 * m)),
        wrong={"not halved": plus(2 * log(2), -2 * jsd)},
    ),
    states=2,
    so=prose(
        "This is the theorem of lecture 6 with half the weight. Features that raise the least loss of a domain classifier lower "
        "a divergence; at its maximum, {top}, the distributions are equal.",
        top=holds(plus(log(2), -jsd), "=", log(2), when={p_t: p_s}, named=True),
    ),
)
logit = derivation.number("l", "the domain classifier's logit of the source", "logits")
for _domain, _words in ((1, "a source example"), (0, "a target example")):
    derivation.bridge(
        f"The code computes the loss of {_words}",
        log(1 + exp((1 - 2 * _domain) * logit)),
        domain_loss,
        logits=[logit],
        domain=[_domain],
        wrong={"the domains exchanged": log(1 + exp((2 * _domain - 1) * logit)), "a probability": 1 / (1 + exp(logit))},
    )
derivation.say(
    "How the features are trained against the domain classifier. The features lower the label loss and raise the domain loss; "
    "the domain classifier lowers the domain loss. A layer that does nothing on the way forward, and turns gradients over on the "
    "way back, lets one backward pass do both."
)
derivation.symbol(r"\phi", "the features' parameters")
derivation.symbol(r"\psi", "the domain classifier's parameters")
derivation.symbol("L_y", "the label loss of the source examples")
derivation.symbol(r"R_\mu", "the reversal layer", "gradient_reversal")


@derivation.autodiff(
    r"\nabla_\phi \left(L_y + L_d(R_\mu)\right) = \nabla_\phi \left(L_y - \mu L_d\right), \qquad \nabla_\psi \left(L_y + "
    r"L_d(R_\mu)\right) = \nabla_\psi L_d",
    because=r"What comes back from the domain classifier is multiplied by $-\mu$ where it passes the layer, and the layer is "
    r"before the parameters $\psi$. Six examples, of which three are labeled, two features, and the weight 0.7; the right side "
    "comes from the slopes of each loss.",
)
def one_backward_pass():
    rng = np.random.default_rng(13)
    inputs, head, feature, domain = (rng.normal(size=shape) for shape in ((6, 3), (2, 2), (2, 3), (2,)))
    labels, is_source, weight = np.array([0, 1, 1]), np.array([1, 1, 1, 0, 0, 0]), 0.7

    def losses(feature, domain, between=lambda features: features):
        """The mean label loss of the labeled examples, and the mean domain loss."""
        features = jnp.tanh(inputs @ feature.T)
        label = categorical_negative_log_likelihood(labels, features[:3] @ head.T).sum() / 6
        return label, domain_loss(between(features) @ domain, is_source).mean()

    def slopes(loss):
        return jax.grad(loss, argnums=(0, 1))(feature, domain)

    def flat(of_features, of_domain):
        return jnp.concatenate([of_features.ravel(), of_domain])

    found = slopes(lambda *at: sum(losses(*at, partial(gradient_reversal, scale=weight))))
    of_label, of_domain = slopes(lambda *at: losses(*at)[0]), slopes(lambda *at: losses(*at)[1])
    wrong = {
        "not reversed": flat(of_label[0] + weight * of_domain[0], of_domain[1]),
        "the weight in the domain classifier, too": flat(of_label[0] - weight * of_domain[0], weight * of_domain[1]),
    }
    return Sides(left=flat(*found), right=flat(of_label[0] - weight * of_domain[0], of_domain[1]), wrong=wrong)


mu = derivation.number(r"\mu", "the weight of the domain loss", "weight", positive=True)
z_0 = derivation.number("z_0", "the hypothesis's logit of label 0", "label_logits")
z_1 = derivation.number("z_1", "that of label 1", "label_logits")
derivation.bridge(
    "The code computes the features' objective: label loss minus the weighted domain loss, of two source examples, one labeled",
    [log(1 + exp(z_0 - z_1)) - mu * log(1 + exp(-logit)), -mu * log(1 + exp(-logit))],
    domain_adversarial_objective,
    label_logits=[[z_0, z_1]] * 2,
    labels=np.array([1, 1]),
    labeled=np.array([True, False]),
    domain_logits=[logit] * 2,
    domain=[1, 1],
    weight=mu,
    wrong={"the domain loss added": [log(1 + exp(z_0 - z_1)) + mu * log(1 + exp(-logit)), mu * log(1 + exp(-logit))]},
)

p = derivation.number("p", "the progress of the training, from 0 to 1", "progress", between=(0, 1))
gamma = derivation.number(r"\gamma", "how fast the weight rises", "gamma", positive=True)
rising = derivation.chain(
    "The weight of the domain loss rises from zero to almost one",
    plus(2 / (1 + exp(-gamma * p)), -1),
    equals(
        (exp(gamma * p / 2) - exp(-gamma * p / 2)) / (exp(gamma * p / 2) + exp(-gamma * p / 2)),
        r"one fraction, with both sides multiplied by $e^{\gamma p / 2}$",
        wrong={"without the halves": (exp(gamma * p) - exp(-gamma * p)) / (exp(gamma * p) + exp(-gamma * p))},
    ),
    so=r"That is $\tanh \frac{\gamma p}{2}$. At the start the domain classifier knows nothing, and its reversed gradient would "
    "be noise to the features.",
    role="remark",
)
derivation.bridge(
    "The code computes the schedule, here with the paper's 10",
    tanh(5 * p),
    adaptation_schedule,
    progress=[p],
    wrong={"the sigmoid": 1 / (1 + exp(-10 * p)), "no half": tanh(10 * p)},
)

derivation.say(
    "When is it not enough? Let the features be matched perfectly: the hypothesis then says 1 equally often in both domains. The "
    "shares of the labels need not be equal."
)
g = derivation.law("g", a, "how often a hypothesis says each label, in both domains")
b = derivation.index("b", "a true label, 0 or 1", states=2)
r_s = derivation.law("r^s({}|{})", (b, a), "the true label in the source domain, given what the hypothesis says")
r_t = derivation.law("r^t({}|{})", (b, a), "... in the target domain")
share_s, share_t = (Total(a, g * r.at(1, a)) for r in (r_s, r_t))
wrong_s, wrong_t = (plus(g.at(1) * r.at(0, 1), g.at(0) * r.at(1, 0)) for r in (r_s, r_t))
derivation.chain(
    "Different shares of the labels force errors",
    plus(share_s, -share_t),
    equals(
        plus(wrong_s, wrong_t, times(-2, plus(g.at(1) * r_s.at(0, 1), g.at(0) * r_t.at(1, 0)))),
        r"a share is $g_1$, less the wrong ones, plus the missed ones; $g_1$ cancels",
    ),
    at_most(
        plus(wrong_s, wrong_t),
        "leave out what the source says too often and the target misses",
        adding=2 * plus(g.at(1) * r_s.at(0, 1), g.at(0) * r_t.at(1, 0)),
    ),
    so="The last line is the sum of both errors; with the domains exchanged it bounds the difference of the shares in either "
    r"direction. A domain classifier at chance says nothing about this: here the distance is 0, and $\lambda^*$ has taken its "
    "place.",
)
derivation.answer = prose(
    "The target's error exceeds the source's by at most half of a distance of the two distributions of features, plus the "
    "error {joint} that the best common hypothesis makes in both domains. A domain classifier measures that distance: with log "
    "loss the best one has the loss {least}, and features trained against it by reversed gradients make the divergence small "
    "as long as it stays near the best. The other term it cannot see: different shares of the labels force errors if the "
    "distributions of features are equal.",
    joint=joint,
    least=holds(loss_d, "=", plus(log(2), -jsd), when={c: post}, named=True),
)


@derivation.algorithm(
    "Domain-adversarial training",
    do("take examples of the source with labels, and of the target without", by=central),
    do(r"$\mu \leftarrow 2 / (1 + e^{-\gamma p}) - 1$ at the progress $p$", adaptation_schedule, by=rising),
    do(r"$L_d$ behind the reversal layer, which multiplies gradients by $-\mu$", gradient_reversal, domain_loss, by=of_log_loss),
    do(r"step all parameters down the gradient of $L_y + L_d$ in one backward pass"),
)
def two_steps():
    inputs, is_source = jnp.array([1.0, -1.0]), np.array([1, 0])

    def loss(pair, weight):
        features = pair[0] * inputs
        reversed_features = gradient_reversal(features, scale=weight)
        return jnp.log1p(jnp.exp(-features[0])) / 2 + domain_loss(pair[1] * reversed_features, is_source).mean()

    pair = jnp.array([1.0, 1.0])
    start = r"\text{source at 1, label 1; target at } {-1}; \text{ logits } \phi x, \psi \phi x, \text{ from ones}: \quad "
    for progress, weighted, moved in ((0.1, "0.4621", "1.0102, 1.2689"), (0.2, "0.7616", "0.9337, 1.4884")):
        weight = adaptation_schedule(jnp.array([progress]))[0]
        yield start + r"\mu", weight, weighted
        pair = pair - jax.grad(loss)(pair, weight)
        yield r"\phi, \psi", pair, moved
        start = ""


@derivation.example(
    prose(
        "Three features, with {source} and {target}. The best domain classifier says source at the first feature, target at the "
        r"last, anything between. With log loss it says $\frac57, \frac12, \frac27$. Where only the last feature has label 1, in "
        "both domains, a hypothesis that is wrong there alone attains the bound: its error in the target is larger by the total "
        "variation. Last, the weight at the start, after a tenth, and at the end of the training.",
        source=means("p^s", Tuple(*map(nsimplify, SOURCE))),
        target=means("p^t", Tuple(*map(nsimplify, TARGET))),
    )
)
def three_features():
    error = np.minimum(SOURCE, TARGET).sum() / 2
    yield r"\mathrm{TV}", np.abs(SOURCE - TARGET).sum() / 2, "0.3"
    yield r"(\epsilon_s, \epsilon_t)", [differ(law, ALL[:1], ALL[1:2])[0, 0] for law in DOMAINS], "(0.2, 0.5)"
    yield r"\epsilon_d", error, "0.35"
    yield r"2 (1 - 2 \epsilon_d)", proxy_a_distance(jnp.array([error]))[0], "0.6"
    logits, ones = jnp.log(SOURCE / TARGET), np.ones(3, int)
    yield "L_d", (SOURCE @ domain_loss(logits, ones) + TARGET @ domain_loss(logits, 0 * ones)) / 2, "0.626733"
    yield r"\mathrm{JSD}", jensen_shannon_divergence(jnp.log(SOURCE)[None], jnp.log(TARGET)[None])[0], "0.066414"
    yield r"\tanh \frac{\gamma p}{2}", adaptation_schedule(jnp.array([0.0, 0.1, 1.0])), "(0, 0.462117, 0.999909)"


@derivation.figure(
    "Left: features with a standard Gaussian distribution in the source domain, and the same moved aside in the target domain. "
    r"The least domain loss rises to $\log 2$ (dotted) as they come together, while the proxy distance falls to 0. Right: the "
    "errors of all eight hypotheses of the example, where the label is 1 at the last two features in the source, and at the last "
    r"in the target. None is above the line $\epsilon_s + \mathrm{TV} + \lambda^*$.",
    panels=2,
)
def the_distance_and_the_bound(distance, errors):
    draw_domains(distance, errors)
