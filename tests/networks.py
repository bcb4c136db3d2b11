"""Networks without a twin in the theory wing: their formula, from functions that contracts hold, and the rest of a Model row."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.linalg
import scipy.stats
import torch
from torch.nn import functional

from practice_torch.autoregressive.attention import causal_mask
from practice_torch.autoregressive.normalization import layer_norm, post_norm_residual, pre_norm_residual
from practice_torch.autoregressive.pixelcnn import gated_activation, horizontal_convolution, vertical_convolution
from practice_torch.autoregressive.position import (
    AlibiPositions,
    LearnedPositions,
    RotaryPositions,
    SinusoidalPositions,
    alibi_bias,
    apply_rotary,
    rotary_angles,
    sinusoidal_positions,
)
from practice_torch.autoregressive.transformer import feed_forward
from practice_torch.autoregressive.wavenet import causal_convolution
from practice_torch.diffusion.text_conditioning import CaptionedUNet, cross_attention, image_to_tokens, tokens_to_image
from practice_torch.diffusion.unet import downsample_average, group_norm, sinusoidal_time_embedding, upsample_nearest
from practice_torch.diffusion.variational_diffusion import Ends, NoisePredictor
from practice_torch.experiments.autoregressive.discretized_mixture import MixturePixelCNN
from practice_torch.experiments.diffusion.variational_diffusion import RECIPES as VARIATIONAL
from practice_torch.experiments.parts.actors import CategoricalActor, GaussianActor
from practice_torch.experiments.parts.convolutional_autoencoder import ConvolutionalAutoencoder
from practice_torch.flows import actnorm, affine_coupling, invertible_convolution
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.multiscale import Glow, MultiscaleRealNVP, split_prior_log_prob, squeeze
from practice_torch.latent.convolutional_vae import convolution2d, nearest_upsample, transposed_convolution2d
from practice_torch.networks.diffwave import DiffWave
from practice_torch.networks.fourier_features import fourier_features
from practice_torch.networks.open_decoder import OpenDecoder
from practice_torch.networks.unet import UNet1d, UNet2d
from shared_specs.diffusion.unet import KERNELS, VECTORS
from shared_specs.rows import (
    Model,
    begins_as,
    begins_at,
    begins_by_inputs,
    begins_glorot,
    begins_normal,
    given,
    integers,
    normal,
    uniform,
)
from tests import tiny
from tests.small_recipes import module_of

HEADS, WIDTH, LENGTH = 2, 8, 6
LIMIT = 10.0  # of log-variances in latent/vae


@dataclass(frozen=True)
class Held:
    """A network, built by constructor(**row.sizes); formula(network, inputs...) is what it must give in evaluation.

    No formula: only its beginning is another than that of the same network elsewhere.
    """

    constructor: Callable
    row: Model
    formula: Callable


# ---------------------------------------------------------------------------------------------------- decoders, by scheme

_SCHEMES = {
    "learned": lambda: LearnedPositions(LENGTH + 1, WIDTH),
    "sinusoidal": SinusoidalPositions,
    "rotary": RotaryPositions,
    "alibi": lambda: AlibiPositions(HEADS),
}


def _decoder(scheme, norm_position):
    return OpenDecoder(
        vocabulary_size=11, width=WIDTH, layers=2, heads=HEADS, positions=_SCHEMES[scheme](), norm_position=norm_position
    )


def _decoder_logits(network, tokens, scheme, norm_position):
    weight, length = network.token_embedding.weight, tokens.shape[1]
    x, places = weight[tokens], torch.arange(length)
    if scheme == "learned":
        x = x + network.positions.table[:length]
    if scheme == "sinusoidal":
        x = math.sqrt(WIDTH) * x + sinusoidal_positions(places, width=WIDTH, layout="half")
    around = {"pre": pre_norm_residual, "post": post_norm_residual}[norm_position]
    for block in network.blocks:
        p = block.parameters_by_name()
        perceptron = [p[name] for name in ("up_weight", "up_bias", "down_weight", "down_bias")]
        norms = [[p[f"{name}_norm_{end}"] for end in ("weight", "bias")] for name in ("attention", "feed_forward")]
        x = around(x, *norms[0], partial(_attention, parameters=p, scheme=scheme), epsilon=1e-5)
        x = around(x, *norms[1], lambda z, perceptron=perceptron: feed_forward(z, *perceptron), epsilon=1e-5)
    if norm_position == "pre":
        x = layer_norm(x, network.final_norm.weight, network.final_norm.bias, epsilon=1e-5)
    return functional.linear(x, weight)


def _attention(z, parameters, scheme):
    length = z.shape[1]
    query, key, value = (
        functional.linear(z, parameters[f"{name}_weight"]).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for name in ("query", "key", "value")
    )
    if scheme == "rotary":
        angles = rotary_angles(torch.arange(length), head_width=WIDTH // HEADS)
        query, key = (apply_rotary(part, angles, layout="half") for part in (query, key))
    scores = query @ key.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
    if scheme == "alibi":
        scores = scores + alibi_bias(heads=HEADS, query_length=length, key_length=length)
    scores = scores.masked_fill(~causal_mask(query_length=length, key_length=length), -torch.inf)
    return functional.linear((scores.softmax(-1) @ value).transpose(1, 2).flatten(2), parameters["output_weight"])


def _decoders():
    # GPT-2's deviations: the ends of the 2N = 4 branches are smaller by their root
    initial = {"*norm.weight": begins_at(1), "*.bias": begins_at(0), "*.output.weight": begins_normal(0.01)}
    initial |= {"*.down.weight": begins_normal(0.01), "*.weight": begins_normal(0.02)}
    for scheme in _SCHEMES:
        for place in ("pre", "post"):
            row = Model(
                "OpenDecoder", f"{scheme}, {place}", given(tokens=integers(3, LENGTH, high=11)), sees={"tokens": 0},
                sizes=dict(scheme=scheme, norm_position=place),
                initial=initial | ({"positions.table": begins_normal(0.02)} if scheme == "learned" else {}),
            )  # fmt: skip
            yield Held(_decoder, row, partial(_decoder_logits, **row.sizes))


def _of_the_depth_study(place):
    """The network as the experiment trains it: with Xavier's weights in its blocks."""
    recipe = tiny.small(module_of("autoregressive/normalization").RECIPES["depth"])
    return getattr(tiny.built("autoregressive/normalization", recipe, seed=None)[0], place)


# ---------------------------------------------------------------------------------------------------- pixels


def _mixtures(network, codes):
    """Logits, means and log-scales of two colors; the mean of the second is moved by the value of the first."""
    p, x = dict(network.named_parameters()), codes.double() - 1  # of three levels

    def given(place):
        return p[f"{place}.weight"], p[f"{place}.bias"]

    def pointwise(place, z):
        return functional.linear(z.movedim(1, -1), p[f"{place}.weight"].flatten(1), p[f"{place}.bias"]).movedim(-1, 1)

    read = torch.stack([x[:, 0], x[:, 1], torch.ones_like(x[:, 0])], 1)
    above = vertical_convolution(read, *given("above"), mask_type="A")
    before = horizontal_convolution(read, *given("before"), mask_type="A")
    for place in ("layers.0", "layers.1"):
        tall = vertical_convolution(above, *given(f"{place}.vertical"), mask_type="B")
        wide = horizontal_convolution(before, *given(f"{place}.horizontal"), mask_type="B")
        before = before + pointwise(f"{place}.out", gated_activation(wide + pointwise(f"{place}.link", tall)))
        above = gated_activation(tall)
    laws = pointwise("laws", pointwise("hidden", before.relu()).relu())
    logits, first, second, narrow, wide, coefficient = (part.movedim(1, -1) for part in laws.split(3, 1))
    second = second + coefficient.tanh() * x[:, 0, :, :, None]
    return logits, torch.stack([first, second], 1), torch.stack([narrow, wide], 1).clamp(min=-7)


# ---------------------------------------------------------------------------------------------------- diffusion


def _of_equal_rows(network, x, t, label):
    """A U-Net on images whose rows are all x, with kernels that read their middle row alone, treats every row as x."""
    flat = UNet2d(**_UNET).double().eval()
    with torch.no_grad():
        for name, parameter in flat.named_parameters():
            known = dict(network.named_parameters())[name]
            parameter.zero_()
            if parameter.ndim == 4:
                parameter[:, :, parameter.shape[2] // 2] = known
            else:
                parameter.copy_(known)
    return flat(x.unsqueeze(2).repeat(1, 1, x.shape[2], 1), t, label)[:, :, 3]


def _noise(network, z, log_snr):
    return z + network.network(fourier_features(z, (3, 4)), 10 * log_snr)


def _denoised(network, x, t, label=None):
    """DiffWave of causal convolutions: one that sees d steps of the future is causal d steps later."""
    p = dict(network.named_parameters())

    def linear(place, z):
        return functional.linear(z, p[f"{place}.weight"].flatten(1), p.get(f"{place}.bias"))

    def pointwise(place, z):
        return linear(place, z.transpose(1, 2)).transpose(1, 2)

    time = sinusoidal_time_embedding(t, dim=128)
    for place in ("time.0", "time.1"):
        time = linear(place, time) * torch.sigmoid(linear(place, time))
    h, skips = pointwise("input", x).relu(), 0
    for number, dilation in enumerate((1, 2, 1)):
        z, place = h + linear(f"blocks.{number}.time", time)[..., None], f"blocks.{number}"
        later = causal_convolution(
            functional.pad(z, (0, dilation)), p[f"{place}.gates.weight"], p[f"{place}.gates.bias"], dilation=dilation
        )
        gates = later[..., dilation:]
        if network.num_classes:
            classes = torch.full((len(x),), network.num_classes) if label is None else label
            gates = gates + linear(f"{place}.label", p["label.weight"][classes])[..., None]
        z = pointwise(f"{place}.out", gates[:, :WIDTH].tanh() * gates[:, WIDTH:].sigmoid())
        h, skips = (h + z[:, :WIDTH]) / math.sqrt(2), skips + z[:, WIDTH:]
    return pointwise("output", pointwise("mix", skips / math.sqrt(3)).relu())


def _convolved(network, x, noise, repeated=False):
    """The autoencoder of two levels, whose decoder doubles the sides by transposed convolutions or by repeating pixels."""
    p, statistics = dict(network.named_parameters()), dict(network.named_buffers())

    def activated(place, h):
        mean, variance, gain, shift = (
            part[f"{place}.{name}"][:, None, None]
            for part, name in ((statistics, "running_mean"), (statistics, "running_var"), (p, "weight"), (p, "bias"))
        )
        return functional.silu((h - mean) / (variance + 1e-5).sqrt() * gain + shift)

    def doubled(place, h):
        weight = p[f"{place}.{int(repeated)}.weight"]
        bias = p.get(f"{place}.{int(repeated)}.bias", weight.new_zeros(weight.shape[0 if repeated else 1]))
        if repeated:
            return convolution2d(nearest_upsample(h, factor=2), weight, bias, padding=1)
        return transposed_convolution2d(h, weight, bias, stride=2, padding=1)

    h = x.unflatten(1, (2, 8, 8))
    for conv, norm in (("encoder.0.1", "encoder.0.2"), ("encoder.1.0", "encoder.1.1")):
        weight = p[f"{conv}.weight"]
        h = activated(norm, convolution2d(h, weight, weight.new_zeros(len(weight)), stride=2, padding=1))
    mean, log_var = (functional.linear(h.flatten(1), p[f"{name}.1.weight"], p[f"{name}.1.bias"]) for name in ("mean", "log_var"))
    log_var = LIMIT * torch.tanh(log_var / LIMIT)
    z = mean + (log_var / 2).exp() * noise
    h = activated("decoder.0.2", functional.linear(z, p["decoder.0.0.weight"]).unflatten(1, (4, 2, 2)))
    h = activated(f"decoder.1.{1 + repeated}", doubled("decoder.1", h))
    return doubled("logits", h).flatten(1), mean, log_var


def _captioned(network, x, t, label):
    """Away from its text a U-Net: here the way down, the middle and the way up of one block each, which all attend."""
    p = dict(network.named_parameters())
    context, shown = network.text.hidden(label), label > 0
    time = sinusoidal_time_embedding(t, dim=4)
    for place in ("time.0", "time.1"):
        time = functional.linear(time, p[f"{place}.weight"], p[f"{place}.bias"])
        time = functional.silu(time)

    def norm(place, h):
        return group_norm(h, p[f"{place}.weight"], p[f"{place}.bias"], num_groups=2)

    def convolved(place, h):
        kernel = p[f"{place}.weight"]
        return functional.conv2d(h, kernel, p[f"{place}.bias"], padding=kernel.shape[-1] // 2)

    def block(place, h):
        shortcut = convolved(f"{place}.shortcut", h) if f"{place}.shortcut.weight" in p else h
        h = convolved(f"{place}.conv1", functional.silu(norm(f"{place}.norm1", h)))
        h = h + functional.linear(time, p[f"{place}.embed.weight"], p[f"{place}.embed.bias"])[:, :, None, None]
        h = shortcut + convolved(f"{place}.conv2", functional.silu(norm(f"{place}.norm2", h)))
        weights = p[f"{place}.attention.query_key_value.weight"].chunk(3)
        heads = h.shape[1] // 4
        tokens = image_to_tokens(norm(f"{place}.attention.norm", h))
        everywhere = torch.ones(tokens.shape[:2], dtype=torch.bool)
        attended = cross_attention(
            tokens, tokens, everywhere, *weights, p[f"{place}.attention.output.weight"], num_heads=heads
        )
        h = h + tokens_to_image(attended, height=h.shape[2], width=h.shape[3])
        weights = [p[f"{place}.cross.mix.{name}.weight"] for name in ("query", "key", "value", "output")]
        tokens = image_to_tokens(norm(f"{place}.cross.norm", h))
        attended = cross_attention(tokens, context, shown, *weights, num_heads=heads)
        return h + tokens_to_image(attended, height=h.shape[2], width=h.shape[3])

    h = block("encoder.0.blocks.0", convolved("input", x))
    low = block("middle.0", convolved("encoder.0.resample", downsample_average(h)))
    up = convolved("decoder.0.resample", upsample_nearest(low))
    return convolved("output", functional.silu(norm("norm", block("decoder.0.blocks.0", torch.cat([up, h], 1)))))


# ---------------------------------------------------------------------------------------------------- flows


def _glow(network, x):
    """Two levels of two steps on two colors: each step the three layers, with the coupling as its mask says."""
    p, fixed = dict(network.named_parameters()), dict(network.named_buffers())
    h, left, total = x.unflatten(1, (2, 4, 4)), [], 0.0

    def convolved(place, z):
        return functional.conv2d(z, p[f"{place}.weight"], p[f"{place}.bias"], padding=p[f"{place}.weight"].shape[-1] // 2)

    def coupled(place, z, which):
        """Log-scales or shifts for the second half of the channels, given the first, which has none."""
        half = z.shape[1] // 2
        hidden = convolved(f"{place}.2", convolved(f"{place}.0", z[:, :half]).relu()).relu()
        return functional.pad(convolved(f"{place}.4", hidden).split(half, 1)[which], (0, 0, 0, 0, half, 0))

    for number in range(4):
        place = f"blocks.{number}"
        if number % 2 == 0:
            h = squeeze(h)
        h, of_norm = actnorm.forward(h, p[f"{place}.shift"], p[f"{place}.log_scale"])
        parts = [p[f"{place}.{name}"] for name in ("lower", "upper", "log_diagonal")]
        weight = invertible_convolution.assemble(fixed[f"{place}.permutation"], *parts, fixed[f"{place}.sign"])
        h, of_weight = invertible_convolution.forward(h, weight)
        log_scale, shift = (partial(coupled, f"{place}.network", which=which) for which in (0, 1))
        h, of_coupling = affine_coupling.forward(
            h, affine_coupling.channel_mask(channels=h.shape[1]), lambda z, raw=log_scale: 1.5 * torch.tanh(raw(z) / 1.5), shift
        )
        total = total + of_norm + of_weight + of_coupling
        if number == 1:
            mean, log_var = convolved("priors.0", h[:, :4]).split(4, 1)
            noise = (h[:, 4:] - mean) / (log_var / 2).exp()
            h, log_prob = split_prior_log_prob(h, lambda kept, mean=mean: mean, lambda kept, log_var=log_var: log_var)
            left, total = [noise.flatten(1)], total + log_prob - standard_normal_log_prob(noise)
    return torch.cat([*left, h.flatten(1)], 1), total


def _masked(network, x):
    """Real NVP of two scales on two colors; half of the eight channels behind the squeeze leave after the sixth step."""
    p, h, total = dict(network.named_parameters()), x.unflatten(1, (2, 4, 4)), 0.0

    def convolved(place, z):
        return functional.conv2d(z, p[f"{place}.weight"], p[f"{place}.bias"], padding=1)

    def answered(place, z, which):
        hidden = convolved(f"{place}.first", z)
        inner = convolved(f"{place}.pairs.0.0", hidden.relu()).relu()
        hidden = hidden + convolved(f"{place}.pairs.0.1", inner)
        return convolved(f"{place}.last", hidden.relu()).chunk(2, 1)[which]

    for number in range(10):
        place, flip = f"blocks.{number}", number in (1, 4, 7, 9)
        if number == 3:
            h = squeeze(h)
        if number == 6:
            h, left = h.split(4, 1)
        if 3 <= number < 6:
            mask = affine_coupling.channel_mask(channels=8, flip=flip)
        else:
            mask = affine_coupling.checkerboard_mask(height=h.shape[2], width=h.shape[3], flip=flip)
        h, of_norm = actnorm.forward(h, p[f"{place}.shift"], p[f"{place}.log_scale"])
        raw, shift = (partial(answered, f"{place}.network", which=which) for which in (0, 1))
        h, of_coupling = affine_coupling.forward(h, mask, lambda z, raw=raw: 1.5 * torch.tanh(raw(z) / 1.5), shift)
        total = total + of_norm + of_coupling
    return torch.cat([left.flatten(1), h.flatten(1)], 1), total


def _of_a_rotation(part):
    """A part of the LU form of a random rotation: 0 the matrix L, 1 U without its diagonal, 2 the logarithms of that."""

    def draw(rng, shape):
        _, lower, upper = scipy.linalg.lu(scipy.stats.ortho_group.rvs(shape[0], random_state=rng))
        return (lower, np.triu(upper, 1), np.log(np.abs(np.diag(upper))))[part]

    return begins_as(draw)


# ---------------------------------------------------------------------------------------------------- control


def _acted(network, observations):
    """Two hidden layers with tanh; where an action is numbers, their log-variances beside the means, equal in every state."""
    p, h = dict(network.named_parameters()), observations
    for place in (0, 2, 4):
        h = functional.linear(h if place == 0 else h.tanh(), p[f"network.{place}.weight"], p[f"network.{place}.bias"])
    if "log_var" not in p:
        return h
    return torch.cat([h, p["log_var"] * torch.ones_like(h)], dim=1)


_BATCH_NORMS = ("encoder.0.2", "encoder.1.1", "decoder.0.2")
_DIFFWAVE = dict(width=WIDTH, layers=3, cycle=2)
_UNET = dict(
    channels=2, size=8, base_channels=4, multipliers=(1, 2), blocks=1, num_classes=3, attention_at=(4,), head_width=4, groups=2,
    compact=True,
)  # fmt: skip
_CAPTIONED = dict(
    vocabulary_size=5, words=3, text_width=8, text_layers=1, head_width=4, groups=2, channels=2, size=(8, 4), base_channels=4,
    multipliers=(1, 2), blocks=1, attention_at=(8, 4), compact=True,
)  # fmt: skip
_ZERO_ENDS = {"*conv2.weight": begins_at(0), "*output.weight": begins_at(0)}
_PREDICTOR = VECTORS | _ZERO_ENDS | KERNELS
_PREDICTOR.pop("label.weight")
_DENOISER = {"*.bias": begins_at(0), "output.weight": begins_at(0)} | KERNELS

HELD = (
    *_decoders(),
    Held(  # with norms after the branches it takes the same weights over
        _of_the_depth_study,
        Model("OpenDecoder", "of the depth study", given(tokens=integers(3, LENGTH, high=11)), sizes=dict(place="pre"),
              initial={"*norm.weight": begins_at(1), "*.bias": begins_at(0), "blocks.*.weight": begins_glorot(),
                       "token_embedding.weight": begins_normal(0.02), "positions.table": begins_normal(0.02)}),
        None,
    ),
    Held(
        UNet1d,
        Model("UNet1d", "sequences", given(x=normal(3, 2, 8), t=uniform(3, high=20.0), label=np.array([0, 3, 2])), sizes=_UNET,
              initial=VECTORS | _ZERO_ENDS | KERNELS, training=dict(dropout=0.5)),
        _of_equal_rows,
    ),
    Held(
        DiffWave,
        Model("DiffWave", "classes", given(x=normal(3, 1, 6), t=uniform(3, high=20.0), label=np.array([0, 3, 2])),
              sizes=_DIFFWAVE | dict(num_classes=3), initial={"label.weight": begins_normal(1.0)} | _DENOISER),
        _denoised,
    ),
    Held(
        DiffWave,
        Model("DiffWave", "the label left out", given(x=normal(3, 1, 6), t=uniform(3, high=20.0)),
              sizes=_DIFFWAVE | dict(num_classes=3), initial={"label.weight": begins_normal(1.0)} | _DENOISER),
        _denoised,
    ),
    Held(
        DiffWave,
        Model("DiffWave", "no classes", given(x=normal(3, 1, 6), t=uniform(3, high=20.0)), sizes=_DIFFWAVE, initial=_DENOISER),
        _denoised,
    ),
    Held(
        CaptionedUNet,
        Model("CaptionedUNet", "captions of one to three words",
              given(x=normal(3, 2, 8, 4), t=uniform(3, high=20.0), label=np.array([[3, 1, 2], [1, 0, 0], [4, 4, 0]])),
              sizes=_CAPTIONED, training=dict(dropout=0.5),
              initial={"text.*norm.weight": begins_at(1), "text.*.bias": begins_at(0),
                       "text.*embedding.weight": begins_normal(0.02),
                       "text.blocks.*.output.weight": begins_normal(0.02 / 2**0.5),
                       "text.blocks.*.down.weight": begins_normal(0.02 / 2**0.5), "text.*.weight": begins_normal(0.02),
                       "*cross.mix.output.weight": begins_at(0), "*cross.norm.weight": begins_at(1),
                       "*cross.norm.bias": begins_at(0), "*cross.mix.*": begins_by_inputs()} | _PREDICTOR),
        _captioned,
    ),
    Held(
        MixturePixelCNN,
        Model("MixturePixelCNN", "two colors", given(codes=integers(2, 2, 3, 4, high=3)), training=dict(dropout=0.5),
              sizes=dict(levels=3, colors=2, components=3, width=4, layers=2), initial={"*": begins_by_inputs()}),
        _mixtures,
    ),
    *(
        Held(
            ConvolutionalAutoencoder,
            Model("ConvolutionalAutoencoder", case, given(x=uniform(3, 128), noise=normal(3, 5)), apart=False,
                  sizes=dict(shape=(2, 8, 8), channels=(3, 4), latent_dim=5, repeated=repeated),
                  initial={f"{norm}.weight": begins_at(1) for norm in (*_BATCH_NORMS, last)}
                  | {f"{norm}.bias": begins_at(0) for norm in (*_BATCH_NORMS, last)} | {"*": begins_by_inputs()}),
            partial(_convolved, repeated=repeated),
        ) for case, repeated, last in (("transposed", False, "decoder.1.1"), ("repeated pixels", True, "decoder.1.2"))
    ),
    Held(
        Glow,
        Model("Glow", "two levels", given(x=normal(3, 32)), sizes=dict(shape=(2, 4, 4), levels=2, depth=2, width=5, bound=1.5),
              initial={"*.shift": begins_at(0), "*.log_scale": begins_at(0), "*.lower": _of_a_rotation(0),
                       "*.upper": _of_a_rotation(1), "*.log_diagonal": _of_a_rotation(2), "*.network.4.*": begins_at(0),
                       "priors.*": begins_at(0), "*": begins_by_inputs()}),
        _glow,
    ),
    Held(
        MultiscaleRealNVP,
        Model("MultiscaleRealNVP", "two colors", given(x=normal(3, 32)), sizes=dict(shape=(2, 4, 4), width=3, residual_blocks=1,
              bound=1.5), initial={"*.shift": begins_at(0), "*.log_scale": begins_at(0), "*.last.*": begins_at(0),
                                   "*": begins_by_inputs()}),
        _masked,
    ),
    Held(
        NoisePredictor,
        Model("NoisePredictor", "small", given(z=normal(3, 1, 8, 8), log_snr=normal(3)), initial=_PREDICTOR,
              sizes=dict(recipe=tiny.small(VARIATIONAL["digits"]), shape=(1, 8, 8))),
        _noise,
    ),
    Held(
        Ends,
        Model("Ends", "from -5 to 8", given(), sizes=dict(log_snr_max=8.0, log_snr_min=-5.0), apart=False,
              initial={"bottom": begins_at(-5.0), "rise": begins_at(math.log(math.expm1(13.0)))}),
        lambda network: (network.bottom + functional.softplus(network.rise), network.bottom),
    ),
    *(
        Held(
            actor,
            Model(actor.__name__, "two actions", given(observations=normal(3, 4)), sizes=dict(observed=4, actions=2, hidden=5),
                  initial=beginning | {"*": begins_by_inputs()}),
            _acted,
        ) for actor, beginning in ((CategoricalActor, {}), (GaussianActor, {"log_var": begins_at(0)}))
    ),
)  # fmt: skip
