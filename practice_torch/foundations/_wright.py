"""The logarithm of Wright's omega function, by which the conjugate of Jeffreys' divergence is written."""

import torch


class LogRatio(torch.autograd.Function):
    """log u of the ratio u with log u + 1 - 1/u = t (f' of Jeffreys' divergence); -log of Wright's omega at 1 - t."""

    generate_vmap_rule = True

    @staticmethod
    def forward(t):
        # Halley on s + 1 - e^-s - t: cubic, four steps from below -log(1-t) on the left, from t/2 and t-1 on the right.
        left = -torch.log1p(-t.clamp(max=0))
        s = torch.where(t < 0, torch.maximum(left, t / 2), torch.maximum(t / 2, t - 1))
        for _ in range(5):
            fall = torch.expm1(-s)
            residual, slope, curvature = s - fall - t, 2 + fall, -(1 + fall)
            s = s - 2 * residual * slope / (2 * slope * slope - residual * curvature)
        return s

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, gradient):
        (s,) = ctx.saved_tensors
        return gradient * torch.sigmoid(s)  # 1 / (1 + 1/u)


class LogRatioBothWays(LogRatio):
    """The same with forward-mode derivatives."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def jvp(ctx, tangent):
        (s,) = ctx.saved_tensors
        return tangent * torch.sigmoid(s)


def log_ratio(t):
    """log u at t. torch.compile accepts no function with a custom jvp, so a compiled step has none."""
    return (LogRatio if torch.compiler.is_compiling() else LogRatioBothWays).apply(t)
