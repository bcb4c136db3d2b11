"""The parts of a U-Net: time as rotations, norms of groups, residual blocks, attention over pixels, halving and doubling.

The functions come first; the derivation below them executes the argument on these very functions. `UNet2d` in networks/ is
the whole, as a flax network.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from theory_jax.arguments import require, require_rank, require_shape
from theory_jax.autoregressive.attention import multi_head_attention
from theory_jax.autoregressive.normalization import layer_norm
from theory_jax.derivation import Derivation
from theory_jax.draws import draw
from theory_jax.networks.time_embedding import sinusoidal_time_embedding
from theory_jax.networks.unet import UNet2d


def group_norm(x, weight, bias, *, num_groups, epsilon=1e-5):
    r"""(x - mean) / sqrt(var + epsilon) * w_c + b_c, mean and biased variance over each group of C / num_groups channels.

    Channels are grouped in order. Each group is layer-normed as one long vector; gain and shift belong to the channels.

    Raises ValueError if num_groups does not divide C, or if weight or bias is not [C].  Source: Wu & He 2018, eq. 1-4.
    [B, C, ...], [C], [C] -> [B, C, ...]
    """
    require(jnp.ndim(x) >= 2, f"x has shape {list(jnp.shape(x))}; it must have at least 2 axes")
    channels, *pixels = x.shape[1:]
    divides = num_groups >= 1 and channels % num_groups == 0
    require(divides, f"num_groups is {num_groups}; it must divide the number of channels, {channels}")
    require_shape((channels,), weight=weight, bias=bias)
    width = channels // num_groups * math.prod(pixels)
    groups = x.reshape(-1, num_groups, width)
    normed = layer_norm(groups, jnp.ones(width, x.dtype), jnp.zeros(width, x.dtype), epsilon=epsilon).reshape(x.shape)
    ones = [1] * len(pixels)
    return normed * weight.reshape(-1, *ones) + bias.reshape(-1, *ones)


def scale_shift_modulation(x, scale, shift):
    r"""x (1 + scale) + shift, a scale and a shift for every example and channel: scale 0 and shift 0 change nothing.

    Raises ValueError unless scale and shift are [B, C].  Source: Dhariwal & Nichol 2021, section 3, adaptive group norm.
    [B, C, ...], [B, C], [B, C] -> [B, C, ...]
    """
    require(jnp.ndim(x) >= 2, f"x has shape {list(jnp.shape(x))}; it must have at least 2 axes")
    require_shape(x.shape[:2], scale=scale, shift=shift)
    pixels = tuple(range(2, jnp.ndim(x)))
    scale, shift = jnp.expand_dims(scale, pixels), jnp.expand_dims(shift, pixels)
    return x + x * scale + shift


def residual_block(
    x, embedding, norm1_weight, norm1_bias, conv1_weight, conv1_bias, embed_weight, embed_bias, norm2_weight, norm2_bias,
    conv2_weight, conv2_bias, *, num_groups,
):  # fmt: skip
    r"""x + conv_2(SiLU(GN_2(h))) with h = conv_1(SiLU(GN_1(x))) + W SiLU(embedding) + b.

    Convolutions are 3x3 cross-correlations with zero padding; GN is group_norm with its own epsilon, 1e-5.

    Raises ValueError if the shapes do not fit, or if num_groups does not divide C.  Source: Ho et al. 2020, appendix B.
    [B, C, H, W], [B, E], [C], [C], [C, C, 3, 3], [C], [C, E], [C], [C], [C], [C, C, 3, 3], [C] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    require_rank(2, embedding=embedding)
    (batch, channels), width = x.shape[:2], embedding.shape[1]
    require_shape((batch, width), embedding=embedding)
    require_shape((channels, channels, 3, 3), conv1_weight=conv1_weight, conv2_weight=conv2_weight)
    require_shape((channels, width), embed_weight=embed_weight)
    require_shape(
        (channels,), norm1_weight=norm1_weight, norm1_bias=norm1_bias, conv1_bias=conv1_bias, embed_bias=embed_bias,
        norm2_weight=norm2_weight, norm2_bias=norm2_bias, conv2_bias=conv2_bias,
    )  # fmt: skip
    time = jax.nn.silu(embedding) @ embed_weight.T + embed_bias
    h = jax.nn.silu(group_norm(x, norm1_weight, norm1_bias, num_groups=num_groups))
    h = _convolution(h, conv1_weight, conv1_bias) + time[:, :, None, None]
    h = jax.nn.silu(group_norm(h, norm2_weight, norm2_bias, num_groups=num_groups))
    return x + _convolution(h, conv2_weight, conv2_bias)


def _convolution(x, weight, bias):
    """y_o = b_o + sum_(c, i, j) w_ocij x_c shifted by (i - 1, j - 1): nine shifted images, one product."""
    height, width = x.shape[2:]
    padded = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    shifted = jnp.stack([padded[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=2)
    return jnp.einsum("ocs,bcshw->bohw", weight.reshape(*weight.shape[:2], 9), shifted) + bias[:, None, None]


def spatial_self_attention(x, query_weight, key_weight, value_weight, output_weight, *, num_heads):
    r"""x + W_O concat_h softmax(q_h k_h^T / sqrt(C / num_heads)) v_h: every pixel attends to every pixel, row by row in order.

    Raises ValueError if num_heads does not divide C, or if a matrix is not [C, C].  Source: Ho et al. 2020, appendix B;
    Vaswani et al. 2017, eq. 1.
    [B, C, H, W], [C, C], [C, C], [C, C], [C, C] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    batch, channels, height, width = x.shape
    divides = num_heads >= 1 and channels % num_heads == 0
    require(divides, f"num_heads is {num_heads}; it must divide the number of channels, {channels}")
    weights = dict(query_weight=query_weight, key_weight=key_weight, value_weight=value_weight, output_weight=output_weight)
    require_shape((channels, channels), **weights)
    tokens = jnp.moveaxis(x, 1, -1).reshape(batch, height * width, channels)
    mixed = multi_head_attention(tokens, tokens, *weights.values(), None, heads=num_heads, key_value_heads=num_heads)
    return x + jnp.moveaxis(mixed.reshape(batch, height, width, channels), -1, 1)


def downsample_average(x):
    r"""The mean of every 2 x 2 block of pixels.

    Raises ValueError if height or width of x is odd.  Source: Dhariwal & Nichol 2021, whose blocks halve by averages.
    [B, C, H, W] -> [B, C, H/2, W/2]
    """
    require_rank(4, x=x)
    height, width = x.shape[2:]
    require(height % 2 == 0 and width % 2 == 0, f"x has pixels {height} x {width}; both must be even to be halved")
    rows = x[:, :, ::2] + x[:, :, 1::2]
    return (rows[..., ::2] + rows[..., 1::2]) / 4


def upsample_nearest(x):
    r"""Every pixel as a 2 x 2 block.

    Raises ValueError unless x has four axes.  Source: Ho et al. 2020, appendix B.
    [B, C, H, W] -> [B, C, 2*H, 2*W]
    """
    require_rank(4, x=x)
    return jnp.repeat(jnp.repeat(x, 2, axis=2), 2, axis=3)


# ---------------------------------------------------------------------------------------------------- the derivation

derivation = Derivation(
    title="U-Net: time as rotations, blocks that begin as the identity, and what a skip connection carries",
    lectures=(30,),
    sources=(
        "Ronneberger, Fischer & Brox 2015, U-Net: Convolutional Networks for Biomedical Image Segmentation",
        "Vaswani et al. 2017, Attention Is All You Need, section 3.5",
        "Wu & He 2018, Group Normalization",
        "Ho, Jain & Abbeel 2020, Denoising Diffusion Probabilistic Models, appendix B",
        "Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis",
    ),
)


def _embed(t):
    return sinusoidal_time_embedding(t, dim=8, max_period=1000.0)


_FREQUENCIES = 1000.0 ** (-jnp.arange(4) / 3)
_TIMES, _OTHERS = jnp.array([0.0, 1.0, 17.0, 250.5, 999.0]), jnp.array([3.0, -2.5, 400.0, 88.0, 998.0])


@derivation.numeric(
    r"\langle e(t), e(s) \rangle = \textstyle\sum_i \cos((t - s) f_i)",
    because="sin a sin b + cos a cos b = cos(a - b), frequency by frequency. How alike two times look depends on their distance "
    "alone, and the largest inner product, at distance 0, is one for each frequency.",
)
def inner_products_know_the_distance():
    left = _embed(_TIMES) @ _embed(_OTHERS).T
    return left, jnp.cos((_TIMES[:, None, None] - _OTHERS[:, None]) * _FREQUENCIES).sum(-1)


@derivation.numeric(
    r"\lVert e(t) \rVert^2 = \mathrm{dim} / 2",
    because="The same at s = t: every cosine is 1. All times lie on one sphere, so no time is louder than another, which the "
    "raw number t, from 1 to 1000, would be.",
)
def all_times_lie_on_one_sphere():
    return jnp.sum(_embed(_TIMES) ** 2, axis=-1), jnp.full(5, 4.0)


@derivation.numeric(
    r"e(t + d) = R_d\, e(t)",
    because="The addition theorems: (sin, cos) of (t + d) f_i is the pair of t f_i, rotated by d f_i. The rotation knows d and "
    "not t, so one linear layer can read off 'a step later' at any time.",
)
def a_step_in_time_is_a_rotation():
    d = 2.75
    c, s = jnp.diag(jnp.cos(d * _FREQUENCIES)), jnp.diag(jnp.sin(d * _FREQUENCIES))
    return _embed(_TIMES + d), _embed(_TIMES) @ jnp.block([[c, s], [-s, c]]).T


@derivation.numeric(
    r"\mathrm{GN}(a x + b) = \mathrm{GN}(x) \qquad (a > 0,\ \varepsilon = 0)",
    because="Each group loses its mean, hence b, and is divided by its deviation, hence a. Brightness and contrast, which noise "
    "levels change by orders of magnitude, do not reach the convolutions; and unlike a batch norm nothing depends on the other "
    "images, which have other noise levels.",
)
def group_norm_forgets_brightness_and_contrast():
    x, weight, bias = draw(2, 6, 4, 5), draw(6, seed=1), draw(6, seed=2)
    changed = jnp.array([0.1, 30.0])[:, None, None, None] * x + 7.0
    left, right = (group_norm(images, weight, bias, num_groups=3, epsilon=0.0) for images in (changed, x))
    return left, right


def _block(channels=4, width=5, seed=10):
    """A residual block's parameters, drawn."""
    shapes = (
        (channels,), (channels,), (channels, channels, 3, 3), (channels,), (channels, width), (channels,), (channels,),
        (channels,), (channels, channels, 3, 3), (channels,),
    )  # fmt: skip
    return [draw(*shape, seed=seed + i, scale=0.5) for i, shape in enumerate(shapes)]


@derivation.numeric(
    r"W_{\mathrm{conv}_2} = 0,\ b_{\mathrm{conv}_2} = 0 \;\Rightarrow\; \mathrm{block}(x) = x",
    because="The branch ends in that convolution, so a zero there silences it: only the skip is left. A stack of any depth then "
    "has gain 1, forward and backward. Here ten blocks, and the slope of their output along a direction.",
)
def blocks_begin_as_the_identity():
    x, direction, embedding = draw(2, 4, 3, 6), draw(2, 4, 3, 6, seed=1), draw(2, 5, seed=2)
    *rest, last_weight, last_bias = _block()

    def stack(x):
        for _ in range(10):
            x = residual_block(x, embedding, *rest, 0 * last_weight, 0 * last_bias, num_groups=2)
        return x

    return jnp.stack(jax.jvp(stack, (x,), (direction,))), jnp.stack([x, direction])


@derivation.autodiff(
    r"\frac{\partial\, \langle u, \mathrm{block}(x) \rangle}{\partial W_{\mathrm{conv}_2}} \;=\;"
    r" \textstyle\sum_{\mathrm{pixels}} u \otimes \mathrm{shifted}\ \mathrm{SiLU}(\mathrm{GN}_2(h)) \;\neq\; 0",
    because="A product is silent where one factor is zero, but its slope is the other factor. What the convolution hears is "
    "alive, so the first step of training wakes it; had the convolution before it been zero as well, nothing ever would. With a "
    "bias of b in every channel, a gain of 0 and pixels away from the border, that slope is SiLU(b) times the sum of u.",
)
def a_silent_convolution_still_learns():
    x, embedding, upstream = draw(2, 4, 5, 6), draw(2, 5, seed=2), jnp.zeros((2, 4, 5, 6)).at[:, :, 1:-1, 1:-1].set(
        draw(2, 4, 3, 4, seed=3)
    )  # fmt: skip
    parameters = _block()
    level = jnp.array([0.5, -1.0, 2.0, 0.25])
    parameters[6:] = jnp.zeros(4), level, jnp.zeros((4, 4, 3, 3)), jnp.zeros(4)

    def loss(kernel):
        return jnp.vdot(upstream, residual_block(x, embedding, *parameters[:8], kernel, parameters[9], num_groups=2))

    slope = jnp.outer(upstream.sum((0, 2, 3)), level / (1 + jnp.exp(-level)))
    return jax.grad(loss)(parameters[8]), jnp.broadcast_to(slope[:, :, None, None], (4, 4, 3, 3))


@derivation.numeric(
    r"\hat\epsilon_{\mathrm{untrained}} = 0 \;\Rightarrow\; L = \lVert \epsilon \rVert^2",
    because="The network's last convolution starts at zero, too, so it predicts no noise at all: the mean noise, which is the "
    "best guess of one who knows nothing. An output of unit variance that knows nothing has an expected loss twice as large.",
)
def the_untrained_network_predicts_zero():
    network = UNet2d(channels=2, size=4, base_channels=4, multipliers=(1, 2), blocks=1, groups=2, compact=True, rngs=nnx.Rngs(0))
    noise = draw(3, 2, 4, 4)
    prediction = network(draw(3, 2, 4, 4, seed=1), jnp.array([1.0, 5.0, 9.0]))
    return jnp.sum((noise - prediction) ** 2, axis=(1, 2, 3)), jnp.sum(noise * noise, axis=(1, 2, 3))


@derivation.numeric(
    r"\mathrm{Att}(\Pi x) = \Pi\, \mathrm{Att}(x)",
    because="Attention averages over the set of pixels and has no positions here. It does not know which pixels are neighbors.",
)
def attention_knows_no_geometry():
    x, weights = draw(2, 4, 3, 2), [draw(4, 4, seed=seed, scale=0.6) for seed in range(1, 5)]
    order = jnp.array([4, 0, 3, 5, 1, 2])

    def permuted(x):
        return x.reshape(2, 4, 6)[:, :, order].reshape(x.shape)

    left = spatial_self_attention(permuted(x), *weights, num_heads=2)
    return left, permuted(spatial_self_attention(x, *weights, num_heads=2))


@derivation.bound(
    r"\lVert \mathrm{block}(\Pi x) - \Pi\, \mathrm{block}(x) \rVert_\infty \;\ge\; \tfrac{1}{10}"
    r" \quad\text{for 19 permutations } \Pi \neq I",
    because="A 3x3 kernel weighs the neighbor above and the one below by different numbers, so a convolution notices when pixels "
    "change places. All that the network knows of geometry comes from its convolutions: here the 17 exchanges of two "
    "adjacent pixels and two shuffles of all twelve change the output by a tenth at least.",
)
def convolutions_know_geometry():
    x, embedding, parameters = draw(1, 4, 3, 4), draw(1, 5, seed=2), _block()
    identity = np.arange(12)
    grid = identity.reshape(3, 4)
    pairs = [*zip(grid[:, :-1].ravel(), grid[:, 1:].ravel(), strict=True), *zip(grid[:-1].ravel(), grid[1:].ravel(), strict=True)]
    orders = [np.random.default_rng(seed).permutation(12) for seed in range(2)]
    for a, b in pairs:
        order = identity.copy()
        order[[a, b]] = b, a
        orders.append(order)

    def commutator(order):
        def permuted(x):
            return x.reshape(1, 4, 12)[:, :, order].reshape(x.shape)

        def block(x):
            return residual_block(x, embedding, *parameters, num_groups=2)

        return jnp.max(jnp.abs(block(permuted(x)) - permuted(block(x))))

    moved = jax.jit(jax.vmap(commutator))(jnp.array(orders))
    return jnp.full(len(orders), 0.1), moved, (commutator(jnp.array(identity)), jnp.array(0.0))


@derivation.numeric(
    r"D\, U x = x",
    because="Doubling writes every pixel four times, and the mean of four equal numbers is that number: halving undoes doubling. "
    "The other way round it cannot, since three quarters of the numbers are gone.",
)
def halving_undoes_doubling():
    x = draw(2, 3, 2, 5)
    return downsample_average(upsample_nearest(x)), x


@derivation.numeric(
    r"\langle D x, y \rangle = \tfrac14 \langle x, U y \rangle",
    because="Both sums multiply every pixel of x by the pixel of y that its block belongs to; D alone has the quarter of a mean. "
    "So U is four times the adjoint of D, and what one does forward the other does to gradients on the way back.",
)
def halving_and_doubling_are_adjoint():
    x, y = draw(2, 3, 4, 6), draw(2, 3, 2, 3, seed=1)
    return jnp.vdot(downsample_average(x), y), jnp.vdot(x, upsample_nearest(y)) / 4


def _projection():
    """U D as a matrix on the 16 pixels of a 4 x 4 image: one column for each image of a single bright pixel."""
    pixels = jnp.eye(16).reshape(16, 1, 4, 4)
    return upsample_nearest(downsample_average(pixels)).reshape(16, 16).T


@derivation.exact(
    r"P = U D: \qquad P^2 = P = P^\top, \qquad P_{ij} = \tfrac14\, [\,i, j \text{ in one block}\,]",
    because="P^2 = U (D U) D = U D, and U = 4 D^T makes it symmetric: an orthogonal projection. Its image is what doubling can "
    "make, the images that are constant on every block; the nearest of them to x has each block's mean.",
)
def doubling_after_halving_is_a_projection():
    p = _projection()
    row, column = np.divmod(np.arange(16), 4)
    block = 2 * (row // 2) + column // 2
    means = jnp.array((block[:, None] == block) / 4)
    return jnp.stack([p, p @ p, p.T]), jnp.stack([means, means, means])


@derivation.exact(
    r"x = P x + (I - P) x, \qquad D (I - P) = 0, \qquad \langle P x, (I - P) x \rangle = 0",
    because="D - D U D = 0: halving is blind to the complement, whatever is learned on the levels below. It is orthogonal to all "
    "that comes back up, and three quarters of the pixels' dimensions (the trace of I - P is 12 of 16). A U-Net's skip "
    "connection is what carries it: edges and texture, and most of the noise that is to be predicted.",
)
def the_skip_connection_carries_the_complement():
    p = _projection()
    rest = jnp.eye(16) - p
    lost = downsample_average(rest.T.reshape(16, 1, 4, 4))
    left = (lost.ravel(), (p.T @ rest).ravel(), jnp.trace(rest)[None])
    return jnp.concatenate(left), jnp.zeros(64 + 256 + 1).at[-1].set(12.0)


if __name__ == "__main__":
    derivation.main()
