"""Image translation: losses of pix2pix and CycleGAN over patches and pixels, the field of a patch, and instance normalization."""

import math

import torch
from torch.nn.functional import logsigmoid

from practice_torch.arguments import require, require_positive, require_rank, require_same_shape


def mean_absolute_error(x, y):
    r"""1/(C H W) sum |x - y| for each example.

    Raises ValueError if the shapes differ, or x has no pixels.  Source: Isola et al. 2017, eq. 3.
    [B, C, H, W], [B, C, H, W] -> [B]
    """
    _require_pixels(x=x)
    require_same_shape(x=x, y=y)
    return _per_example((x - y).abs())


def patch_discriminator_loss(patch_scores_real, patch_scores_fake):
    r"""1/2 [mean (r - 1)^2 + mean f^2] over the patches of an image: least squares with the labels 1 and 0.

    The half slows the discriminator down, compared with the generator.

    Raises ValueError if the shapes differ, or are not [B, 1, M, N] with at least one patch.
    Source: Zhu et al. 2017, section 4 and appendix 7.1.
    [B, 1, M, N], [B, 1, M, N] -> [B]
    """
    _require_patches(patch_scores_real=patch_scores_real)
    require_same_shape(patch_scores_real=patch_scores_real, patch_scores_fake=patch_scores_fake)
    return (_per_example((patch_scores_real - 1).square()) + _per_example(patch_scores_fake.square())) / 2


def cycle_generator_loss(patch_scores_fake, x, x_cycled, y, y_identity, *, cycle_weight=10.0, identity_weight=5.0):
    r"""mean (s - 1)^2 + cycle_weight mean |x - F(G(x))| + identity_weight mean |y - G(y)|: the loss of G for a pair x, y.

    G maps the domain of x to that of y, F back. patch_scores_fake: s, of G(x); x_cycled: F(G(x)); y_identity: G(y).

    Raises ValueError if the four images differ in shape or x has no pixels, patch_scores_fake is not [B, 1, M, N] with at least
    one patch, or cycle_weight or identity_weight is negative or not finite.
    Source: Zhu et al. 2017, eqs. 1 to 3, and section 5.2 for the identity.
    [B, 1, M, N], [B, C, H, W], [B, C, H, W], [B, C, H, W], [B, C, H, W] -> [B]
    """
    _require_patches(patch_scores_fake=patch_scores_fake)
    _require_pixels(x=x)
    _require_scores_of(x, patch_scores_fake=patch_scores_fake)
    require_same_shape(x=x, x_cycled=x_cycled, y=y, y_identity=y_identity)
    _require_weights(cycle_weight=cycle_weight, identity_weight=identity_weight)
    cycle, identity = mean_absolute_error(x_cycled, x), mean_absolute_error(y_identity, y)
    return _per_example((1 - patch_scores_fake).square()) + cycle_weight * cycle + identity_weight * identity


def pix2pix_generator_loss(patch_logits_fake, output, target, *, absolute_weight=100.0):
    r"""mean -log sigma(l) + absolute_weight mean |output - target|, l the logits of the output's patches, in nats.

    Raises ValueError if target differs from output in shape, output has no pixels, patch_logits_fake is not [B, 1, M, N] with at
    least one patch, or absolute_weight is negative or not finite.
    Source: Isola et al. 2017, eq. 4, with the non-saturating form of section 3.3.
    [B, 1, M, N], [B, C, H, W], [B, C, H, W] -> [B]
    """
    _require_patches(patch_logits_fake=patch_logits_fake)
    _require_pixels(output=output)
    _require_scores_of(output, patch_logits_fake=patch_logits_fake)
    require_same_shape(output=output, target=target)
    _require_weights(absolute_weight=absolute_weight)
    deceived = _per_example(-logsigmoid(patch_logits_fake))  # torch's softplus is the identity beyond 20
    return deceived + absolute_weight * mean_absolute_error(output, target)


def patch_receptive_field(*, kernels, strides):
    r"""Inputs from the first to the last that a score depends on, along one side: r <- (r - 1) s + k, from r = 1.

    The recursion begins at the last layer; kernels and strides have the first layer first. Where a stride exceeds a kernel, some
    inputs between the first and the last are not seen.

    Raises ValueError if kernels and strides differ in length, or one of them has an entry less than 1.
    Source: Isola et al. 2017, appendix 6.1.2.
    -> []
    """
    require(
        len(kernels) == len(strides), f"strides has {len(strides)} entries; it must have one for each of {len(kernels)} kernels"
    )
    for name, sizes in (("kernels", kernels), ("strides", strides)):
        require(min(sizes, default=1) >= 1, f"{name} is {sizes}; every entry must be at least 1")
    reach, spacing = 1, 1  # spacing: inputs from one unit of a layer to the next
    for kernel, stride in zip(kernels, strides, strict=True):
        reach += (kernel - 1) * spacing
        spacing *= stride
    return reach


def instance_normalize(x, *, epsilon=1e-5):
    r"""(x - mean) / sqrt(var + epsilon), mean and var (1/(H W)) of one channel of one example.

    Raises ValueError if x does not have four axes, a channel has fewer than two pixels, or epsilon is not positive.
    Source: Ulyanov, Vedaldi & Lempitsky 2016.
    [B, C, H, W] -> [B, C, H, W]
    """
    require_rank(4, x=x)
    pixels = x.shape[2] * x.shape[3]
    require(pixels > 1, f"x has shape {list(x.shape)}, {pixels} pixels per channel; it must have at least 2 for a variance")
    require_positive(epsilon=epsilon)
    centered = x - x.mean((2, 3), keepdim=True)  # first: the mean of squares less the square of the mean would cancel
    return centered * torch.rsqrt(centered.square().mean((2, 3), keepdim=True) + epsilon)


def _per_example(values):
    return values.mean((1, 2, 3))


def _require_pixels(**arrays):
    for name, array in arrays.items():
        require_rank(4, **{name: array})
        shape = list(array.shape)
        require(0 not in shape[1:], f"{name} has shape {shape}; an example must have at least one pixel")


def _require_patches(**arrays):
    for name, array in arrays.items():
        require_rank(4, **{name: array})
        shape = list(array.shape)
        require(shape[1] == 1 and 0 not in shape[2:], f"{name} has shape {shape}; it must be [B, 1, M, N] with patches")


def _require_scores_of(images, **arrays):
    for name, array in arrays.items():
        given, wanted = list(array.shape), len(images)
        require(given[0] == wanted, f"{name} has shape {given}; it must have one map of patches for each of {wanted} images")


def _require_weights(**weights):
    for name, weight in weights.items():
        require(0 <= weight < math.inf, f"{name} is {weight}; it must be at least 0, and finite")
