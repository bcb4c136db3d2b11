"""Wrong forms of norms and skip connections that the rows must refuse, and other right forms that they must accept."""

from torch.nn import functional

from practice_torch.autoregressive import normalization as right
from tests.support.mistakes import Mistake


def _layer_norm(x, weight, bias, *, epsilon, correction=0, outside=False, center=True, inside_bias=False):
    centered = x - x.mean(-1, keepdim=True) if center else x
    variance = x.var(-1, keepdim=True, correction=correction)
    normed = centered / (variance.sqrt() + epsilon if outside else (variance + epsilon).sqrt())
    return (normed + bias) * weight if inside_bias else normed * weight + bias


def _rms_norm(x, weight, *, epsilon, center=False, outside=False, total=False):
    x = x - x.mean(-1, keepdim=True) if center else x
    square = x.square().sum(-1, keepdim=True) if total else x.square().mean(-1, keepdim=True)
    return x / (square.sqrt() + epsilon if outside else (square + epsilon).sqrt()) * weight


def _backward(x, weight, upstream, *, epsilon, along_x=True, mean=True, gain=True, center=True, rows=True, both=True):
    centered = x - x.mean(-1, keepdim=True) if center else x
    root = (centered.square().mean(-1, keepdim=True) + epsilon).rsqrt()
    hat, g = centered * root, upstream * weight if gain else upstream
    dx = g - (g.mean(-1, keepdim=True) if mean else 0) - (hat * (g * hat).mean(-1, keepdim=True) if along_x else 0)
    reduce = (lambda t: t.flatten(0, -2).sum(0)) if rows else (lambda t: t.flatten(0, -2).mean(0))
    sums = (reduce(upstream * hat), reduce(upstream)) if x.ndim > 1 else (upstream * hat, upstream)
    return (root * dx, *(sums if both else sums[:1]))


def _rms_backward(x, weight, upstream, *, epsilon, **wrong):
    return _backward(x, weight, upstream, epsilon=epsilon, mean=wrong.pop("mean", False), center=False, both=False, **wrong)


def _torchs(x, weight, bias, *, epsilon):
    right.layer_norm(x, weight, bias, epsilon=epsilon)  # for its checks
    return functional.layer_norm(x, weight.shape, weight, bias, epsilon)


def _wrong(function, **how):
    return lambda *given, **named: function(*given, **named, **how)


MISTAKES = (
    Mistake("layer_norm", "unbiased variance", _wrong(_layer_norm, correction=1)),
    Mistake("layer_norm", "epsilon outside the root", _wrong(_layer_norm, outside=True)),
    Mistake("layer_norm", "not centered", _wrong(_layer_norm, center=False)),
    Mistake("layer_norm", "bias before the gain", _wrong(_layer_norm, inside_bias=True)),
    Mistake("layer_norm", "mean of squares less square of mean",
            lambda x, weight, bias, *, epsilon: (x - x.mean(-1, keepdim=True)) * weight + bias if x.shape[-1] == 1 else
            (x - x.mean(-1, keepdim=True)) / (x.square().mean(-1, keepdim=True) - x.mean(-1, keepdim=True).square()
                                              + epsilon).sqrt() * weight + bias),
    Mistake("layer_norm", "torch's default epsilon",
            lambda x, weight, bias, *, epsilon: functional.layer_norm(x, weight.shape, weight, bias)),
    Mistake("rms_norm", "centered", _wrong(_rms_norm, center=True)),
    Mistake("rms_norm", "epsilon outside the root", _wrong(_rms_norm, outside=True)),
    Mistake("rms_norm", "sum for mean", _wrong(_rms_norm, total=True)),
    Mistake("layer_norm_backward", "without the term along x", _wrong(_backward, along_x=False)),
    Mistake("layer_norm_backward", "without the mean", _wrong(_backward, mean=False)),
    Mistake("layer_norm_backward", "without the gain", _wrong(_backward, gain=False)),
    Mistake("layer_norm_backward", "means over rows for sums", _wrong(_backward, rows=False)),
    Mistake("rms_norm_backward", "without the term along x", _wrong(_rms_backward, along_x=False)),
    Mistake("rms_norm_backward", "with layer norm's mean", _wrong(_rms_backward, mean=True)),
    Mistake("pre_norm_residual", "the skip path is normed",
            lambda x, weight, bias, branch_fn, *, epsilon: (lambda z: z + branch_fn(z))(
                right.layer_norm(x, weight, bias, epsilon=epsilon))),
    Mistake("pre_norm_residual", "norm after the branch",
            lambda x, weight, bias, branch_fn, *, epsilon: x + right.layer_norm(branch_fn(x), weight, bias, epsilon=epsilon)),
    Mistake("pre_norm_residual", "the branch is not normed", lambda x, weight, bias, branch_fn, *, epsilon: x + branch_fn(x)),
    Mistake("post_norm_residual", "LN(x) + f(x)",
            lambda x, weight, bias, branch_fn, *, epsilon, residual_scale=1.0:
            right.layer_norm(residual_scale * x, weight, bias, epsilon=epsilon) + branch_fn(x)),
    Mistake("post_norm_residual", "the scale on the branch",
            lambda x, weight, bias, branch_fn, *, epsilon, residual_scale=1.0:
            right.layer_norm(x + residual_scale * branch_fn(x), weight, bias, epsilon=epsilon)),
)  # fmt: skip

EQUIVALENT = (
    Mistake("layer_norm", "torch's own", _torchs),
    Mistake("rms_norm", "both signs changed", lambda x, weight, *, epsilon: right.rms_norm(-x, -weight, epsilon=epsilon)),
    Mistake(
        "pre_norm_residual",
        "branch first",
        lambda x, weight, bias, branch_fn, *, epsilon: branch_fn(right.layer_norm(x, weight, bias, epsilon=epsilon)) + x,
    ),
)
