"""Progressive growing: what is continuous while a network doubles its resolution, and why all layers learn at one speed.

The lecture on the functions of theory_jax/adversarial/progressive_growing.py.
"""

import jax.numpy as jnp
import numpy as np
from sympy import Abs, Rational, Sum, oo, sqrt

from theory_jax.adversarial.progressive_growing import equalized_weight, fade_in, growth_schedule, pixel_normalize
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.derivation.typeset import latex
from theory_jax.foundations.training_practice import adam_update
from theory_jax.latent.convolutional_vae import average_pool
from theory_jax.lectures.adversarial._fading import (
    BLOCKS,
    LAWS,
    SIGNS,
    divergence,
    draw_fading,
    faded_block,
    faded_divergence,
    last_step,
    moved,
    of_pixel,
)

derivation = Derivation(
    module=__name__,
    title="Progressive growing: what is continuous while a network doubles its resolution, and why all layers learn at one speed",
    sources=(
        "Karras, Aila, Laine & Lehtinen 2018, Progressive Growing of GANs for Improved Quality, Stability, and Variation",
        "He, Zhang, Ren & Sun 2015, Delving Deep into Rectifiers (the gain)",
        "Kingma & Ba 2015, Adam, section 2.1 (invariance to the scale of gradients)",
    ),
    question="A GAN that is trained at a high resolution from the start hardly finds the coarse shapes; one that gets a new "
    "layer from one step to the next is shocked by its noise. Progressive growing fades new layers in. In which sense is this "
    "continuous, what does the critic notice of it, and why do weights that are scaled at run time let all layers learn at one "
    "speed under Adam?",
    setting=(
        r"$P$ takes the mean of every block of $2 \times 2$ pixels and $U$ repeats every pixel in such a block, so that $P$ "
        r"undoes $U$ (the lecture on convolutional VAEs). The generator's faded image is $(1 - \alpha) U\ell + \alpha h$, of the "
        r"old output $\ell$ and the new one $h$, with a share $\alpha$ between 0 and 1. Real images $x$ are faded likewise, with "
        r"$Px$ in place of $\ell$: to $T_\alpha x$. All of this acts on each block separately, so the chains are about one "
        "block.",
        r"Pixel normalization divides the features of a pixel by the root of their mean square. An equalized weight $w$ is $c\, "
        r"\hat w$, where $c$ is the gain over the root of the fan-in; $\hat w$ begins as $\mathcal{N}(0, 1)$ and is what Adam "
        "moves.",
        r"A stage has $S$ steps. In the first $F$ of them $\alpha$ rises from 0 to 1; the first stage has nothing to fade.",
    ),
    limits=(
        "That training in stages is more stable, faster or better: an empirical claim.",
        "The speed of the layers once the weights have left their initial size, and what pixel normalization costs a generator.",
    ),
)

i, k = derivation.index("i", "a pixel of a block of four", states=4), derivation.index("k", "one of finitely many images")
alpha = derivation.number(r"\alpha", "the share of the new resolution", "alpha", between=(0, 1))
x = derivation.numbers("x", i, "a block of a real image")
mean = derivation.define(r"\bar x", Total(i, x) / 4, "its mean, $Px$", "average_pool")
faded_real = derivation.define(
    r"T_\alpha x_{{{}}}", plus((1 - alpha) * mean, alpha * x), "the faded real block", "fade_in(average_pool(x), x)", over=i
)
low, h = derivation.number(r"\ell", "one pixel of the old output", "low"), derivation.numbers("h", i, "its new block", "high")
faded = derivation.define(r"x^\alpha", plus((1 - alpha) * low, alpha * h), "the faded block", "fade_in", over=i)

details = derivation.chain(
    "Fading keeps the means of blocks and multiplies the details by its share",
    faded_real,
    equals(
        plus(mean, alpha * (x - mean)), r"collect $\alpha$", wrong={"details that fade out": plus(mean, (1 - alpha) * (x - mean))}
    ),
    role="lemma",
    so=prose(
        "The mean of the faded block is {mean}. This rests on $U$, which repeats pixels. With bilinear upsampling the details of "
        "the old output would be there, too.",
        mean=holds(Total(i, faded_real) / 4, "=", mean, named=True),
    ),
)


def _four(block):
    """A block as one image of 2 x 2 pixels."""
    return [[[[block.at(0), block.at(1)], [block.at(2), block.at(3)]]]]


derivation.bridge(
    "The code fades a block",
    _four(faded),
    fade_in,
    low=[[[[low]]]],
    high=_four(h),
    alpha=alpha,
    wrong={"the shares exchanged": [[[[alpha * low + (1 - alpha) * h.at(n) for n in pair] for pair in ((0, 1), (2, 3))]]]},
)

derivation.say(
    "At the first step of a stage the output is the old network's, and the new block learns nothing: any slope by $h$ has the "
    r"factor $\alpha$. What does the critic notice when $\alpha$ moves to $\beta$? Let $f$ be any critic that is no steeper than "
    "1, $q$ the distribution of the generator's images, and $p$ that of the real ones, which are faded from their own means."
)
j = derivation.index("j", "one of finitely many real images")
beta = derivation.number(r"\beta", "another share", between=(0, 1))
q, p = derivation.law("q", k, "the generator's images"), derivation.law("p", j, "the real images")
old, new = derivation.numbers("L", k, "the old outputs"), derivation.numbers("H", (i, k), "the new outputs")
real = derivation.numbers("X", (i, j), "the real images")
real_mean = derivation.define(r"\bar X", Total(i, real) / 4, "the means of their blocks", over=j)
critic = derivation.function("f", "a critic of four pixels", arguments=4)


def _faded(letter, share, low, high, over, words):
    """A faded block and the critic's score of it."""
    block = derivation.define(rf"{letter}^{latex(share)}", plus((1 - share) * low, share * high), words, over=(i, over))
    name = rf"f({letter}^{latex(share)}_{{{{{{}}}}}})"
    return block, derivation.define(name, critic(*(block.at(n, over) for n in range(4))), "the critic's score of it", over=over)


fake_a, score_fake_a = _faded("H", alpha, old, new, k, "a faded image of the generator")
fake_b, score_fake_b = _faded("H", beta, old, new, k, "... with the other share")
real_a, score_real_a = _faded("X", alpha, real_mean, real, j, "a faded real image")
real_b, score_real_b = _faded("X", beta, real_mean, real, j, "... with the other share")
detail_q = derivation.define("D", new - old, "what the new output adds to the old one: the details", over=(i, k))
detail_p = derivation.define("E", real - real_mean, "the details of a real image", over=(i, j))
u, v = derivation.numbers("u", i, "a block of pixels"), derivation.numbers("v", i, "a direction")
way = derivation.number(r"\tau", "how far a block is moved in a direction")
unused = plus(
    Abs(way) * sqrt(SquaredNorm(i, v)), -critic(*(u.at(n) + way * v.at(n) for n in range(4))), critic(*map(u.at, range(4)))
)
slack = derivation.assume(
    "The critic is 1-Lipschitz",
    unused,
    u,
    v,
    way,
    name=r"\delta({}, {}, {})",
    example={critic: lambda *pixels: sum(pixels) / 2},
    wrong={"slope 2": unused - Abs(way) * sqrt(SquaredNorm(i, v)) / 2},
)
derivation.symbol(r"\delta", r"what a 1-Lipschitz critic leaves unused: $|\tau v| - f(u + \tau v) + f(u)$")
sizes = plus(Expectation(p, sqrt(SquaredNorm(i, detail_p))), Expectation(q, sqrt(SquaredNorm(i, detail_q))))
central = derivation.chain(
    "A 1-Lipschitz critic notices no more than the share that was faded in",
    plus(
        Expectation(p, score_real_a) - Expectation(q, score_fake_a),
        times(-1, plus(Expectation(p, score_real_b), -Expectation(q, score_fake_b))),
    ),
    equals(
        plus(Expectation(p, score_real_a - score_real_b), Expectation(q, score_fake_b - score_fake_a)),
        "compare every image with itself",
    ),
    at_most(
        times(Abs(alpha - beta), sizes),
        prose(
            "from one share to the other an image moves by {fake} or by {real}",
            fake=holds(plus(fake_a, -fake_b), "=", (alpha - beta) * detail_q, named=True),
            real=holds(plus(real_a, -real_b), "=", (alpha - beta) * detail_p, named=True),
        ),
        adding=plus(
            Expectation(p, slack.at(real_b, detail_p, alpha - beta)), Expectation(q, slack.at(fake_a, detail_q, beta - alpha))
        ),
        wrong={"a square": times((alpha - beta) ** 2, sizes), "the fakes alone": times(Abs(alpha - beta), sizes.args[1])},
    ),
    states=2,
    central=True,
    so=r"The first line is the change of the critic's objective $\mathbb{E}_p f - \mathbb{E}_q f$. The maximum of this objective "
    r"is the Wasserstein distance (the lecture on Wasserstein GANs), so $W_1(p_\alpha, q_\alpha)$ changes by no more than the "
    "last line, in either direction. One step of the fade moves the share by $1/F$.",
)
derivation.chain(
    "A discriminator without such a bound sees through the fade",
    plus(mean, (faded_real - mean) / alpha),
    equals(x, r"the lemma on details, divided by the positive $\alpha$", wrong={"the faded block": faded_real}),
    so=prose(
        r"$T_\alpha$ can be undone for every positive $\alpha$. If generated images are faded from their own means, too, a "
        "discriminator can undo the fade on both kinds of images, so the Jensen-Shannon divergence of the faded distributions is "
        "that of the unfaded ones. At the share 0, where only {mean} is left, it falls at once to that of the low images.",
        mean=holds(faded_real, "=", mean, when={alpha: 0}, named=True),
    ),
)
derivation.symbol(r"\mathrm{JSD}", "the Jensen-Shannon divergence (the first lecture on GANs)", "jensen_shannon_divergence")
derivation.symbol(r"T_\alpha p", "the distribution of the faded images, and likewise for $q$")
derivation.symbol("P", "the means of blocks, also of the images of a distribution", "average_pool")


@derivation.exact(
    r"\mathrm{JSD}(T_\alpha p, T_\alpha q) = \mathrm{JSD}(p, q)\ (\alpha > 0),\qquad = \mathrm{JSD}(P p, P q)\ (\alpha = 0)",
    because="Five blocks with two means, and two distributions on them; equal faded images are one outcome.",
    outcomes=5,
    role="remark",
)
def the_fade_is_undone():
    whole, low = (divergence(images, LAWS) for images in (BLOCKS, average_pool(BLOCKS, window=2)))
    shares = (1.0, 0.5, 0.01, 0.0)
    return Sides(
        left=jnp.stack([faded_divergence(BLOCKS, LAWS, share) for share in shares]),
        right=jnp.stack([whole, whole, whole, low]),
        wrong={"a smooth fade": jnp.stack([low + share * (whole - low) for share in shares])},
    )


derivation.say("Next, the generator's features. Nothing in the game keeps them from growing without bound.")
c, b = derivation.index("c", "a channel"), derivation.index("b", "the channel with the feature that is moved")
C = derivation.count(c, "C", "the number of channels")
a = derivation.numbers("a", c, "the features of a pixel", "x")
eps = derivation.number(r"\epsilon", "a small number", "epsilon", positive=True)
mu = derivation.define(r"\mu", Total(c, a**2) / C, "their mean square", positive=True)
y = derivation.define("y", a / sqrt(mu + eps), "the normalized features", "pixel_normalize", over=c)
derivation.bridge(
    "The code normalizes the features of a pixel",
    y,
    of_pixel,
    x=a,
    epsilon=eps,
    calls=(pixel_normalize,),
    wrong={"of length 1": a / sqrt(C * mu + eps), "added to the root": a / (sqrt(mu) + eps)},
)
derivation.chain(
    "Normalized features have a bounded length",
    SquaredNorm(c, y),
    equals(
        C * mu / (mu + eps),
        prose("all channels have one denominator, and {sum}", sum=holds(Total(c, a**2), "=", C * mu)),
        wrong={"length 1": mu / (mu + eps)},
    ),
    at_most(
        C,
        prose("add {part}, which is never negative", part=holds(C - C * mu / (mu + eps), "=", C * eps / (mu + eps), named=True)),
        adding=C * eps / (mu + eps),
    ),
    so=prose(
        r"So {bound}, no feature is larger than $\sqrt C$, and no channel can escalate. If the channels are exchangeable, the "
        "mean square of each is at most 1.",
        bound=holds(y**2, "<=", C),
    ),
)
r = derivation.define("r", 1 / sqrt(mu + eps), "the factor of a pixel", positive=True)
e = derivation.numbers("e", c, "the slopes of the loss by the normalized features")
pulled = Total(c, e * y)
back = times(r, plus(e.at(b), times(-1, y.at(b), pulled / C)))
slope = derivation.chain(
    "Backward, the normalization takes out what is along the features",
    Slope(pulled, a.at(b)),
    equals(
        back,
        prose("the product rule, with {slope}", slope=holds(Slope(r, a.at(b)), "=", -(r**3) * a.at(b) / C)),
        wrong={"the length a constant": times(r, e.at(b)), "a sum for the mean": times(r, e.at(b) - y.at(b) * pulled)},
    ),
    states=2,
    role="lemma",
)
derivation.chain(
    "The features' slopes have almost nothing along the features",
    Total(b, a.at(b) * back),
    equals(
        times(pulled, plus(1, times(-1, SquaredNorm(c, y) / C))),
        prose("{y}", y=holds(times(r, a.at(b)), "=", y.at(b))),
        wrong={"all of it": pulled},
    ),
    equals(times(pulled, eps / (mu + eps)), "the length of the normalized features"),
    uses=(slope,),
    so=prose(
        "With {none} it is {zero}: the gradient is orthogonal to the features, and a step of gradient descent does not shrink "
        "them.",
        none=where(eps, 0),
        zero=holds(Total(b, a.at(b) * back), "=", 0, named=True),
    ),
    role="remark",
)

derivation.say(
    r"Last, the weights. A unit with $N$ inputs applies $c\, \hat w$. Adam sees the slopes by $\hat w$, and divides a weighted "
    "mean of them by the root of a weighted mean of their squares. The steps are counted back: 0 is the current one."
)
n = derivation.index("n", "an input of a unit")
N = derivation.count(n, "N", "the number of inputs, the fan-in")
gain = derivation.number(r"\gamma", "the gain", "gain", positive=True)
const = derivation.define("c_N", gain / sqrt(N), "the factor of the weights", "equalized_weight / weight", positive=True)
hat = derivation.numbers(r"\hat w", n, "the weights that are stored", "weight")
derivation.bridge(
    "The code's equalized weights",
    const * hat,
    equalized_weight,
    weight=[hat],
    gain=gain,
    wrong={"without the root": gain * hat / N, "without the gain": hat / sqrt(N)},
)
s = derivation.index("s", "the number of steps before the current one")
G = derivation.numbers("G", s, "the slopes by an applied weight", "gradient")
beta_1 = derivation.number(r"\beta_1", "Adam's decay of the mean", "beta1", between=(0, 1))
beta_2 = derivation.number(r"\beta_2", "... and of the squares", "beta2", between=(0, 1))
small = derivation.number(r"\epsilon_A", "Adam's small number", "epsilon", positive=True)
rate = derivation.number(r"\eta", "the learning rate", "learning_rate", positive=True)
m_hat = derivation.define(r"\hat m", Total(s, beta_1**s * G) / Total(s, beta_1**s), "Adam's mean of the slopes")
v_hat = derivation.define(r"\hat v", Total(s, beta_2**s * G**2) / Total(s, beta_2**s), "... and of their squares", positive=True)


def _seen(share, power):
    """Adam's mean of a power of the slopes by the stored weight."""
    return Total(s, share**s * (const * G) ** power) / Total(s, share**s)


relative = m_hat / (sqrt(v_hat) + small / const)
derivation.answer = prose(
    "From the share {one} to {other} the objective of a 1-Lipschitz critic changes by at most {bound}, the difference times "
    "the mean size of the details, real and generated: the Wasserstein distance is continuous in the share. The Jensen-Shannon "
    "divergence is not: of images that are faded from their own means it has its full value for every positive share. Adam's "
    "first step moves a weight by the learning rate relative to its initial size if the factor {factor} is applied at run "
    "time, and by {more} times as much if it is applied to the initial weights; later steps have the same ratio.",
    one=alpha,
    other=beta,
    bound=times(Abs(alpha - beta), sizes),
    factor=const,
    more=holds(1 / const, "=", sqrt(N) / gain, named=True),
)
speed = derivation.chain(
    "All layers learn at one relative speed",
    times(rate, _seen(beta_1, 1)) / (sqrt(_seen(beta_2, 2)) + small),
    equals(
        rate * const * m_hat / (const * sqrt(v_hat) + small),
        "the mean is linear in the slopes, and the root of the mean square is, too, for a positive factor",
    ),
    equals(
        times(rate, relative),
        r"divide by $c_N$",
        wrong={"the factor kept": rate * const * relative, "as plain gradient descent has it": rate * const * m_hat},
    ),
    so=r"The first line is Adam's step of $\hat w$, since the slope by $\hat w$ is $c_N$ times that by $w$ (the chain rule). The "
    r"weight $w$, which is $c_N \hat w$, moves by $c_N$ times as much: relative to its initial standard deviation, $c_N$, by the "
    r"last line, in which $N$ counts by way of $\epsilon_A$ alone. If $w$ itself begins as $\mathcal{N}(0, c_N^2)$ and Adam "
    r"moves it, its relative step is $\sqrt N / \gamma$ times as large, but for $\epsilon_A$: layers with many inputs learn "
    "faster.",
)
derivation.bridge(
    "The code, moved by Adam",
    -rate * const * relative,
    last_step,
    weight=[hat],
    slopes=G,
    gain=gain,
    learning_rate=rate,
    beta1=beta_1,
    beta2=beta_2,
    epsilon=small,
    calls=(equalized_weight, adam_update),
    wrong={"scaled at first only": -rate * relative, "the square of the factor": -rate * const**2 * relative},
)

derivation.symbol("S", "the steps of a stage", "stage_steps")
derivation.symbol("F", "those of them that fade", "fade_steps")
number = derivation.number("o", "a step of the fade", integer=True, nonnegative=True)


@derivation.exact(
    r"\frac1S \sum_{o=0}^{S-1} \alpha_{S+o} = 1 - \frac{F + 1}{2S}",
    because="The shares of the fade sum to $(F - 1)/2$, and $S - F$ ones follow; the code's second stage, for all stages of up "
    "to 12 steps.",
    outcomes=78,
    role="remark",
)
def mean_share():
    pairs = [(stage, fade) for stage in range(1, 13) for fade in range(1, stage + 1)]
    found = [growth_schedule(jnp.arange(s, 2 * s), stage_steps=s, fade_steps=f)[1].mean() for s, f in pairs]
    return Sides(
        left=jnp.stack(found),
        right=np.array([1 - (f + 1) / (2 * s) for s, f in pairs]),
        wrong={"half of the fade": np.array([1 - f / (2 * s) for s, f in pairs])},
    )


stages = derivation.number("K", "the number of stages", positive=True, integer=True)
work = derivation.chain(
    "The work of growing, relative to full size all the time",
    Sum(4**number, (number, 0, stages - 1)) / (stages * 4 ** (stages - 1)),
    equals(
        (4**stages - 1) / (3 * stages * 4 ** (stages - 1)),
        "a geometric series: each stage of equal length has four times as many pixels",
        wrong={"twice as many": (2**stages - 1) / (stages * 2 ** (stages - 1))},
    ),
    role="remark",
    so=prose(
        "For many stages this is about $\\frac{4}{3K}$, since {limit}: the last stage costs three quarters of the work.",
        limit=holds(Limit((4**stages - 1) / (3 * 4 ** (stages - 1)), stages, oo), "=", Rational(4, 3)),
    ),
)


@derivation.algorithm(
    "A training step while a stage fades in",
    do(r"$\alpha \leftarrow \min(o / F, 1)$ at step $o$ of the stage", growth_schedule, by=work),
    do(r"real images: $x \leftarrow (1 - \alpha) UPx + \alpha x$", fade_in, by=details),
    do(
        r"fakes: $(1 - \alpha) U\ell + \alpha h$, with features that are normalized after every layer",
        pixel_normalize,
        by=central,
    ),
    do(r"layers apply $c_N \hat w$; step critic and generator, and Adam moves $\hat w$", equalized_weight, by=speed),
)
def two_steps():
    stage, shares = growth_schedule(jnp.arange(12, 14), stage_steps=10, fade_steps=4)
    yield r"S = 10, F = 4, \text{ steps 12 and 13}: \quad \text{stage}", stage, "1, 1"
    for share, faded_to in zip(shares, ("2, 5/2, 3, 9/2", "3/2, 9/4, 3, 21/4"), strict=True):
        yield rf"\alpha = {float(share):g}: \quad (1, 2, 3, 6) \to", faded_block([1, 2, 3, 6], share).ravel(), faded_to
    image = jnp.array([[[1.0, 2.0], [3.0, 6.0]]])[None]
    yield r"\text{by the code}", fade_in(average_pool(image, window=2), image, alpha=shares[1]).ravel(), "3/2, 9/4, 3, 21/4"
    yield r"(3, 4, 0) \text{ normalized}", pixel_normalize(jnp.array([[[[3.0]], [[4.0]], [[0.0]]]])).ravel(), "1.0392, 1.3856, 0"
    yield (
        r"\text{weights } (2, -1, 0, 1), \text{ applied}",
        equalized_weight(jnp.array([[2.0, -1.0, 0.0, 1.0]]), gain=1.0),
        "1, -1/2, 0, 1/2",
    )


@derivation.example(
    "The block $(1, 2, 3, 6)$, halfway. A real block $(1, -1, 1, -1)$ and a generated one of the opposite sign, both with the "
    r"mean 0: their distance $|2 \alpha x|$ and the Jensen-Shannon divergence. A pixel with the features $(3, 4, 0)$. Last, "
    "Adam's first step relative to the initial weights, for 16 and 4,608 inputs, at the rate 0.001."
)
def one_block():
    yield r"T_{1/2}\,(1, 2, 3, 6)", faded_block([1, 2, 3, 6], 0.5).ravel(), "2, 5/2, 3, 9/2"
    for share, distance, stated in ((1.0, "4", "0.6931"), (0.25, "1", "0.6931"), (0.0, "0", "0")):
        gap = faded_block([1, -1, 1, -1], share) - faded_block([-1, 1, -1, 1], share)
        yield rf"W_1 \text{{ at }} \alpha = {share:g}", jnp.sqrt(jnp.sum(gap**2)), distance
        yield r"\mathrm{JSD}", faded_divergence(SIGNS, np.eye(2), share), stated
    yield r"y", of_pixel(jnp.array([3.0, 4.0, 0.0]), 1e-8), "1.0392, 1.3856, 0"
    yield r"\text{weights scaled at first only}", [moved(count, False) for count in (16, 4608)], "0.0028, 0.048"
    yield r"\text{weights scaled at run time}", [moved(count, True) for count in (16, 4608)], "0.001, 0.001"


@derivation.figure(
    r"Left: the two blocks of the example, $\pm(1, -1, 1, -1)$, one of them real and one generated: the Wasserstein distance is "
    "a straight line; the Jensen-Shannon divergence is full from the first step on. Right: Adam's first step relative to the "
    "initial weights, by the number of inputs.",
    panels=2,
)
def two_distances_and_two_speeds(left, right):
    draw_fading(left, right)
