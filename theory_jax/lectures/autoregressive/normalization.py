"""Normalization and skips: what a norm forgets, and why a network can be deep.

The lecture on the functions of theory_jax/autoregressive/normalization.py.
"""

import itertools

import jax
import jax.numpy as jnp
import sympy
from sympy import KroneckerDelta, sqrt

from theory_jax.autoregressive.normalization import (
    layer_norm,
    layer_norm_backward,
    post_norm_residual,
    pre_norm_residual,
    rms_norm,
    rms_norm_backward,
)
from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.draws import draw
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Inner, Normal, Product, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.lectures.autoregressive._random_blocks import circle_and_depth, two_blocks

derivation = Derivation(
    module=__name__,
    title="Normalization and skips: what a norm forgets, and why a network can be deep",
    lectures=(46,),
    sources=(
        "Ba, Kiros & Hinton 2016, Layer Normalization",
        "Zhang & Sennrich 2019, Root Mean Square Layer Normalization",
        "Veit, Wilber & Belongie 2016, Residual Networks Behave Like Ensembles of Relatively Shallow Networks",
        "Xiong et al. 2020, On Layer Normalization in the Transformer Architecture",
        "Wang et al. 2022, DeepNet: Scaling Transformers to 1,000 Layers",
    ),
    question="Without normalization the scale of the signals drifts from layer to layer, and the size of the steps with it; "
    "without skips the gradient of a network of thirty layers may be gone before it reaches the first. What does a normalization "
    "layer do to a signal, and what to its gradient? And why can a network have a hundred layers with skip connections, and "
    "not without?",
    setting=(
        r"A vector $x$ has $E$ entries. Layer normalization subtracts their mean and divides by their standard deviation; a "
        r"learned weight $w_i$ and bias $b_i$ follow. RMS normalization divides by the root of the mean square and subtracts "
        r"nothing. A small $\varepsilon$ under the root, which is not negative, keeps the division finite; without it "
        r"the entries must not all be equal (for RMS: not all zero).",
        r"A residual block adds a branch $f$ to its input. In the pre-norm form it is $x + f(\mathrm{LN}(x))$, in the "
        r"post-norm form $\mathrm{LN}(x + f(x))$. At initialization a branch is thought of as a matrix $B$ of independent "
        r"entries with mean zero and variance $\gamma / E$; $\gamma$ is the branch's gain. The width is taken to be large: the "
        r"two directions of $E$ that a norm loses are neglected there, and so are fluctuations.",
    ),
    limits=(
        "Training is not covered: all statements about depth are about the first step.",
        r"That a transformer's branches are like independent random matrices is a model; attention's gain depends on its input.",
        "Whether post-norm networks need a warm-up is not decided by this argument: the decay of the skip path alone does not "
        "imply it.",
    ),
)

i = derivation.index("i", "an entry")
j = derivation.index("j", "an entry, next to $i$")
k = derivation.index("k", "an entry, next to $i$ and $j$")
E = derivation.count(i, "E", "the width")
x = derivation.numbers("x", i, "the input", "x")
eps = derivation.number(r"\varepsilon", "what is added under the root", "epsilon", nonnegative=True)
mean = derivation.define(r"\bar x", Total(j, x.at(j)) / E, "the mean of the entries")
var = derivation.define("v", Total(j, (x.at(j) - mean) ** 2) / E, "their variance, with $1/E$")
root = derivation.define("r", 1 / sqrt(var + eps), "one over the standard deviation")
hat = derivation.define(r"\hat x", times(root, x - mean), "the normalized entries", over=i)
w = derivation.numbers("w", i, "the weight", "weight")
b = derivation.numbers("b", i, "the bias", "bias")
derivation.bridge(
    "The code normalizes, weighs and shifts",
    plus(times(w, hat), b),
    layer_norm,
    x=x,
    weight=w,
    bias=b,
    epsilon=eps,
    wrong={
        "the variance with 1/(E - 1)": plus(times(w, x - mean, 1 / sqrt(var * E / (E - 1) + eps)), b),
        "epsilon outside the root": plus(times(w, x - mean, 1 / (sqrt(var) + eps)), b),
    },
)

derivation.say("The map. What is left of an input, and what is lost?")
sphere = derivation.chain(
    "The output is on a sphere of radius root E",
    Total(i, hat**2),
    equals(times(E, var) / (var + eps), "the definition of the variance"),
    equals(plus(E, -times(E, eps) / (var + eps)), "divide"),
    role="lemma",
    so=prose(
        "Its mean is zero, and at {none} it has {radius}: subtracting the mean is the orthogonal projection on "
        r"the plane of mean zero, and the division puts the point on the sphere in that plane.",
        none=where(eps, 0),
        radius=holds(Total(i, hat**2), "=", E),
    ),
)
scale = derivation.number("a", "a factor", positive=True)
shift = derivation.number("c", "a shift of all entries")
moved = derivation.define("x'", scale * x + shift, "another input, scaled and shifted", over=i)
mean_moved = derivation.define(r"\bar x'", Total(j, moved.at(j)) / E, "its mean")
var_moved = derivation.define("v'", Total(j, (moved.at(j) - mean_moved) ** 2) / E, "its variance")
derivation.chain(
    "A layer norm forgets shift and scale",
    (moved - mean_moved) / sqrt(var_moved),
    equals(
        times(scale, x - mean) / sqrt(var_moved),
        prose("{mean}, so the shift cancels", mean=holds(mean_moved, "=", plus(scale * mean, shift))),
    ),
    equals((x - mean) / sqrt(var), prose("{variance}, and $a$ is positive", variance=holds(var_moved, "=", scale**2 * var))),
    so=r"Here $\varepsilon$ is 0. With a negative factor the output changes its sign. RMS normalization forgets the scale alone.",
)

derivation.say(r"The gradient. Differentiate $\hat x_i$, for any $\varepsilon$.")
jacobian = derivation.define("J", times(root, KroneckerDelta(i, j) - 1 / E - hat * hat.at(j) / E), "the Jacobian", over=(i, j))
central = derivation.chain(
    "The Jacobian of a layer norm",
    Slope(hat, x.at(j)),
    equals(
        plus(times(root, KroneckerDelta(i, j) - 1 / E), times(x - mean, Slope(root, x.at(j)))),
        "the product rule; each entry moves itself, and all move the mean",
    ),
    equals(
        plus(times(root, KroneckerDelta(i, j) - 1 / E), -times(x - mean, root**3, x.at(j) - mean) / E),
        prose(
            "the chain rule through the variance: {slope}",
            slope=holds(Slope(root, x.at(j)), "=", -times(root**3, x.at(j) - mean) / E),
        ),
    ),
    equals(
        jacobian,
        prose("{entry}, twice", entry=holds(hat, "=", times(root, x - mean))),
        wrong={"no projection along the output": root * (KroneckerDelta(i, j) - 1 / E)},
    ),
    central=True,
    so=r"In matrices it is $r (I - \frac1E \mathbf{1}\mathbf{1}^\top - \frac1E \hat x \hat x^\top)$: symmetric, and divided by "
    r"the standard deviation of the input. Large activations receive small gradients.",
)
z = derivation.define("z", (x - mean) / sqrt(var), r"$\hat x_i$, without $\varepsilon$", over=i)
proj = derivation.define(
    r"\Pi", KroneckerDelta(i, j) - 1 / E - z * z.at(j) / E, r"$\sqrt{v}\,J$, without $\varepsilon$", over=(i, j)
)
derivation.chain(
    "The Jacobian is a projection, divided by the standard deviation",
    Total(k, times(proj.at(i, k), proj.at(k, j))),
    equals(
        plus(KroneckerDelta(i, j), -1 / E, times(-2 + Total(k, z.at(k) ** 2) / E, z, z.at(j)) / E),
        prose("multiply out, with {mean}", mean=holds(Total(k, z.at(k)), "=", 0)),
    ),
    equals(proj, prose("{square}", square=holds(Total(k, z.at(k) ** 2), "=", E))),
    so=prose(
        r"Projecting twice is projecting once, so all singular values of the symmetric $\Pi$ are 0 or 1. At {none} the Jacobian "
        r"is {jacobian}, so its own are 0 or $1/\sqrt v$.",
        none=where(eps, 0),
        jacobian=holds(jacobian, "=", proj / sqrt(var), named=True),
    ),
    role="lemma",
)
derivation.chain(
    "The projection has rank E - 2",
    Total(i, proj.at(i, i)),
    equals(plus(E, -1, -Total(i, z**2) / E), r"$E$ ones on the diagonal, minus $E$ times $\frac1E$"),
    equals(plus(E, -2), prose("{square}", square=holds(Total(i, z**2), "=", E))),
    role="lemma",
    so=r"The trace of a projection is its rank, so the kernel has two dimensions: it is spanned by $\mathbf{1}$ and $x$, and "
    r"no other direction is lost. With two entries nothing is left: the output is $(-1, 1)$ or $(1, -1)$, whatever the input.",
)
square = derivation.define("q", Total(j, x.at(j) ** 2) / E, "the mean square of the entries")
inverse = derivation.define("s", 1 / sqrt(square + eps), "one over the root mean square")
tilde = derivation.define(r"\tilde x", times(inverse, x), "the entries after RMS normalization", over=i)
derivation.chain(
    "RMS normalization has the same Jacobian without the mean",
    Slope(tilde, x.at(j)),
    equals(
        times(inverse, KroneckerDelta(i, j) - tilde * tilde.at(j) / E),
        prose("the product rule with {slope}", slope=holds(Slope(inverse, x.at(j)), "=", -times(inverse**3, x.at(j)) / E)),
    ),
    so=r"Without $\varepsilon$ it is a projection of rank $E - 1$, with kernel $x$ alone, times one over the root mean square.",
    role="remark",
)
dy = derivation.numbers("d", i, "the gradient of the loss in the output", "upstream")
g = derivation.define("g", times(w, dy), "the gradient in the normalized entries", over=i)
g_mean = derivation.define(r"\bar g", Total(i, g) / E, "its mean")
g_hat = derivation.define("h", Total(i, times(g, hat)) / E, r"the mean of its products with $\hat x$")
backward = derivation.chain(
    "Backward, a layer norm takes two means, and no matrix",
    Slope(Total(i, times(dy, plus(times(w, hat), b))), x.at(j)),
    equals(Total(i, times(g, jacobian)), "the chain rule"),
    equals(
        times(root, plus(g.at(j), -g_mean, -times(hat.at(j), g_hat))),
        r"insert $J$: its second term takes the mean of $g$, its third that of $g \hat x$",
    ),
    role="lemma",
)

derivation.bridge(
    "The code's gradients in the input, the weight and the bias",
    (times(root, plus(g, -g_mean, -times(hat, g_hat))), times(dy, hat), dy),
    layer_norm_backward,
    x=x,
    weight=w,
    upstream=dy,
    epsilon=eps,
    wrong={"the variance held": (times(root, g - g_mean), times(dy, hat), dy)},
)
derivation.bridge("RMS normalization in the code", times(w, tilde), rms_norm, x=x, weight=w, epsilon=eps)
derivation.bridge(
    "... and its gradients in the input and the weight",
    (times(inverse, plus(g, -times(tilde, Total(j, g.at(j) * tilde.at(j)) / E))), times(dy, tilde)),
    rms_norm_backward,
    x=x,
    weight=w,
    upstream=dy,
    epsilon=eps,
)

derivation.say(
    r"Depth. A chain of $L$ residual blocks has, to first order, the Jacobian $(I + B_L) \cdots (I + B_1)$. Multiply it out."
)
derivation.symbol("I", "the identity")
derivation.symbol("B_l", "the Jacobian of branch $l$; matrices do not commute")
derivation.symbol("S", "a set of blocks, whose branches are taken")


@derivation.symbolic(
    r"(I + B_4)(I + B_3)(I + B_2)(I + B_1) = \sum_{S \subseteq \{1, 2, 3, 4\}} \prod_{l \in S} B_l",
    because="One term for every choice of branches: a residual network is a sum over $2^L$ paths of all lengths. One of them "
    "is empty: the gradient reaches the first layer along it, whatever the branches do. The products are ordered, later blocks "
    "left.",
    role="lemma",
)
def a_residual_chain_is_a_sum_over_paths():
    B = sympy.symbols("B_1:5", commutative=False)
    sets = [taken for size in range(5) for taken in itertools.combinations(range(4), size)]
    paths = [sympy.Mul(*(B[n] for n in reversed(taken))) for taken in sets]
    chain = (1 + B[3]) * (1 + B[2]) * (1 + B[1]) * (1 + B[0])
    return Sides(left=chain, right=sum(paths))


U = derivation.numbers("u", i, "a direction")
BU = derivation.numbers("y", i, "what the branch makes of it: $B u$")
beta = derivation.number(r"\beta", r"a bound of the branch: $\|B u\|$ is at most $\beta \|u\|$ for every $u$", between=(0, 1))
bounded = derivation.assume(
    "A branch stretches by at most its bound",
    beta**2 * SquaredNorm(i, U) - SquaredNorm(i, BU),
    *(U, BU, beta),
    example={U: (6, 8), BU: (3, 4), beta: sympy.Rational(1, 2)},
    wrong={"half the bound": beta**2 / 4 * SquaredNorm(i, U) - SquaredNorm(i, BU)},
)
within = bounded.at(U, BU, beta)
shrinks = derivation.chain(
    "With a skip a block shrinks nothing by more than its branch's bound",
    SquaredNorm(i, U + BU),
    equals(
        plus(
            times(1 - beta, SquaredNorm(i, U)),
            -times(1 / beta - 1, SquaredNorm(i, BU)),
            times(beta, SquaredNorm(i, U + BU / beta)),
        ),
        prose(
            "multiply the last square out: {square}",
            square=holds(
                SquaredNorm(i, U + BU / beta),
                "=",
                plus(SquaredNorm(i, U), 2 * Inner(i, U, BU) / beta, SquaredNorm(i, BU) / beta**2),
            ),
        ),
    ),
    at_least(
        plus(times(1 - beta, SquaredNorm(i, U)), -times(1 / beta - 1, SquaredNorm(i, BU))),
        prose("leave out a square, which is zero where {turned} for every entry", turned=where(BU, -beta * U)),
        dropping=times(beta, SquaredNorm(i, U + BU / beta)),
    ),
    at_least(
        plus(times(1 - beta, SquaredNorm(i, U)), -times(1 / beta - 1, beta**2, SquaredNorm(i, U))),
        "the bound of the branch",
        dropping=times(1 / beta - 1, within),
    ),
    equals(times((1 - beta) ** 2, SquaredNorm(i, U)), "collect"),
    so=r"From above, by the triangle inequality, $\|u + B u\|$ is at most $(1 + \beta) \|u\|$. Block after block: every "
    r"singular value of the chain is in $[(1 - \beta)^L, (1 + \beta)^L]$. Without skips only the upper bound $\beta^L$ is left, "
    "and nothing keeps a gradient from vanishing. Multiples of the identity attain both ends.",
)

derivation.say("At initialization branches point in random directions, and the bounds are pessimistic. On average squares add.")
gamma = derivation.number(r"\gamma", r"the gain of a branch: $E$ times the variance of its matrix's entries", positive=True)
B1, B2 = (derivation.number(f"R_{n}", f"entry {n} of a row of a random matrix") for n in (1, 2))
u1, u2 = (derivation.number(f"u_{n}", f"entry {n} of the direction") for n in (1, 2))
derivation.chain(
    r"A random block adds $\frac{\gamma}{E} \|u\|^2$ to the mean square of an entry, here at width two",
    Expectation(Normal(B1, 0, gamma / 2), Expectation(Normal(B2, 0, gamma / 2), (u1 + B1 * u1 + B2 * u2) ** 2)),
    equals(
        plus(u1**2, times(gamma, plus(u1**2, u2**2)) / 2),
        r"multiply out: the entries have mean zero and are independent, so all mixed terms vanish",
    ),
    role="lemma",
    so=r"At width $E$ the second term is $\frac{\gamma}{E} \|u\|^2$. The sum over all $E$ entries is $(1 + \gamma) \|u\|^2$: "
    r"of signals going forward as of gradients going back, a random block multiplies the mean square by $1 + \gamma$.",
)
l = derivation.index("l", "a block, counted from 0")  # noqa: E741 (the lecture's letter)
L = derivation.count(l, "L", "the number of blocks")
V = derivation.define("V", plus(l, 1), "the variance of the pre-norm stream before block $l$", over=l)
derivation.chain(
    "A pre-norm network's squared gradient grows linearly",
    Product(l, plus(1, 1 / V)),
    equals(
        Product(l, plus(l, 2) / plus(l, 1)),
        r"the norm before branch $l$ divides the branch's Jacobian by $\sqrt{V_l}$, so its gain is $1/V_l$",
    ),
    equals(plus(L, 1), "numerators cancel the next denominators"),
    sizes={l: 5},
    so="Here the norm hands each branch an input of variance 1, so with gain 1 each adds 1 to the stream. Linear growth over "
    "the whole depth, not exponential, is one reason why pre-norm networks start easily. GPT-2 scales the last matrix of each "
    r"of its $2L$ branches by $1/\sqrt{2L}$: together they add what the input has.",
)
derivation.chain(
    "In the post-norm form the skip path decays, all paths together do not",
    times(1 / (1 + gamma), 1 + gamma),
    equals(
        plus(1 / (1 + gamma), gamma / (1 + gamma)),
        r"the stream's variance before the norm is $1 + \gamma$, by which the norm divides squared gradients; the first term "
        r"is the skip's share, the second the branch's",
    ),
    equals(1, "one fraction"),
    so=r"Along the skips alone the squared gradient falls by $1/(1 + \gamma)$ a block, to $2^{-L}$ for the gain 1. That alone "
    r"does not make the early gradients small: what the skip loses, the branch carries, as long as the branch's own gradient "
    r"has its gain.",
    role="remark",
)


streamed = derivation.define(r"\xi", x + x**2, "the stream behind a branch that squares", over=i)
mean_streamed = derivation.define(r"\bar \xi", Total(j, streamed.at(j)) / E, "its mean")
var_streamed = derivation.define(r"v_\xi", Total(j, (streamed.at(j) - mean_streamed) ** 2) / E, "its variance")
derivation.bridge(
    "The code's blocks, with a branch that squares",
    plus(x, hat**2),
    pre_norm_residual,
    x=x,
    weight=jnp.ones(4),
    bias=jnp.zeros(4),
    branch_fn=jnp.square,
    epsilon=eps,
)
derivation.bridge(
    "... and the norm on the stream",
    (streamed - mean_streamed) / sqrt(var_streamed + eps),
    post_norm_residual,
    x=x,
    weight=jnp.ones(4),
    bias=jnp.zeros(4),
    branch_fn=jnp.square,
    epsilon=eps,
)

derivation.say(r"A matrix before a norm. The loss does not change when such a matrix is multiplied by a positive factor.")
derivation.symbol("W", "a matrix before a norm")
derivation.symbol("F", "a loss, as a function of it")


@derivation.autodiff(
    r"\nabla F(a W) = \frac{1}{a} \nabla F(W), \quad \langle W, \nabla F(W) \rangle = 0",
    because="$F(a W)$ is $F(W)$: differentiate by $W$, and by $a$. A loss behind the code's RMS norm, at the factor 2.5. So "
    r"plain gradient descent only lengthens $W$, and the effective learning rate is $\eta / \|W\|^2$: weight decay changes no "
    "function here, it sets the learning rate.",
    scale=1.0,
    role="remark",
)
def a_longer_matrix_has_a_smaller_gradient():
    matrix, x, target = draw(6, 4, seed=3), draw(4, seed=4), draw(6, seed=6)
    gradient = jax.grad(lambda w: jnp.sum((rms_norm(w @ x, jnp.ones(6), epsilon=0.0) - target) ** 2))
    here, longer = gradient(matrix), gradient(2.5 * matrix)
    return Sides(left=jnp.append(longer.ravel(), jnp.sum(matrix * here)), right=jnp.append(here.ravel() / 2.5, 0.0))


derivation.answer = prose(
    r"Without $\varepsilon$ a layer norm puts its input on a sphere, {sphere}: it forgets shift and scale. Its gradient has no "
    "component in these two directions, {shift} and {scale}, and shrinks as the input grows. If every branch stretches by a "
    r"factor of at most $\beta$, below one, skips keep all singular values of a chain of $L$ blocks within $[(1 - \beta)^L, (1 "
    r"+ \beta)^L]$. At initialization, with branches of gain 1, the squared gradient grows with depth only linearly in the "
    "pre-norm form, {growth}, and keeps its size in the post-norm form, though there the path along the skips alone decays "
    "exponentially.",
    sphere=holds(Total(i, z**2), "=", E),
    shift=holds(Total(j, proj), "=", 0),
    scale=holds(Total(j, times(proj, x.at(j))), "=", 0),
    growth=holds(Product(l, plus(1, 1 / V)), "=", plus(L, 1)),
)


derivation.algorithm(
    "A pre-norm block, forward and backward",
    do(r"$\hat x \leftarrow (x - \bar x) / \sqrt{v + \varepsilon}$", layer_norm, by=sphere),
    do(r"$x \leftarrow x + f(w \hat x + b)$", pre_norm_residual, by=shrinks),
    do(r"backward: $g \leftarrow w$ times the gradient that the branch returns for its input"),
    do(r"through the norm: $r\, (g - \bar g - \hat x h)$, with two means", layer_norm_backward, by=backward),
    do("add the gradient that comes along the skip"),
)(two_blocks)


@derivation.example(
    r"Four entries $(0, 0, 2, 2)$ without $\varepsilon$, weight 1 and bias 0; the gradient in the output is $(1, 0, 0, 0)$."
)
def four_entries():
    given = {x: (0, 0, 2, 2), w: (1, 1, 1, 1), dy: (1, 0, 0, 0), eps: 0}
    yield mean, value(mean, given), "1"
    yield var, value(var, given), "1"
    yield hat, value(hat, given), "(-1, -1, 1, 1)"
    yield g_mean, value(g_mean, given), "0.25"
    yield g_hat, value(g_hat, given), "-0.25"
    yield (
        r"\text{the gradient in}\ x",
        layer_norm_backward(jnp.array([0.0, 0, 2, 2]), jnp.ones(4), jnp.array([1.0, 0, 0, 0]), epsilon=0.0)[0],
        "(0.5, -0.5, 0, 0)",
    )
    yield tilde, value(tilde, given), "(0, 0, 1.4142, 1.4142)"


derivation.figure(
    r"Left: points of $\mathbb{R}^3$, projected on the plane of mean zero, and where the layer norm puts them: on the circle of "
    r"radius $\sqrt 3$. Right: the size of the gradient going back through 16 random blocks of width 64 with gain 1 (mean of 3 "
    r"draws). Pre-norm grows to $\sqrt{17}$, or 4.1, post-norm keeps its size, though its skips alone decay like $2^{-l/2}$.",
    panels=2,
)(circle_and_depth)
