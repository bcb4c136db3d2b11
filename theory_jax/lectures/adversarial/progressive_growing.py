"""Progressive growing: what is continuous while a network doubles its resolution, and why all layers learn at one speed.

The lecture on the functions of theory_jax/adversarial/progressive_growing.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Abs, Sum, sqrt

from theory_jax.adversarial.dcgan import leaky_rectifier
from theory_jax.adversarial.gan import jensen_shannon_divergence
from theory_jax.adversarial.progressive_growing import equalized_weight, fade_in, growth_schedule, pixel_normalize
from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Slope, SquaredNorm, Total, plus, times
from theory_jax.derivation.typeset import latex
from theory_jax.foundations.training_practice import adam_update
from theory_jax.latent.convolutional_vae import average_pool

derivation = Derivation(
    module=__name__,
    title="Progressive growing: what is continuous while a network doubles its resolution, and why all layers learn at one speed",
    sources=(
        "Karras, Aila, Laine & Lehtinen 2018, Progressive Growing of GANs for Improved Quality, Stability, and Variation",
        "He, Zhang, Ren & Sun 2015, Delving Deep into Rectifiers (the gain)",
        "Kingma & Ba 2015, Adam, section 2.1 (invariance to the scale of gradients)",
    ),
    question="A network doubles its resolution in the middle of its training. In which sense is this continuous, what does the "
    "critic notice of it, and why do weights that are scaled at run time let all layers learn at one speed under Adam?",
    setting=(
        r"$P$ takes the mean of every block of $2 \times 2$ pixels and $U$ repeats every pixel in such a block: $PU = 1$ (the "
        r"lecture on convolutional VAEs). The generator's faded image is $(1 - \alpha) U\ell + \alpha h$, of the old output "
        r"$\ell$ and the new one $h$, with $0 \le \alpha \le 1$. Real images are faded likewise, with $\ell = Px$: $T_\alpha x = "
        r"(1 - \alpha) UPx + \alpha x$. All of this acts on each block separately, so the chains are about one block.",
        r"Pixel normalization divides the features of a pixel by the root of their mean square. An equalized weight is $w = c\, "
        r"\hat w$, with $c = \text{gain}/\sqrt{\text{fan-in}}$; $\hat w$ begins as $\mathcal{N}(0, 1)$ and is what Adam moves.",
        r"A stage has $S$ steps. In the first $F \le S$ of them $\alpha$ rises from 0 to 1; the first stage has nothing to fade.",
    ),
    answer=r"The objective of a 1-Lipschitz critic changes by at most $|\alpha - \beta|$ times the mean size of the details, "
    r"real and generated: the Wasserstein distance is continuous in $\alpha$. The Jensen-Shannon divergence is not: it has its "
    r"full value for every $\alpha > 0$. Under Adam a weight moves by the learning rate relative to its initial size if $c$ is "
    r"applied at run time, and by $1/c$ times as much if it is applied to the initial weights.",
    limits=(
        "That training in stages is more stable, faster or better: an empirical claim.",
        "The speed of the layers once the weights have left their initial size, and what pixel normalization costs a generator.",
    ),
)

# ---------------------------------------------------------------------------------------------------- fading

i, k = derivation.index("i", "a pixel of a block of four", states=4), derivation.index("k", "one of finitely many images")
alpha = derivation.number(r"\alpha", "the share of the new resolution", "alpha", between=(0, 1))
x = derivation.numbers("x", i, "a block of a real image")
mean = derivation.define(r"\bar x", Total(i, x) / 4, "its mean, $Px$", "average_pool")
faded_real = derivation.define(
    r"T_\alpha x_{{{}}}", plus((1 - alpha) * mean, alpha * x), "the faded real block", "fade_in(average_pool(x), x)", over=i
)
low, h = derivation.number(r"\ell", "one pixel of the old output", "low"), derivation.numbers("h", i, "its new block", "high")
faded = derivation.define(r"x^\alpha", plus((1 - alpha) * low, alpha * h), "the faded block", "fade_in", over=i)

derivation.chain(
    "Fading keeps the means of blocks and multiplies the details by its share",
    faded_real,
    equals(
        plus(mean, alpha * (x - mean)), r"collect $\alpha$", wrong={"details that fade out": plus(mean, (1 - alpha) * (x - mean))}
    ),
    role="lemma",
    so="This rests on $PU = 1$. With bilinear upsampling it is not so, and the output at $\\alpha = 0$ is not the old network's.",
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
    r"At the first step of a stage the output is the old network's, and the new block learns nothing: any slope by $h$ has the "
    r"factor $\alpha$. What does the critic notice when $\alpha$ moves to $\beta$? Let $f$ be any critic that is no steeper than "
    r"1, $q$ the law of the generator's images, and $p$ that of the real ones, for which $\ell = Px$ and $h = x$."
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
slack = derivation.assume("The critic is 1-Lipschitz", unused, u, v, way, name=r"\delta({}, {}, {})")
derivation.symbol(r"\delta", r"what a 1-Lipschitz critic leaves unused: $|\tau v| - f(u + \tau v) + f(u)$")
sizes = plus(Expectation(p, sqrt(SquaredNorm(i, detail_p))), Expectation(q, sqrt(SquaredNorm(i, detail_q))))
derivation.chain(
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
        r"from one share to the other an image moves by $\alpha - \beta$ times its details",
        adding=plus(
            Expectation(p, slack.at(real_b, detail_p, alpha - beta)), Expectation(q, slack.at(fake_a, detail_q, beta - alpha))
        ),
        wrong={"a square": times((alpha - beta) ** 2, sizes), "the fakes alone": times(Abs(alpha - beta), sizes.args[1])},
    ),
    states=2,
    central=True,
    so=r"The first line is the change of the critic's objective $\mathbb{E}_p f - \mathbb{E}_q f$. The maximum of this objective "
    r"is the Wasserstein distance (the lecture on Wasserstein GANs), so $W_1(p_\alpha, q_\alpha)$ changes by no more than the "
    r"last line, in either direction. One step of the fade has $|\alpha - \beta| = 1/F$.",
)
derivation.chain(
    "A discriminator without such a bound sees through the fade",
    plus(mean, (faded_real - mean) / alpha),
    equals(x, r"the lemma on details, divided by $\alpha > 0$", wrong={"the faded block": faded_real}),
    so=r"$T_\alpha$ can be undone for every $\alpha > 0$. If generated images are faded from their own means ($\ell = Ph$), a "
    "discriminator can undo the fade on both kinds of images, so the Jensen-Shannon divergence of the faded laws is that of the "
    r"unfaded ones. At $\alpha = 0$ it falls at once to that of the low images.",
)
derivation.symbol(r"\mathrm{JSD}", "the Jensen-Shannon divergence (the first lecture on GANs)", "jensen_shannon_divergence")
derivation.symbol(r"T_\alpha p", "the law of the faded images, and likewise for $q$")
derivation.symbol("P", "the means of blocks, also of the images of a law", "average_pool")
_BLOCKS = jnp.array([[1.0, -1, 0, 0], [-1, 1, 0, 0], [0, 1, 3, 0], [1, 1, 1, 1], [2, 0, 0, 2]]).reshape(5, 1, 2, 2)
_LAWS = np.array([[0.3, 0.1, 0.2, 0.2, 0.2], [0.05, 0.4, 0.05, 0.1, 0.4]])


def _divergence(images, laws):
    """The Jensen-Shannon divergence of two laws on these images, of which equal ones are one outcome."""
    _, place = np.unique(np.asarray(images).reshape(len(images), -1).round(12), axis=0, return_inverse=True)
    merged = jnp.asarray([np.bincount(place.ravel(), weights=law) for law in laws])
    return jensen_shannon_divergence(*jnp.log(merged)[:, None])[0]


def _faded_divergence(images, laws, share):
    return _divergence(fade_in(average_pool(images, window=2), images, alpha=share), laws)


@derivation.exact(
    r"\mathrm{JSD}(T_\alpha p, T_\alpha q) = \mathrm{JSD}(p, q)\ (\alpha > 0),\qquad = \mathrm{JSD}(P p, P q)\ (\alpha = 0)",
    because="Five blocks with two means, and two laws on them; equal faded images are one outcome.",
    outcomes=5,
)
def the_fade_is_undone():
    whole, low = (_divergence(images, _LAWS) for images in (_BLOCKS, average_pool(_BLOCKS, window=2)))
    shares = (1.0, 0.5, 0.01, 0.0)
    return Sides(
        left=jnp.stack([_faded_divergence(_BLOCKS, _LAWS, share) for share in shares]),
        right=jnp.stack([whole, whole, whole, low]),
        wrong={"a smooth fade": jnp.stack([low + share * (whole - low) for share in shares])},
    )


# ---------------------------------------------------------------------------------------------------- features

derivation.say("Next, the generator's features. Nothing in the game keeps them from growing without bound.")
c, b = derivation.index("c", "a channel"), derivation.index("b", "the channel with the feature that is moved")
C = derivation.count(c, "C", "the number of channels")
a = derivation.numbers("a", c, "the features of a pixel", "x")
eps = derivation.number(r"\epsilon", "a small number", "epsilon", positive=True)
mu = derivation.define(r"\mu", Total(c, a**2) / C, "their mean square", positive=True)
y = derivation.define("y", a / sqrt(mu + eps), "the normalized features", "pixel_normalize", over=c)


def _of_pixel(x, epsilon):
    """[C] -> [C]: one pixel."""
    return pixel_normalize(x[None, :, None, None], epsilon=epsilon)[0, :, 0, 0]


derivation.bridge(
    "The code normalizes the features of a pixel",
    y,
    _of_pixel,
    x=a,
    epsilon=eps,
    calls=(pixel_normalize,),
    wrong={"of length 1": a / sqrt(C * mu + eps), "added to the root": a / (sqrt(mu) + eps)},
)
derivation.chain(
    "Normalized features have a bounded length",
    SquaredNorm(c, y),
    equals(
        C * mu / (mu + eps), r"all channels have one denominator, and $\sum_c a_c^2 = C \mu$", wrong={"length 1": mu / (mu + eps)}
    ),
    at_most(C, r"$\mu = (\mu + \epsilon) - \epsilon$; leave out $\epsilon$'s part", adding=C * eps / (mu + eps)),
    so=r"So $|y_c| \le \sqrt C$: no channel can escalate. If the channels are exchangeable, $\mathbb{E} y_c^2 \le 1$ for each.",
)
r = derivation.define("r", 1 / sqrt(mu + eps), "the factor of a pixel", positive=True)
e = derivation.numbers("e", c, "the slopes of the loss by the normalized features")
pulled = Total(c, e * y)
back = times(r, plus(e.at(b), times(-1, y.at(b), pulled / C)))
slope = derivation.chain(
    "Backward through the normalization",
    Slope(pulled, a.at(b)),
    equals(
        back,
        r"the product rule, with $\partial r / \partial a_b = -r^3 a_b / C$",
        wrong={"the length a constant": times(r, e.at(b)), "a sum for the mean": times(r, e.at(b) - y.at(b) * pulled)},
    ),
    states=2,
)
derivation.chain(
    "... leaves almost nothing along the features",
    Total(b, a.at(b) * back),
    equals(times(pulled, plus(1, times(-1, SquaredNorm(c, y) / C))), r"$r a_b = y_b$", wrong={"all of it": pulled}),
    equals(times(pulled, eps / (mu + eps)), "the length of the normalized features"),
    uses=(slope,),
    so=r"At $\epsilon = 0$ the gradient is orthogonal to the features: a step of gradient descent does not shrink them.",
)

# ---------------------------------------------------------------------------------------------------- weights

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
derivation.chain(
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
    r"weight $w = c_N \hat w$ moves by $c_N$ times as much: relative to its initial standard deviation, $c_N$, by the last line, "
    r"in which $N$ counts by way of $\epsilon_A$ alone. If $w$ itself begins as $\mathcal{N}(0, c_N^2)$ and Adam moves it, its "
    r"relative step is $1/c_N = \sqrt N / \gamma$ times as large: layers with many inputs learn faster.",
)


def _last_step(weight, slopes, gain, learning_rate, beta1, beta2, epsilon):
    """How the first of the weights [1, N], as applied, moves in the last step of Adam; slopes: [steps], the last first."""
    moments = jnp.zeros(weight.size), jnp.zeros(weight.size)
    for number, slope in enumerate(slopes[::-1], start=1):
        before = equalized_weight(weight, gain=gain)
        gradient = jax.grad(lambda stored, slope=slope: jnp.sum(slope * equalized_weight(stored, gain=gain)))(weight)
        update, *moments = adam_update(
            gradient[0], *moments, step=number, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon
        )
        weight = weight + update
    return (equalized_weight(weight, gain=gain) - before)[0, 0]


derivation.bridge(
    "The code, moved by Adam",
    -rate * const * relative,
    _last_step,
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

# ---------------------------------------------------------------------------------------------------- the schedule

derivation.symbol("S", "the steps of a stage", "stage_steps")
derivation.symbol("F", "those of them that fade", "fade_steps")
number = derivation.number("o", "a step of the fade", integer=True, nonnegative=True)


@derivation.exact(
    r"\frac1S \sum_{o=0}^{S-1} \alpha_{S+o} = 1 - \frac{F + 1}{2S}",
    because=r"$\sum_o o/F = (F - 1)/2$ and $S - F$ ones; the code's second stage, for all $1 \le F \le S \le 12$.",
    outcomes=78,
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
derivation.chain(
    "The work of growing, relative to full size all the time",
    Sum(4**number, (number, 0, stages - 1)) / (stages * 4 ** (stages - 1)),
    equals(
        (4**stages - 1) / (3 * stages * 4 ** (stages - 1)),
        "a geometric series: each stage of equal length has four times as many pixels",
        wrong={"twice as many": (2**stages - 1) / (stages * 2 ** (stages - 1))},
    ),
    role="remark",
    so=r"For many stages this is about $\frac{4}{3K}$: the last stage costs three quarters of the work.",
)

# ---------------------------------------------------------------------------------------------------- example, figure, exercises


def _faded_block(block, share):
    image = jnp.asarray(block, float).reshape(1, 1, 2, 2)
    return fade_in(average_pool(image, window=2), image, alpha=share)


def _moved(fan_in, stored):
    """Adam's first step relative to the initial weight, at the rate 0.001. stored: it moves the stored one, not the applied."""
    factor = equalized_weight(jnp.ones((1, fan_in)))[0, :1]
    update, _, _ = adam_update(factor if stored else factor / factor, jnp.zeros(1), jnp.zeros(1), step=1, learning_rate=0.001)
    return jnp.abs(factor * update / factor if stored else update / factor)[0]


@derivation.example(
    r"The block $(1, 2, 3, 6)$, halfway. A real block $(1, -1, 1, -1)$ and a generated one of the opposite sign, both with the "
    r"mean 0: their distance $|2 \alpha x|$ and the Jensen-Shannon divergence. A pixel with the features $(3, 4, "
    r"0)$. Last, Adam's first step relative to the initial weights, for 16 and 4,608 inputs, at $\eta = 0.001$."
)
def one_block():
    yield r"T_{1/2}\,(1, 2, 3, 6)", _faded_block([1, 2, 3, 6], 0.5).ravel(), "2, 5/2, 3, 9/2"
    for share, distance, divergence in ((1.0, "4", "0.6931"), (0.25, "1", "0.6931"), (0.0, "0", "0")):
        gap = _faded_block([1, -1, 1, -1], share) - _faded_block([-1, 1, -1, 1], share)
        yield rf"W_1 \text{{ at }} \alpha = {share:g}", jnp.sqrt(jnp.sum(gap**2)), distance
        yield r"\mathrm{JSD}", _faded_divergence(_SIGNS, np.eye(2), share), divergence
    yield r"y", _of_pixel(jnp.array([3.0, 4.0, 0.0]), 1e-8), "1.0392, 1.3856, 0"
    yield r"\text{weights scaled at first only}", [_moved(count, False) for count in (16, 4608)], "0.0028, 0.048"
    yield r"\text{weights scaled at run time}", [_moved(count, True) for count in (16, 4608)], "0.001, 0.001"


_SIGNS = jnp.array([[1.0, -1, 1, -1], [-1, 1, -1, 1]]).reshape(2, 1, 2, 2)


@derivation.figure(
    r"Left: the two blocks of the example, $\pm(1, -1, 1, -1)$, as the laws of real and of generated images: the Wasserstein "
    "distance is a straight line; the Jensen-Shannon divergence is full from the first step on. Right: Adam's first step "
    "relative to the initial weights, by the number of inputs.",
    panels=2,
)
def two_distances_and_two_speeds(left, right):
    shares = np.linspace(0, 1, 41)
    blocks = [_faded_block(_SIGNS[0], share) for share in shares]
    left.plot(shares, [jnp.linalg.norm(2 * block) / 4 for block in blocks], label="$W_1$, as a share of 4")
    divergences = [_faded_divergence(_SIGNS, np.eye(2), share) for share in shares]
    left.plot(shares[1:], divergences[1:], label="JSD")
    left.plot(0, divergences[0], "o", color="C1", markersize=4)
    left.set(xlabel=r"$\alpha$", ylabel="distance, divergence", ylim=(-0.05, 1.05))
    left.legend()
    counts = [2**power for power in range(3, 14)]
    for label, stored in (("scaled at first only", False), ("scaled at run time", True)):
        right.loglog(counts, [_moved(count, stored) for count in counts], label=label)
    right.set(xlabel="fan-in $N$", ylabel="relative step")
    right.legend()


@derivation.exercise(
    "A stage has ten steps, and four of them fade. What is $\\alpha$ in the third stage, and what is its mean?",
    r"0, 1/4, 1/2, 3/4, and then six times 1; the mean is $1 - 5/20 = 3/4$.",
)
def one_stage():
    _, shares = growth_schedule(jnp.arange(20, 30), stage_steps=10, fade_steps=4)
    yield shares[:4], "0, 1/4, 1/2, 3/4"
    yield jnp.mean(shares), "3/4"


@derivation.exercise(
    "One channel of 512 is active at a pixel. What does pixel normalization make of it? And of 512 equal channels?",
    r"$\sqrt{512} = 22.627$, the largest possible value, and 1.",
)
def one_active_channel():
    yield _of_pixel(jnp.zeros(512).at[7].set(3.0), 1e-8)[7], "22.627"
    yield _of_pixel(jnp.full(512, 3.0), 1e-8)[0], "1"


@derivation.exercise(
    "Which gain keeps the mean square through leaky rectifiers of slope 0.2 (the lecture on convolutional GANs)? What do ten "
    r"such layers make of it with the gain $\sqrt 2$?",
    r"The squares of a unit's weights sum to $\gamma^2$ on average, and a leaky rectifier keeps the share $(1 + 0.04)/2 = 0.52$ "
    r"of a symmetric input's mean square: the gain is $\sqrt{1/0.52} = 1.3868$. With $\sqrt 2$ each layer multiplies by 1.04: "
    "1.480 after ten.",
)
def the_gain_of_a_leaky_rectifier():
    kept = jnp.mean(leaky_rectifier(jnp.array([1.0, -1.0])) ** 2)
    yield 1 / jnp.sqrt(kept), "1.3868"
    unit = jnp.sum(equalized_weight(jnp.ones((1, 64))) ** 2)
    yield (kept * unit) ** 10, "1.480"
