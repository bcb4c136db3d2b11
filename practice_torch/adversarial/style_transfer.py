"""Neural style transfer: Gram matrices, losses of style and content, total variation, and the MMD that a style loss is."""

from practice_torch.arguments import require, require_rank, require_same_shape, require_shape


def gram_matrix(features):
    r"""G_cd = 1/(C H W) sum_hw features_chw features_dhw, the second moments of the channels over the positions, divided by C.

    Raises ValueError if features has no channel or no position.  Source: Johnson et al. 2016, section 3.2; Gatys et al. 2016.
    [B, C, H, W] -> [B, C, C]
    """
    _require_maps(features=features)
    rows = features.flatten(2)
    # divided before the product: sums over a large map of large features would leave the range of half precision
    return rows @ (rows / (rows.shape[1] * rows.shape[2])).mT


def content_loss(features, target):
    r"""1/(C H W) sum_chw (features - target)^2, the mean squared difference.

    Raises ValueError if the shapes of features and target differ, or features has no channel or no position.
    Source: Johnson et al. 2016, section 3.2.
    [B, C, H, W], [B, C, H, W] -> [B]
    """
    _require_maps(features=features)
    require_same_shape(features=features, target=target)
    return (features - target).square().flatten(1).mean(1)


def style_loss(features, target_gram):
    r"""sum_cd (G_cd - target_gram_cd)^2, where G is the gram_matrix of the features.

    Raises ValueError if features has no channel or no position, or target_gram is not one matrix of their channels for each
    example.
    Source: Johnson et al. 2016, section 3.2; Gatys et al. 2016 has 1/4 of it, where both images have one size.
    [B, C, H, W], [B, C, C] -> [B]
    """
    _require_maps(features=features)
    count, channels = features.shape[:2]
    require_shape((count, channels, channels), target_gram=target_gram)
    return (gram_matrix(features) - target_gram).square().sum((1, 2))


def total_variation(x):
    r"""sum_chw |x_c,h+1,w - x_chw| + |x_c,h,w+1 - x_chw|, over neighbors within the image.

    Raises ValueError if x has another number of axes than four.  Source: Rudin, Osher & Fatemi 1992, in its anisotropic form.
    [B, C, H, W] -> [B]
    """
    require_rank(4, x=x)
    down, across = x[:, :, 1:] - x[:, :, :-1], x[..., 1:] - x[..., :-1]
    return down.abs().sum((1, 2, 3)) + across.abs().sum((1, 2, 3))


def quadratic_kernel_discrepancy(x, y):
    r"""mean k(x, x') + mean k(y, y') - 2 mean k(x, y) over all pairs of points, k(a, b) = (a^T b)^2: a biased MMD^2.

    Raises ValueError if the batch sizes of x and y or the lengths of their points differ, or one of them has no point.
    Source: Li et al. 2017, section 3.
    [B, N, C], [B, M, C] -> [B]
    """
    require_rank(3, x=x, y=y)
    require(len(y) == len(x), f"y has a batch of {len(y)}; it must be that of x, {len(x)}")
    channels = x.shape[2]
    require(y.shape[2] == channels, f"y has points of {y.shape[2]}; they must have {channels} entries, as those of x")
    for name, points in (("x", x), ("y", y)):
        require(points.shape[1] > 0, f"{name} has shape {list(points.shape)}; it must hold at least one point")
    # k is the inner product of a a^T and b b^T: second moments need C^2 numbers, and kernel matrices N M
    return (x.mT @ x / x.shape[1] - y.mT @ y / y.shape[1]).square().sum((1, 2))


def _require_maps(features):
    require_rank(4, features=features)
    shape = list(features.shape)
    require(min(shape[1:]) > 0, f"features has shape {shape}; it must have at least one channel and one position")
