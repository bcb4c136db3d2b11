"""Wrong forms of modulation, normalization, truncation, mixing and path lengths that the rows must refuse, and right ones."""

import torch
from torch.nn import functional

from practice_torch.adversarial import style_gan as right
from tests.support.mistakes import Mistake, after_checks

MODULATE, ADAIN, LATENT = "modulated_convolution", "adaptive_instance_normalization", "normalize_latent_code"
TRUNCATE, MIX, PATH = "truncate_latent", "mix_styles", "path_length_penalty"


def _planted(function, name, wrong):
    """A wrong form behind the right one's checks."""
    return Mistake(function, name, after_checks(right, function, wrong))


def _grouped(x, kernels, padding):
    """Kernels [B, O, C, K, L], one for each example, by torch's groups."""
    batch = len(x)
    found = functional.conv2d(x.flatten(0, 1)[None], kernels.flatten(0, 1), padding=padding, groups=batch)
    return found[0].unflatten(0, (batch, -1))


def _styled(change):
    """change(kernels with styles, weight, style, epsilon): the kernels of a demodulated convolution."""

    def wrong(x, weight, style, *, demodulate=True, padding=1, epsilon=1e-8):
        kernels = weight * style[:, None, :, None, None]
        return _grouped(x, change(kernels, weight, style, epsilon) if demodulate else kernels, padding)

    return wrong


def _divided(kernels, of, over, epsilon):
    return kernels * (of.square().sum(over, keepdim=True) + epsilon).rsqrt()


def _normalized(change):
    """change(x, scale, shift, epsilon), scale and shift as maps."""

    def wrong(x, scale, shift, *, epsilon=1e-5):
        return change(x, scale[..., None, None], shift[..., None, None], epsilon)

    return wrong


def _over(axes, correction=0):
    def change(x, scale, shift, epsilon):
        variance, mean = torch.var_mean(x, axes, correction=correction, keepdim=True)
        return scale * (x - mean) * (variance + epsilon).rsqrt() + shift

    return change


def _epsilon_added_to_the_root(x, scale, shift, epsilon):
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return scale * (x - mean) / (variance.sqrt() + epsilon) + shift


def _unchecked(x, weight, style, *, demodulate=True, padding=1, epsilon=1e-8):
    found = functional.conv2d(x * style[:, :, None, None], weight, padding=padding)
    lengths = style.square() @ weight.square().sum(dim=(2, 3)).T + epsilon
    return found * lengths.rsqrt()[:, :, None, None] if demodulate else found


MISTAKES = (
    *(_planted(MODULATE, name, _styled(change)) for name, change in {
        "demodulated over the outputs": lambda kernels, weight, style, e: _divided(kernels, kernels, (1, 3, 4), e),
        "demodulated over the channels alone": lambda kernels, weight, style, e: _divided(kernels, kernels, 2, e),
        "over all outputs together": lambda kernels, weight, style, e: _divided(kernels, kernels, (1, 2, 3, 4), e),
        "the style after demodulation": lambda kernels, weight, style, e: _divided(kernels, weight[None], (2, 3, 4), e),
        "one kernel for the whole batch": lambda kernels, weight, style, e: _divided(
            kernels, kernels, (2, 3, 4), e).mean(0, keepdim=True).expand_as(kernels),
        "without the root": lambda kernels, weight, style, e: kernels / (kernels.square().sum((2, 3, 4), keepdim=True) + e),
        "epsilon left out": lambda kernels, weight, style, e: _divided(kernels, kernels, (2, 3, 4), 0.0),
        "epsilon always the same": lambda kernels, weight, style, e: _divided(kernels, kernels, (2, 3, 4), 1e-8),
        "the lengths a constant": lambda kernels, weight, style, e: _divided(kernels, kernels.detach(), (2, 3, 4), e),
        "the kernel turned around": lambda kernels, weight, style, e: _divided(kernels, kernels, (2, 3, 4), e).flip(3, 4),
        "always modulated by 1 + s": lambda kernels, weight, style, e: _divided(
            weight + kernels, weight + kernels, (2, 3, 4), e),
    }.items()),
    _planted(MODULATE, "demodulated in any case", lambda x, weight, style, *, demodulate=True, padding=1, epsilon=1e-8: (
        right.modulated_convolution(x, weight, style, padding=padding, epsilon=epsilon))),
    _planted(MODULATE, "padding of 1 in any case", lambda x, weight, style, *, demodulate=True, padding=1, epsilon=1e-8: (
        right.modulated_convolution(x, weight, style, demodulate=demodulate, epsilon=epsilon))),
    Mistake(MODULATE, "any shapes, any epsilon", _unchecked, only_checks=True),
    *(_planted(ADAIN, name, _normalized(change)) for name, change in {
        "over channels, too": _over((1, 2, 3)),
        "over the batch, too": _over((0, 2, 3)),
        "over the rows alone": _over(2),
        "unbiased variance": _over((2, 3), correction=1),
        "epsilon added to the root": _epsilon_added_to_the_root,
        "the mean kept": lambda x, scale, shift, e: scale * x * (x.var((2, 3), correction=0, keepdim=True) + e).rsqrt() + shift,
        "scale and shift exchanged": lambda x, scale, shift, e: _over((2, 3))(x, shift, scale, e),
        "the shift scaled, too": lambda x, scale, shift, e: _over((2, 3))(x, scale, scale * shift, e),
        "1 + scale": lambda x, scale, shift, e: _over((2, 3))(x, 1 + scale, shift, e),
        "epsilon always the same": lambda x, scale, shift, e: _over((2, 3))(x, scale, shift, 1e-5),
        "the statistics constants": lambda x, scale, shift, e: scale * (x - x.mean((2, 3), keepdim=True).detach()) * (
            x.var((2, 3), correction=0, keepdim=True).detach() + e).rsqrt() + shift,
    }.items()),
    Mistake(ADAIN, "any shapes, any epsilon", _normalized(_over((2, 3))), only_checks=True),
    *(_planted(LATENT, name, wrong) for name, wrong in {
        "of length 1": lambda z, *, epsilon=1e-8: z * (z.square().sum(1, keepdim=True) + epsilon).rsqrt(),
        "over the batch": lambda z, *, epsilon=1e-8: z * (z.square().mean(0) + epsilon).rsqrt(),
        "the mean subtracted": lambda z, *, epsilon=1e-8: functional.layer_norm(z, z.shape[1:], eps=epsilon),
        "epsilon always the same": lambda z, *, epsilon=1e-8: right.normalize_latent_code(z),
        "epsilon left out": lambda z, *, epsilon=1e-8: z * z.square().mean(1, keepdim=True).rsqrt(),
    }.items()),
    Mistake(LATENT, "any epsilon", lambda z, *, epsilon=1e-8: z * (z.square().mean(1, keepdim=True) + epsilon).rsqrt(),
            only_checks=True),
    *(_planted(TRUNCATE, name, wrong) for name, wrong in {
        "towards zero": lambda w, mean_w, *, psi: psi * w,
        "1 - psi": lambda w, mean_w, *, psi: torch.lerp(w, mean_w, psi),
        "the mean not added": lambda w, mean_w, *, psi: psi * (w - mean_w),
        "clipped to psi about the mean": lambda w, mean_w, *, psi: mean_w + (w - mean_w).clamp(-abs(psi), abs(psi)),
        "psi squared": lambda w, mean_w, *, psi: mean_w + psi**2 * (w - mean_w),
        "the batch's mean": lambda w, mean_w, *, psi: w.mean(0) + psi * (w - w.mean(0)),
        "the mean detached": lambda w, mean_w, *, psi: torch.lerp(mean_w.detach(), w, psi),
    }.items()),
    Mistake(TRUNCATE, "any shapes, any psi", lambda w, mean_w, *, psi: mean_w + psi * (w - mean_w), only_checks=True),
    *(_planted(MIX, name, wrong) for name, wrong in {
        "a and b exchanged": lambda w_a, w_b, *, crossover: right.mix_styles(w_b, w_a, crossover=crossover),
        "a layer later": lambda w_a, w_b, *, crossover: right.mix_styles(w_a, w_b, crossover=min(crossover + 1, w_a.shape[1])),
        "b from its beginning": lambda w_a, w_b, *, crossover: torch.cat(
            [w_a[:, :crossover], w_b[:, : w_a.shape[1] - crossover]], 1),
        "across the code": lambda w_a, w_b, *, crossover: torch.cat([w_a[..., :crossover], w_b[..., crossover:]], 2),
        "across the batch": lambda w_a, w_b, *, crossover: torch.cat([w_a[:crossover], w_b[crossover:]]),
        "the codes' mean": lambda w_a, w_b, *, crossover: torch.lerp(w_b, w_a, crossover / w_a.shape[1]),
        "b detached": lambda w_a, w_b, *, crossover: right.mix_styles(w_a, w_b.detach(), crossover=crossover),
    }.items()),
    Mistake(MIX, "any crossover", lambda w_a, w_b, *, crossover: torch.cat([w_a[:, :crossover], w_b[:, crossover:]], 1),
            only_checks=True),
    *(_planted(PATH, name, wrong) for name, wrong in {
        "of the squared length": lambda jacobian_vector, running_length: (
            jacobian_vector.square().sum(1) - running_length).square(),
        "of the mean square": lambda jacobian_vector, running_length: (
            jacobian_vector.square().mean(1).sqrt() - running_length).square(),
        "not squared": lambda jacobian_vector, running_length: jacobian_vector.norm(dim=1) - running_length,
        "the distance": lambda jacobian_vector, running_length: (jacobian_vector.norm(dim=1) - running_length).abs(),
        "half of it": lambda jacobian_vector, running_length: (jacobian_vector.norm(dim=1) - running_length).square() / 2,
        "the sum of absolute values": lambda jacobian_vector, running_length: (
            jacobian_vector.abs().sum(1) - running_length).square(),
        "longer paths alone": lambda jacobian_vector, running_length: (
            jacobian_vector.norm(dim=1) - running_length).relu().square(),
        "the running length detached": lambda jacobian_vector, running_length: (
            jacobian_vector.norm(dim=1) - running_length.detach()).square(),
        "the batch's mean length": lambda jacobian_vector, running_length: (
            jacobian_vector.norm(dim=1) - jacobian_vector.norm(dim=1).mean()).square(),
        "a root with an infinite slope": lambda jacobian_vector, running_length: (
            jacobian_vector.square().sum(1).sqrt() - running_length).square(),
        "averaged over the batch": lambda jacobian_vector, running_length: right.path_length_penalty(
            jacobian_vector, running_length).mean(),
    }.items()),
    Mistake(PATH, "any shapes, any length", lambda jacobian_vector, running_length: (
        torch.linalg.vector_norm(jacobian_vector, dim=-1) - running_length).square(), only_checks=True),
)  # fmt: skip

EQUIVALENT = (
    # torch has no convolution of 0 groups, for a batch of none
    Mistake(MODULATE, "one kernel for each example, by torch's groups", after_checks(right, MODULATE, _styled(
        lambda kernels, weight, style, e: _divided(kernels, kernels, (2, 3, 4), e))), core_alone=True),
    _planted(ADAIN, "torch's layer normalization of every map", _normalized(lambda x, scale, shift, e: shift + scale * (
        functional.layer_norm(x, x.shape[2:], eps=e)))),
    _planted(LATENT, "torch's normalization by the mean square", lambda z, *, epsilon=1e-8: functional.rms_norm(
        z, z.shape[1:], eps=epsilon)),
    _planted(TRUNCATE, "torch's interpolation", lambda w, mean_w, *, psi: torch.lerp(mean_w, w, psi)),
    _planted(MIX, "two parts, one after the other", lambda w_a, w_b, *, crossover: torch.cat(
        [w_a[:, :crossover], w_b[:, crossover:]], 1)),
    _planted(PATH, "torch's distance to zero", lambda jacobian_vector, running_length: (
        torch.cdist(jacobian_vector[:, None], torch.zeros_like(jacobian_vector)[:, None])[:, 0, 0] - running_length).square()),
)  # fmt: skip
