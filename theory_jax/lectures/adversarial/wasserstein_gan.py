"""The distance that a critic of slope 1 measures: duality and transport.

The lecture on the functions of theory_jax/adversarial/wasserstein_gan.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, Tuple, exp, log, oo

from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.adversarial.wasserstein_gan import critic_loss, dual_objective, generator_loss, sinkhorn, wasserstein_distance_1d
from theory_jax.derivation.chains import at_least, at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Expectation, Limit, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.lectures.adversarial._approach import MOMENTS, up_the_slope
from theory_jax.lectures.adversarial._transport import (
    HALF,
    METRIC,
    P,
    Q,
    crossings,
    draw_slopes,
    matchings,
    three_points,
    transforms,
    two_rounds,
)
from theory_jax.lectures.lemmas.entropic_plan import entropic_plan, more_cost, near_cheapest
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="The distance that a critic of slope 1 measures: duality and transport",
    lectures=(9,),
    sources=(
        "Arjovsky & Bottou 2017, Towards Principled Methods for Training Generative Adversarial Networks",
        "Arjovsky, Chintala & Bottou 2017, Wasserstein Generative Adversarial Networks",
        "Villani 2009, Optimal Transport, Old and New, chapter 5",
        "Peyre & Cuturi 2019, Computational Optimal Transport, sections 2 to 4",
    ),
    question="When samples and data do not overlap, a good discriminator tells them apart with certainty, whatever the samples "
    "are, and the generator learns nothing from it. Why does a critic that may not be steeper than 1 measure how far the samples "
    "must move instead, and why does that give the generator a slope where the Jensen-Shannon divergence gives none?",
    setting=(
        "Finitely many points, with a cost $c_{i,j}$ of moving a unit of mass from $i$ to $j$ that is a metric: zero from a "
        "point to itself and positive otherwise, the same in both directions, and never larger than by way of a third point.",
        r"The data have the distribution $p$, the generator's samples $q$. A coupling (a plan) $\pi_{i,j}$, never negative, "
        r"moves one to the other: its rows sum to $p$, its columns to $q$. It is $p_i$ times the share $\kappa(j|i)$ of the mass "
        "at $i$ that goes to $j$.",
        r"$W_1(p, q)$ is the smallest cost of a coupling, $\min_\pi \sum_{i,j} \pi_{i,j}\, c_{i,j}$. A potential $f$ (the "
        "critic) is 1-Lipschitz if its fall $f_i - f_j$ is at most the cost $c_{i,j}$ for all $i$ and $j$.",
    ),
    limits=(
        "Duality on infinite spaces. On finite ones it is derived from entropic plans; that such a plan exists (a continuous "
        "function on a compact set has a smallest value) and that a best critic does is used.",
        "How closely a network with a constraint on its slope reaches the best critic.",
        "The distance of two samples overestimates that of their distributions in expectation; for two samples of one "
        "distribution with a density in $D$ dimensions, three or more, the excess falls as slowly as $N^{-1/D}$.",
    ),
    trained="Weight clipping bounds the weights of a critic, and its slope only by way of them. `adversarial/gradient_penalty` "
    "trains the same game with a penalty on the slope itself.",
)

i = derivation.index("i", "a point, from which mass leaves")
j = derivation.index("j", "a point, at which it arrives")
k = derivation.index("k", "a third point")
p = derivation.law("p", i, "the data", "exp(log_probs_p)")
share = derivation.law(r"\kappa({}|{})", (j, i), "the share of the mass at $i$ that a coupling moves to $j$")
pi = derivation.define(r"\pi", p * share, "a coupling", "exp(log_plan)", over=(i, j), positive=True)
q = derivation.define("q", Total(i, pi), "the generator's samples: the column sums", "exp(log_probs_q)", over=j, law=True)
c = derivation.numbers("c", (i, j), "the cost of moving a unit of mass from $i$ to $j$", "cost")
f = derivation.numbers("f", i, "the critic's values", "potential")
derivation.say(
    "Why should samples and data not overlap? A generator of images with 100 random inputs draws from a surface of at most 100 "
    "dimensions in a space of thousands of pixels, and photographs fill little of that space, too. In general two such surfaces "
    "share no set of positive probability, so a discriminator can be certain everywhere (Arjovsky & Bottou)."
)
derivation.say(
    "The idea in a picture: $p$ are heaps of earth, $q$ are holes, and a plan says which heap fills which hole, at a cost of "
    "mass times way. A carrier asks for $f_i - f_j$ to move a unit from $i$ to $j$, a difference of two prices, and never more "
    "than the way: that is what 1-Lipschitz means. So the bill, which depends on the prices but not on the plan, is at most "
    "the cost of any plan."
)
derivation.symbol("W_1", r"the smallest cost of a coupling of $p$ and $q$")
_FALLING = {c: METRIC, f: (3, 2, 0)}
lipschitz = derivation.assume(
    "The critic is 1-Lipschitz", plus(c, -f, f.at(j)), example=_FALLING, wrong={"slope 2": plus(c, -2 * f, 2 * f.at(j))}
)
slack = Total(i, Total(j, pi * lipschitz.at()))
critic_value = Total(i, (p - q.at(i)) * f)
derivation.answer = prose(
    "The value {value} of a 1-Lipschitz critic is at most $W_1(p, q)$: what it lacks to the cost of a plan is {short}, which "
    "is never negative, and zero if and only if the critic falls by the full cost along every move. The best critic's value is "
    "the distance (Kantorovich and Rubinstein), and its slope along the moves of a cheapest plan is 1: where $p$ and $q$ are "
    "apart, it still tells the generator which way to go. How far is told by the value, not by the slope.",
    value=critic_value,
    short=holds(
        plus(Total(i, Total(j, pi * c)), -critic_value),
        "=",
        Total(i, Total(j, pi * plus(c, -f, f.at(j)))),
        named=True,
        wrong={"rows and columns exchanged": Total(i, Total(j, pi * plus(c, f, -f.at(j))))},
    ),
)
duality = derivation.chain(
    "Every 1-Lipschitz critic is a lower bound on every coupling",
    critic_value,
    equals(
        Total(i, Total(j, pi * (f - f.at(j)))),
        r"the rows of $\pi$ sum to $p$, its columns to $q$",
        wrong={"rows and columns exchanged": Total(i, Total(j, pi * (f.at(j) - f)))},
    ),
    equals(plus(Total(i, Total(j, pi * c)), -slack), "add and subtract the cost of every move"),
    at_most(
        Total(i, Total(j, pi * c)),
        prose(
            "add what the critic leaves unused, never negative, and zero if and only if {full} wherever mass moves",
            full=where(c, plus(f, -f.at(j))),
        ),
        adding=slack,
    ),
    central=True,
    so="The left side, the bill, needs samples and a critic, but no coupling; the right side a coupling, but no critic. If "
    "both are equal, the critic is the best one and the coupling a cheapest one: neither can be improved.",
)
triangle = derivation.assume(
    "The cost obeys the triangle inequality",
    plus(c.at(i, k), c.at(k, j), -c),
    i,
    j,
    k,
    example={c: METRIC},
    wrong={"a detour of twice the way": plus(c.at(i, k), c.at(k, j), -2 * c)},
)
derivation.say(
    prose(
        "Is the bound ever reached? For any cost the dual problem has two potentials, one for each side. Given one, the other "
        "is best chosen as its transform $f^c_i$, the smallest of the {offers} over all $j$: the largest value that the cost "
        "allows.",
        offers=plus(c, -f.at(j)),
    )
)
transform = derivation.numbers("f^c", i, "the transform of the potential", "c_transform")
smallest = derivation.assume(
    r"The transform at i is at most what any point j offers",
    plus(c, -f.at(j), -transform),
    example={c: METRIC, f: (0, 2, 0), transform: (-1, -2, 0)},
    wrong={"the largest offer": plus(-c, f.at(j), transform)},
)
reached = derivation.assume(
    r"At k it is what some point j offers",
    plus(transform.at(k), -c.at(k, j), f.at(j)),
    example={c: ((1, 2, 3), (2, 3, 4), (0, 1, 2)), f: (0, 1, 2), transform: (1, 2, 0)},  # here every point offers as much
    wrong={"below all offers": plus(transform.at(k), -1, -c.at(k, j), f.at(j))},
)
derivation.chain(
    "The transform of any potential is 1-Lipschitz",
    transform - transform.at(k),
    at_most(plus(c, -f.at(j), -transform.at(k)), r"$f^c_i$ is at most what this $j$ offers", adding=smallest.at()),
    at_most(plus(c, -f.at(j), -c.at(k, j), f.at(j)), r"choose $j$ where the minimum at $k$ is reached", adding=reached.at()),
    equals(c - c.at(k, j), "$f_j$ cancels"),
    at_most(c.at(i, k), "the triangle inequality", adding=triangle.at(i, j, k)),
    role="lemma",
)
derivation.say(
    "A critic that nearly reaches the bound comes from a plan that is nearly the cheapest. The plan with the least cost less "
    r"$\varepsilon$ times its entropy has the form $e^{(\alpha_i + \beta_j - c_{i,j})/\varepsilon}$ with two potentials "
    r"(lemma). So its cost is their sum, less $\varepsilon$ times the logarithm of the plan."
)
epsilon = derivation.number(r"\varepsilon", "the weight of the entropy", "epsilon", positive=True)
alpha = derivation.numbers(r"\alpha", i, "the potential of the rows")
beta = derivation.numbers(r"\beta", j, "the potential of the columns")
N = derivation.count(i, "N", "the number of points")
entropic_cost = derivation.define(
    r"\tilde c", plus(alpha, beta, -epsilon * log(pi)), "the cost, written by the plan and its potentials", over=(i, j)
)
even = derivation.define("u", 1 / N, "the uniform distribution", over=i, law=True)
potentials = plus(Total(i, p * alpha), Total(j, q * beta))
nearly = derivation.chain(
    "The potentials of the entropic plan are worth its cost, but for the entropy",
    potentials,
    equals(
        plus(Total(i, Total(j, pi * entropic_cost)), epsilon * Total(i, Total(j, pi * log(pi)))),
        "row and column sums, and the form of the plan",
        wrong={"the entropy's sign": plus(Total(i, Total(j, pi * entropic_cost)), -epsilon * Total(i, Total(j, pi * log(pi))))},
    ),
    equals(
        plus(
            Total(i, Total(j, pi * entropic_cost)),
            -2 * epsilon * log(N),
            times(epsilon, plus(Divergence(p, even), Expectation(p, Divergence(share, even.at(j))))),
        ),
        prose("{split}; the divergences from the uniform distribution", split=holds(log(pi), "=", plus(log(p), log(share)))),
    ),
    at_least(
        plus(Total(i, Total(j, pi * entropic_cost)), -2 * epsilon * log(N)),
        "leave out divergences (Gibbs): the entropy of $N^2$ pairs is at most $2 \\log N$",
        dropping=times(epsilon, plus(gibbs.at(p, even), Expectation(p, gibbs.at(share, even.at(j))))),
    ),
    uses=(entropic_plan,),
    role="lemma",
)
surprise = derivation.numbers("s", i, r"minus the logarithm of the largest $\pi_{i,j}$ of row $i$", positive=True)
critic = derivation.define("g", plus(alpha, epsilon * surprise), r"the transform of $\beta$", over=i)
at_itself = derivation.assume(
    "The transform of $\\beta$ at a point is at most what the point itself offers",
    plus(-beta, -critic.at(j)),
    example={epsilon: 1, alpha: (HALF, HALF), beta: (HALF, HALF), surprise: (-2 * HALF, -2 * HALF)},
    wrong={"the potential's sign": plus(beta, -critic.at(j))},
)
reached_bound = derivation.chain(
    "Some 1-Lipschitz critic is worth the least cost, up to any small weight of the entropy (Kantorovich and Rubinstein)",
    Total(i, (p - q.at(i)) * critic),
    equals(
        plus(potentials, epsilon * Total(i, p * surprise), Total(j, q * plus(-beta, -critic.at(j)))),
        r"add and subtract both potentials",
    ),
    at_least(
        potentials,
        prose(
            r"leave out what is never negative: no entry of a plan is above 1, and the point itself offers $-\beta_j$, since "
            "moving nowhere costs nothing"
        ),
        dropping=plus(epsilon * Total(i, p * surprise), Total(j, q * at_itself.at())),
    ),
    so=prose(
        "The offers {offers} are {smallest}: the smallest is that of the largest entry of the row. The critic is a transform, "
        r"so it is 1-Lipschitz, and its value is at least the cost of a plan less $2 \varepsilon \log N$, for every "
        r"$\varepsilon$: the largest value of a 1-Lipschitz critic is no less than $W_1$, and by the first bound no more. That "
        "is the theorem of Kantorovich and Rubinstein on finitely many points.",
        offers=plus(entropic_cost, -beta),
        smallest=holds(plus(entropic_cost, -beta), "=", plus(alpha, -epsilon * log(pi)), named=True),
    ),
)
derivation.bridge(
    "The code computes the critic's value",
    Total(i, (p - q.at(i)) * f),
    dual_objective,
    log_probs_p=[log(p)],
    log_probs_q=[log(q)],
    potential=[f],
    wrong={"data and samples exchanged": Total(i, (q.at(i) - p) * f)},
)
backward = derivation.assume(
    "The critic is 1-Lipschitz in the other direction, too",
    plus(c, f, -f.at(j)),
    example=_FALLING,
    wrong={"slope 2": plus(c, 2 * f, -2 * f.at(j))},
)
derivation.chain(
    "The transform of a 1-Lipschitz critic is the critic itself, with the opposite sign",
    c - f.at(j),
    equals(plus(-f, backward.at()), "add and subtract $f_i$"),
    at_least(
        -f,
        prose(
            "leave out what is never negative; it is zero where {full}, which is true from a point to itself: so this is the "
            "minimum",
            full=where(c, plus(f.at(j), -f)),
        ),
        dropping=backward.at(),
    ),
    so=prose(
        "So the value of both potentials is that of one, {value} with {transform}: for a metric and a 1-Lipschitz critic one "
        "network is enough.",
        value=holds(plus(Total(i, p * f), Total(j, q * transform.at(j))), "=", critic_value),
        transform=where(transform, -f),
    ),
)


@derivation.exact(
    r"f^{ccc} = f^c,\qquad f^c = -f \text{ if } f \text{ is 1-Lipschitz}",
    because="All potentials with values 0 to 4 on the points 0, 1 and 3. The first holds for every cost that is the same in both "
    "directions: $f_j$ is at most $c_{i,j} - f^c_i$ for all $i$, so $f$ is nowhere above $f^{cc}$; the transform turns "
    "inequalities over, so $f^{ccc}$ is nowhere above $f^c$; and the first step, taken at $f^c$, says the reverse.",
    outcomes=125,
    role="remark",
)
def transforms_of_all_potentials():
    gentle, of_gentle, once, twice, thrice = transforms(range(5))
    got, wanted = jnp.stack([thrice, of_gentle]), jnp.stack([once, -gentle])
    return Sides(left=got, right=wanted, wrong={"two transforms in place of three": jnp.stack([twice, wanted[1]])})


derivation.say("On a line no program is needed: sort both samples, and match them in this order.")

for _side in ("x", "y"):
    derivation.symbol(f"{_side}_1", f"the smaller ${_side}$")
    derivation.symbol(f"{_side}_2", f"the larger ${_side}$")
derivation.symbol("b", "the gap between the second and the third of four points on a line")


@derivation.symbolic(
    r"\left(|x_1 - y_2| + |x_2 - y_1|\right) - \left(|x_1 - y_1| + |x_2 - y_2|\right) \in \{0, 2 b\}, \quad\text{squared: } 2 "
    "(x_2 - x_1)(y_2 - y_1)",
    because="Two points of each sample, each pair in order: matched crosswise against matched in order. Of the six orders that "
    "four points can have, the four with an $x$ and a $y$ among the first two cost twice the middle gap $b$ more if crossed; "
    "where both points of one sample come first, nothing. With squared distances only the products of an $x$ and a $y$ differ. "
    "So uncrossing a matching never costs; after finitely many uncrossings it is sorted.",
    role="lemma",
)
def crossing_never_pays():
    excess, wanted = crossings()
    return Sides(left=excess, right=wanted, wrong={"the gap once": [part / 2 for part in wanted]})


derivation.symbol("o", "the order of a distance", "order")
derivation.symbol("s", "a matching")
derivation.symbol("W", "the distance of that order on a line", "wasserstein_distance_1d")


@derivation.exact(
    r"W(x, y) = \min_{s} \left(\tfrac17 \sum_i |x_i - y_{s(i)}|^o\right)^{1/o},\qquad o = 1, 2",
    because="All matchings of two samples of seven. A coupling may also split points, but the cheapest cost is always reached "
    "by a matching: the couplings of two uniform distributions are mixtures of matchings (Birkhoff, stated), and a mean is no "
    "smaller than its smallest term.",
    outcomes=5040,
    role="lemma",
)
def all_matchings():
    sample, other, gaps = matchings()
    cheapest = [np.mean(gaps**order, axis=1).min() for order in (1, 2)]
    found = [wasserstein_distance_1d(sample, other, order=order) for order in (1, 2)]
    wrong = {"the root forgotten": np.array(cheapest), "unsorted": np.array([gaps[0].mean(), (gaps[0] ** 2).mean() ** 0.5])}
    return Sides(left=np.array(found), right=np.array([cheapest[0], cheapest[1] ** 0.5]), wrong=wrong)


derivation.symbol(r"\theta", "the position of the generator's only point")
derivation.symbol(r"\mathrm{JSD}", "the Jensen-Shannon divergence (lecture 6)", "jensen_shannon_divergence")
derivation.symbol(r"\delta_\theta", r"all mass at $\theta$")


@derivation.autodiff(
    r"\frac{d}{d\theta} W_1(\delta_0, \delta_\theta) = \operatorname{sign} \theta = \frac{d}{d\theta} "
    r"\left(-f(\theta)\right),\qquad \mathrm{JSD}(\delta_0, \delta_\theta) = \log 2",
    because=r"Data at 0, samples at $\theta$: the only coupling costs $|\theta|$, and a best critic is minus the size of $x$. "
    "Its gradient at the samples, which is all that the generator receives, is the gradient of the distance: moving the samples "
    r"changes the value, and the critic, being the best one, need not follow at first order. The divergence is $\log 2$ at every "
    r"$\theta$ but zero: its slope is zero. Four values of $\theta$.",
)
def a_slope_everywhere():
    places = jnp.array([-3.0, -0.5, 0.25, 2.0])
    of_distance = jax.vmap(jax.grad(lambda place: wasserstein_distance_1d(jnp.zeros(1), place[None])))(places)
    of_loss = jax.vmap(jax.grad(lambda place: generator_loss(-jnp.abs(place)[None])[0]))(places)
    apart = jnp.log(jnp.array([[1.0, 0.0]])), jnp.log(jnp.array([[0.0, 1.0]]))
    constant = jnp.broadcast_to(jensen_shannon_divergence(*apart) - math.log(2), 4)
    got = jnp.stack([of_distance, of_loss, constant])
    wanted = jnp.stack([jnp.sign(places), jnp.sign(places), 0 * places])
    return Sides(left=got, right=wanted, wrong={"away from the data": -wanted, "no slope": 0 * wanted})


real, fake = derivation.number("r", "a real score", "scores_real"), derivation.number(r"\phi", "a fake score", "scores_fake")
critic_part = derivation.bridge(
    "The critic descends minus its value",
    fake - real,
    critic_loss,
    scores_real=[real],
    scores_fake=[fake],
    wrong={"the value itself": real - fake},
)
generator_part = derivation.bridge("... and the generator its own part of it", -fake, generator_loss, scores_fake=[fake])


derivation.algorithm(
    "WGAN: two critic steps for one of the generator, with weight clipping",
    do("repeat:"),
    do("twice (five times in the source): take data and samples, with critic values $r$ and $\\phi$", by=duality, indent=1),
    do("step the critic's weights $w$ down the gradient of the mean of $\\phi - r$", critic_loss, by=critic_part, indent=2),
    do("clip every weight to the interval from $-1$ to 1 (0.01 in the source, where the step is RMSProp's)", indent=2),
    do("take samples; step the generator down the gradient of the mean of $-\\phi$", generator_loss, by=generator_part, indent=1),
)(two_rounds)


derivation.say(
    "Between two samples the distance can also be computed: by a linear program, or nearly, by Sinkhorn's iteration, which "
    r"looks for the potentials of the entropic plan. It sets $\alpha$ so that the rows sum to $p$, then $\beta$ so that the "
    r"columns sum to $q$, and again. The cost of that plan falls as $\varepsilon$ does."
)
two = derivation.define(
    r"\bar C",
    1 / (1 + exp(1 / epsilon)),
    r"the cost on two points at distance 1, with half of $p$ and of $q$ at each",
    "sinkhorn",
)
derivation.chain(
    "On two points at distance 1 the cost of the entropic plan falls to the distance exponentially fast",
    exp(-1 / epsilon) / (1 + exp(-1 / epsilon)),
    equals(
        two,
        r"by symmetry the shares of both rows are as $1$ to $e^{-1/\varepsilon}$; expand the fraction by $e^{1 / \varepsilon}$",
        wrong={"the mass that stays": 1 - two},
    ),
    uses=(more_cost, near_cheapest),
    so=prose(
        r"It falls to the distance itself, {distance}, exponentially fast in $1/\varepsilon$, and stays below the bound: "
        "{bound}. With a large weight half of the mass crosses, {most}, as in the product of the marginals.",
        distance=holds(Limit(two, epsilon, 0), "=", 0),
        bound=holds(two, "<", epsilon * log(4)),
        most=holds(Limit(two, epsilon, oo), "=", Rational(1, 2)),
    ),
    role="remark",
)
_HALVES, _APART = np.log([0.5, 0.5]), np.array([[0.0, 1.0], [1.0, 0.0]])
derivation.bridge(
    "The code's iteration ends there",
    (None, two),
    sinkhorn,
    log_weights_a=_HALVES,
    log_weights_b=_HALVES,
    cost=_APART,
    epsilon=epsilon,
    iterations=2,
    wrong={"the cost multiplied by epsilon, not divided": (None, 1 / (1 + exp(epsilon)))},
)


derivation.figure(
    "Training with the best opponent at every step. Left: samples (blue), data (orange) and the best critic, which rises towards "
    "the data with slope 1 however far they are. Right: the distance that is left. With the critic it falls by the same amount "
    "in every step, and near the data the steps are too long; with the best discriminator and the game's own loss, samples that "
    "start at the same place hardly move. The critic's value is this distance: its curve shows the progress of training.",
    panels=2,
    frames=[f"step {moment}" for moment in MOMENTS],
)(up_the_slope)
derivation.example(
    prose(
        "The points $0$, $1$ and $3$ on a line, with {p} and {q}. Only the last point receives: a quarter from 0, over a "
        "distance of 3, and a quarter from 1, over 2. The critic $(3, 2, 0)$ is the distance to that point.",
        p=means("p", Tuple(*map(Rational, P))),
        q=means("q", Tuple(*map(Rational, Q))),
    )
)(three_points)


@derivation.figure(
    r"Left: data at 0, samples at $\theta$. The distance has a slope everywhere but at the data; the Jensen-Shannon divergence "
    "is flat wherever the samples are wrong. Right: the example. The best critic falls with slope 1 along both moves of the "
    "plan.",
    panels=2,
)
def slope_and_plateau(left, right):
    draw_slopes(left, right)
