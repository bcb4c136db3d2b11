"""U-Net: time as rotations, blocks that begin as the identity, and what a skip connection carries.

The lecture on the functions of theory_jax/diffusion/unet.py.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Matrix, Rational, cos, pi, sin

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.draws import draw
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, means, prose, where
from theory_jax.diffusion.unet import downsample_average, group_norm, residual_block, spatial_self_attention, upsample_nearest
from theory_jax.lectures.diffusion._unet import block, draw_distances_and_scales, group_norm_part
from theory_jax.networks.time_embedding import sinusoidal_time_embedding

derivation = Derivation(
    module=__name__,
    title="U-Net: time as rotations, blocks that begin as the identity, and what a skip connection carries",
    lectures=(30,),
    sources=(
        "Ronneberger, Fischer & Brox 2015, U-Net: Convolutional Networks for Biomedical Image Segmentation",
        "Vaswani et al. 2017, Attention Is All You Need, section 3.5",
        "Wu & He 2018, Group Normalization",
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, appendix B",
        "Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis",
    ),
    question="A plain stack of convolutions denoises badly: it does not know how noisy its input is, sees a few pixels around "
    "each pixel, and is hard to train when it is deep. A denoiser must know the noise level, keep its scale at any depth, see "
    "far, and still return the noise of every pixel. Which part of a U-Net does which, and what would be lost without it?",
    setting=(
        r"The time embedding $e(t)$ of a real $t$ has the entries $\sin t f_i$ and $\cos t f_i$ for $n$ frequencies $f_i$ from "
        r"1 down to $1/\Omega$ in equal ratios.",
        r"Group norm subtracts the mean of a group of channels and all their pixels, and divides by the root of their variance "
        r"plus $\varepsilon$. A residual block is $x + W_2\, \varphi(\cdot)$, where $\varphi$ is SiLU, which is 0 at 0, "
        r"and its argument contains another convolution $W_1$ and the time. Attention has no positions.",
        r"Halving takes the mean of every $2 \times 2$ block, and doubling repeats every pixel four times. The noise "
        r"$\epsilon$ is standard normal, independent in each pixel, and independent of the data; the input is "
        r"$\sqrt{\bar\alpha}\, x_0 + \sqrt{1 - \bar\alpha}\, \epsilon$.",
    ),
    limits=(
        "Convolutions before a halving that move four pixels into four times the channels lose nothing: the floor is about "
        "averaged pixels, not about every network without skips.",
        "Training dynamics, and why these widths and depths work, are not treated.",
    ),
    trained="These are layers. `diffusion/training` trains the U-Net that has them.",
)

t = derivation.number("t", "a time", "t")
s = derivation.number("s", "another time")
delta = derivation.number("d", "a step in time")
i = derivation.index("i", "a frequency, or a pixel of a block")
f = derivation.numbers("f", i, "the frequencies", positive=True)
n = derivation.count(i, "n", "how many there are", "dim / 2")
derivation.chain(
    "Inner products know the distance of two times",
    Total(i, plus(times(sin(t * f), sin(s * f)), times(cos(t * f), cos(s * f)))),
    equals(Total(i, cos((t - s) * f)), "the addition theorem, frequency by frequency"),
    states=2,
    role="lemma",
    so=prose(
        "At {same} it is {length}: all times lie on one sphere, so no time is louder than another, as the raw number would be.",
        same=where(s, t),
        length=holds(Total(i, cos((t - s) * f)), "=", n, named=True),
    ),
)
derivation.chain(
    "No two levels share an embedding",
    Total(i, plus((sin(t * f) - sin(s * f)) ** 2, (cos(t * f) - cos(s * f)) ** 2)),
    equals(
        Total(i, plus(2, -times(2, cos((t - s) * f)))),
        "the squared distance: two squared lengths, and twice the inner product",
        wrong={"the inner product taken once": Total(i, plus(2, -cos((t - s) * f)))},
    ),
    equals(
        4 * Total(i, sin((t - s) * f / 2) ** 2), prose("{half}", half=holds(plus(1, -cos(t - s)), "=", 2 * sin((t - s) / 2) ** 2))
    ),
    states=1,
    role="remark",
    so=prose(
        "The term of the frequency 1 is zero only if $t - s$ is a multiple of $2 \\pi$, as at {turn}, where it is {zero}. For "
        "two different whole numbers that is impossible.",
        turn=where(t, s + 2 * pi),
        zero=holds(4 * sin((t - s) / 2) ** 2, "=", 0, named=True),
    ),
)
freq = derivation.number(r"\omega", "one of the frequencies", positive=True)
_at_t = Matrix([sin(t * freq), cos(t * freq)])


def _turn(angle):
    return Matrix([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])


rotation = derivation.chain(
    "A step in time is a rotation",
    Matrix([sin((t + delta) * freq), cos((t + delta) * freq)]),
    equals(_turn(delta * freq) * _at_t, "the addition theorems", wrong={"turned back": _turn(-delta * freq) * _at_t}),
    so="The matrix knows the step and not the time, so one linear layer can read off 'a step later' at every time.",
)
derivation.bridge(
    "The code's embedding with the frequencies 1 and 1/100: sines first",
    Matrix([[sin(t), sin(t / 100), cos(t), cos(t / 100)]]),
    sinusoidal_time_embedding,
    t=[t],
    dim=4,
    max_period=100.0,
    wrong={
        "ratios by the number of frequencies": Matrix([[sin(t), sin(t / 10), cos(t), cos(t / 10)]]),
        "cosines first": Matrix([[cos(t), cos(t / 100), sin(t), sin(t / 100)]]),
    },
)

x_1, x_2 = group_norm_part(derivation)

x = derivation.number("x", "an input")
w_1 = derivation.number("W_1", "the first convolution of a block, as a number")
w_2 = derivation.number("W_2", "the last one")
phi = derivation.function(r"\varphi", "the activation")
_block_of = plus(x, times(w_2, phi(w_1 * x)))
identity = derivation.chain(
    "The slope of a block in its input is 1 plus that of its branch",
    Slope(_block_of, x),
    equals(plus(1, times(w_2, w_1, phi(w_1 * x).diff(x) / w_1)), "the chain rule"),
    role="lemma",
    so=prose(
        "For {zero} the block is the identity, {block}, with slope 1, and so is a stack of any depth. If each of $L$ branches "
        "had the variance of its input instead, uncorrelated with it, the variance would double $L$ times.",
        zero=where(w_2, 0),
        block=holds(_block_of, "=", x),
    ),
)
derivation.chain(
    "The slope in the last convolution does not depend on that convolution",
    Slope(_block_of, w_2),
    equals(phi(w_1 * x), "the last convolution is linear", wrong={"the slope of the activation": phi(w_1 * x).diff(x)}),
    role="lemma",
    so="This does not depend on $W_2$, so it is not zero where $W_2$ is: the first step of training wakes the block.",
)
derivation.chain(
    "The slope in the first convolution is zero as long as the last one is",
    Slope(_block_of, w_1),
    equals(times(w_2, x, phi(w_1 * x).diff(x) / w_1), "the chain rule"),
    role="lemma",
    so=prose(
        "For {zero} it is {none}: it is zero at first and moves once $W_2$ does. If both convolutions were zero, and nothing "
        r"else entered the activation, both slopes would be, as $\varphi$ is 0 at 0, and would stay so. One alone is set to "
        "zero.",
        zero=where(w_2, 0),
        none=holds(Slope(_block_of, w_1), "=", 0, named=True),
    ),
)

derivation.symbol(r"\beta", "the second norm's bias, one number a channel", "norm2_bias")
derivation.symbol("u", "the gradient that arrives at the block's output")
derivation.symbol("y", "the block's output", "residual_block")


@derivation.autodiff(
    r"\frac{\partial \langle u, y \rangle}{\partial W_2} = \varphi(\beta) \sum u",
    because=r"The code's block with a $W_2$ of zeros and a second norm that returns its bias $\beta$ (its gain is 0): the "
    r"slope is, for every output channel and each of the nine weights, $\varphi$ of the input channel's bias times the sum of "
    "$u$ over pixels away from the border.",
    role="remark",
)
def a_silent_convolution_still_learns():
    x, embedding = draw(1, 2, 4, 4), draw(1, 5, seed=2)
    upstream = jnp.zeros((1, 2, 4, 4)).at[:, :, 1:-1, 1:-1].set(draw(1, 2, 2, 2, seed=3))
    parameters, level = block(), jnp.array([0.5, -1.0])
    parameters[6:] = jnp.zeros(2), level, jnp.zeros((2, 2, 3, 3)), jnp.zeros(2)

    def loss(kernel):
        return jnp.vdot(upstream, residual_block(x, embedding, *parameters[:8], kernel, parameters[9], num_groups=2))

    arrived, everywhere = upstream.sum((0, 2, 3)), jnp.ones((2, 2, 3, 3))
    right = everywhere * jnp.outer(arrived, level / (1 + jnp.exp(-level)))[:, :, None, None]
    linear = everywhere * jnp.outer(arrived, level)[:, :, None, None]
    return Sides(left=jax.grad(loss)(parameters[8]), right=right, wrong={"without the activation": linear})


z_0 = derivation.number("z_0", "a standard normal number")
out = derivation.number("o", "an output that knows nothing of the noise")
tau = derivation.number(r"\tau^2", "its variance", positive=True)
untrained = derivation.chain(
    "An untrained network should predict zero",
    Expectation(Normal(z_0, 0, 1), Expectation(Normal(out, 0, tau), (z_0 - out) ** 2)),
    equals(plus(1, tau), "independent variances add"),
    at_least(1, prose("leave out the variance; equality for an output that is 0, {zero}", zero=where(tau, 0)), dropping=tau),
    role="remark",
    so=prose(
        "So the network's own last convolution starts at zero, too: an output of variance {one} that knows nothing has the loss "
        "{double}.",
        one=means(r"\tau^2", 1),
        double=holds(
            Expectation(Normal(z_0, 0, 1), Expectation(Normal(out, 0, tau), (z_0 - out) ** 2)), "=", 2, when={tau: 1}, named=True
        ),
    ),
)

derivation.say(
    r"Which part knows where a pixel is? Attention takes the sum over all pixels $j$ of $\mathrm{softmax}_j(\langle q_i, k_j "
    r"\rangle)\, v_j$. If the pixels change places, rows and columns of the scores are renamed, and the sum over $j$ has the "
    r"same terms in another order: the outputs change places in the same way."
)
derivation.symbol(r"\Pi", "a permutation of the pixels")
derivation.symbol("A", "attention", "spatial_self_attention")


@derivation.exact(
    r"A(\Pi x) = \Pi A(x)",
    outcomes=24,
    because="The code, with two heads on $2 \\times 2$ pixels of four channels, for all 24 permutations.",
)
def attention_knows_no_geometry():
    x, weights = draw(1, 4, 2, 2), [draw(4, 4, seed=seed, scale=0.6) for seed in range(1, 5)]
    orders = np.array(list(itertools.permutations(range(4))))
    moved = x.reshape(4, 4)[:, orders].swapaxes(0, 1).reshape(24, 4, 2, 2)
    attended = spatial_self_attention(x, *weights, num_heads=2).reshape(4, 4)
    right = attended[:, orders].swapaxes(0, 1).reshape(24, 4, 2, 2)
    wrong = {"the places kept": jnp.tile(attended.reshape(1, 4, 2, 2), (24, 1, 1, 1))}
    return Sides(left=spatial_self_attention(moved, *weights, num_heads=2), right=right, wrong=wrong)


k_left = derivation.number("k_-", "the weight of a kernel on the left pixel")
k_0 = derivation.number("k_0", "its weight on the pixel itself")
k_right = derivation.number("k_+", "its weight on the right pixel")


def _seen(left, right):
    return plus(times(k_left, left), times(k_0, x), times(k_right, right))


derivation.chain(
    "A convolution notices when the neighbors of a pixel change places",
    plus(_seen(x_1, x_2), -_seen(x_2, x_1)),
    equals(times(k_left - k_right, x_1 - x_2), "collect the weights of each pixel; the pixel itself cancels"),
    role="remark",
    so=prose(
        "In the same way it notices that a pixel and its right neighbor change places, by {right}. It does not notice where "
        "the kernel is symmetric: at {same} the line is {none}. All that the network knows of geometry comes from its "
        "convolutions, from the zeros at their borders, and from the blocks of halving.",
        right=holds(
            plus(_seen(x_1, x_2), -plus(times(k_left, x_1), times(k_0, x_2), times(k_right, x))),
            "=",
            times(k_0 - k_right, x - x_2),
        ),
        same=where(k_left, k_right),
        none=holds(times(k_left - k_right, x_1 - x_2), "=", 0, named=True),
    ),
)

derivation.say(
    "Now the scales. Let $D$ be halving and $U$ doubling. Doubling writes every pixel four times and the mean of four equal "
    r"numbers is that number, so $D U$ is the identity. Both $\langle D x, y \rangle$ and $\langle x, U y \rangle$ multiply "
    "each pixel of $x$ by the pixel of $y$ that its block belongs to, $D$ alone with a quarter: $U$ is four times the "
    "transpose of $D$. So $P$, which is $U D$, is symmetric and its own square: it is the orthogonal projection onto images "
    "that are constant on every block."
)
derivation.symbol("B", "1 for two pixels of one block, and else 0")
derivation.symbol("D", "halving, as a matrix", "downsample_average")
derivation.symbol("U", "doubling, as a matrix", "upsample_nearest")
derivation.symbol("P", "$U D$")
derivation.symbol("I", "the identity")


@derivation.exact(
    r"P = P^2 = P^\top = \frac14 B, \qquad D (I - P) = 0, \qquad \mathrm{tr}(I - P) = \frac34 \cdot 16",
    outcomes=16,
    because=r"The code as matrices on the 16 pixels of a $4 \times 4$ image, column by column; $B_{ij}$ is 1 if $i$ and $j$ "
    r"are in one block, and else 0. Halving removes $I - P$, which has three quarters of the dimensions.",
    role="lemma",
)
def doubling_after_halving_is_a_projection():
    p = upsample_nearest(downsample_average(jnp.eye(16).reshape(16, 1, 4, 4))).reshape(16, 16).T
    lost = downsample_average((jnp.eye(16) - p).T.reshape(16, 1, 4, 4)).reshape(16, 4)
    row, column = np.divmod(np.arange(16), 4)
    block = 2 * (row // 2) + column // 2
    means = np.array((block[:, None] == block) / 4)
    left = np.concatenate([np.ravel(side) for side in (p, p @ p, p.T, lost, jnp.trace(jnp.eye(16) - p)[None])])
    right = np.concatenate([np.tile(means.ravel(), 3), np.zeros(64), [12.0]])
    wrong = {"sums for means": np.append(4 * right[:-1], 12.0), "a quarter is lost": np.append(right[:-1], 4.0)}
    return Sides(left=left, right=right, wrong=wrong)


z_1, z_2, z_3 = (derivation.number(f"z_{k}", "another one, independent of the others") for k in (1, 2, 3))
F = derivation.numbers("F", i, "what a network says about the noise of pixel $i$, from the block's mean alone")
F_bar = derivation.define(r"\bar F", Total(i, F) / 4, "its mean over the block")
_PIXELS = tuple(
    derivation.define(rf"\epsilon_{number}", plus(z_0, *signed) / 2, f"the noise of pixel {number}")
    for number, signed in enumerate(((z_1, z_2, z_3), (z_1, -z_2, -z_3), (-z_1, z_2, -z_3), (-z_1, -z_2, z_3)))
)
derivation.say(
    r"What does a network miss that sees $D x_t$ only? Take one block of four pixels, and write its noise in the orthonormal "
    r"basis of four patterns with entries $\pm \frac12$: the coordinates $z_0, \dots, z_3$ are again independent and standard "
    r"normal. The mean of the block's noise is $\frac{z_0}{2}$. So the means of all blocks of $x_t$ contain $z_0$, other "
    r"blocks' noise and the data, all independent of $z_1, z_2, z_3$. Given these means, the network's outputs $F_i$ are any "
    r"four numbers."
)
_missed = plus(*((noise - F.at(k)) ** 2 for k, noise in enumerate(_PIXELS)))
for _z in (z_1, z_2, z_3):
    _missed = Expectation(Normal(_z, 0, 1), _missed)
skip = derivation.chain(
    "Without a skip connection at least three quarters of the noise are missed",
    _missed,
    equals(
        plus(3, Total(i, (z_0 / 2 - F) ** 2)),
        prose(
            "each of the three patterns adds {quarter} at each of the four pixels; what is linear in $z_1, z_2, z_3$ has the "
            "expectation 0",
            quarter=holds(Expectation(Normal(z_1, 0, 1), (z_1 / 2) ** 2), "=", Rational(1, 4)),
        ),
        wrong={"one pattern forgotten": plus(2, Total(i, (z_0 / 2 - F) ** 2))},
    ),
    equals(
        plus(3, 4 * (z_0 / 2 - F_bar) ** 2, Total(i, (F - F_bar) ** 2)),
        "expand around the mean of the outputs; the cross terms sum to zero",
    ),
    at_least(
        3,
        prose(
            "leave out squares; equality if and only if {mean} for every pixel, the block's mean of the noise",
            mean=where(F, z_0 / 2),
        ),
        dropping=plus(4 * (z_0 / 2 - F_bar) ** 2, Total(i, (F - F_bar) ** 2)),
    ),
    states=4,
    central=True,
    so=r"The loss of a block is at least 3 of 4, whatever the data, the noise level and the network are. After $k$ halvings a "
    r"block has $4^k$ pixels, and the loss is at least the share $1 - 4^{-k}$ of the noise. With a skip connection $(I - P) x_t$ "
    r"is seen: where the data are constant on blocks it is $\sqrt{1 - \bar\alpha}\, (I - P)\, \epsilon$, and the missing part of "
    r"the noise is read off exactly.",
)
derivation.answer = prose(
    "The embeddings of two times tell their distance, and a step in time is a rotation. Group norm forgets brightness and, "
    "but for its $\\varepsilon$, contrast. A block with {zero} in its last convolution is the identity, {block}, and still "
    "learns. Attention does not know where a pixel is; convolutions tell its neighbors apart. A network that sees only halved "
    "images misses at least three quarters of the noise, whatever it computes: this is what skip connections carry.",
    zero=where(w_2, 0),
    block=holds(_block_of, "=", x),
)
pixel = derivation.numbers("v", i, "the pixels of a block", "x")
_MEAN = Total(i, pixel) / 4


def _halved_and_doubled(x):
    return upsample_nearest(downsample_average(x))


derivation.bridge(
    "The code halves and doubles: every pixel becomes the mean of its block",
    Matrix([[_MEAN] * 4]),
    _halved_and_doubled,
    x=[[[[pixel.at(0), pixel.at(1)], [pixel.at(2), pixel.at(3)]]]],
    calls=(downsample_average, upsample_nearest),
    wrong={"half the sum": Matrix([[2 * _MEAN] * 4])},
)


@derivation.example(
    r"For 4 entries and $\Omega = 100$ the frequencies are 1 and 0.01. Then a group of four numbers, $(1, 2, 3, 6)$ with mean "
    r"3 and variance 3.5, which is also a block of pixels."
)
def by_hand():
    embedded = sinusoidal_time_embedding(jnp.array([1.0, 3.0]), dim=4, max_period=100.0)
    yield r"\langle e(1), e(3) \rangle = \cos 2 + \cos 0.02", embedded[0] @ embedded[1], "0.58365"
    yield r"|e(1)|^2", embedded[0] @ embedded[0], "2"
    block = jnp.array([1.0, 2.0, 3.0, 6.0])
    normed = group_norm(block[None, :, None], jnp.ones(4), jnp.zeros(4), num_groups=1, epsilon=0.0)
    yield r"\text{the group, normed}", normed.ravel(), "(-1.0690, -0.5345, 0, 1.6036)"
    mean = upsample_nearest(downsample_average(block.reshape(1, 1, 2, 2))).ravel()
    yield r"\text{the block, halved and doubled}", mean, "(3, 3, 3, 3)"
    yield r"\text{what the skip connection carries}", block - mean, "(-2, -1, 0, 3)"
    lengths = block @ block, mean @ mean, (block - mean) @ (block - mean)
    yield r"\text{squared lengths: whole, mean, rest}", lengths, "(50, 36, 14)"


@derivation.algorithm(
    "A pass through a U-Net of two scales",
    do(r"$e \leftarrow$ the embedding of the time $t$", sinusoidal_time_embedding, by=rotation),
    do(r"$x \leftarrow$ a block of $x$ and $e$; keep it as $s$", residual_block, by=identity),
    do(r"$x \leftarrow D x$", downsample_average, by=doubling_after_halving_is_a_projection),
    do(
        r"$x \leftarrow$ a block of $x$ and $e$, then $x$ plus the attention over all pixels",
        spatial_self_attention,
        by=attention_knows_no_geometry,
    ),
    do(r"$x \leftarrow U x$", upsample_nearest, by=doubling_after_halving_is_a_projection),
    do(r"$x \leftarrow$ a block of $x$ and $e$ beside $s$, which has what $D$ removed", residual_block, by=skip),
    do("return group norm, SiLU and a last convolution of $x$", group_norm, by=untrained),
)
def one_pass():
    e = sinusoidal_time_embedding(jnp.array([1.0]), dim=4, max_period=100.0)
    silent = block(channels=1, width=4)
    silent[8:] = 0 * silent[8], 0 * silent[9]
    x = residual_block(jnp.array([[[[1.0, 2.0], [3.0, 6.0]]]]), e, *silent, num_groups=1)
    yield r"\text{the example's block, at the start of training:}\quad s", x.ravel(), "(1, 2, 3, 6)"
    low = residual_block(downsample_average(x), e, *silent, num_groups=1)
    yield "D x", low.ravel(), "3"
    one = jnp.ones((1, 1))
    low = spatial_self_attention(low, one, one, one, 0 * one, num_heads=1)
    yield r"U D x", upsample_nearest(low).ravel(), "(3, 3, 3, 3)"
    yield r"\text{read off from } s: \quad s - U D x", (x - upsample_nearest(low)).ravel(), "(-2, -1, 0, 3)"
    normed = group_norm(x, jnp.ones(1), jnp.zeros(1), num_groups=1, epsilon=0.0)
    yield r"\text{group norm of } s", normed.ravel(), "(-1.0690, -0.5345, 0, 1.6036)"


@derivation.figure(
    "Left: the inner product of two embeddings, by the distance of the times: largest at 0, and nowhere as large again in "
    "this range. Right: the energy of an image, by scale. Most of a smooth image survives three halvings; three quarters of "
    "the noise are lost at the first.",
    panels=2,
)
def distances_and_scales(left, right):
    draw_distances_and_scales(left, right)
