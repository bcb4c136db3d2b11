"""Docstrings' formulas written down word for word in NumPy: no rearrangement, no stable form, no check of input."""

import numpy as np
from numpy import cos, exp, log, pi, sqrt


def a(alpha_bar, t, x=None):
    """a_t of each example, beside the axes of x."""
    return np.asarray(alpha_bar)[t].reshape(-1, *([1] * (np.ndim(x) - 1 if x is not None else 0)))


def beta(alpha_bar, t, x=None):
    return 1 - a(alpha_bar, t, x) / a(alpha_bar, t - 1, x)


def small(alpha_bar, t, x=None):
    """beta~_t."""
    return (1 - a(alpha_bar, t - 1, x)) / (1 - a(alpha_bar, t, x)) * beta(alpha_bar, t, x)


def summed(x):
    return x.reshape(len(x), int(np.prod(x.shape[1:]))).sum(1)


class ForwardProcess:
    def forward_step(x_prev, t, noise, alpha_bar):
        return sqrt(1 - beta(alpha_bar, t, x_prev)) * x_prev + sqrt(beta(alpha_bar, t, x_prev)) * noise

    def forward_sample(x0, t, noise, alpha_bar):
        return sqrt(a(alpha_bar, t, x0)) * x0 + sqrt(1 - a(alpha_bar, t, x0)) * noise

    def forward_from(x_s, s, t, noise, alpha_bar):
        r = a(alpha_bar, t, x_s) / a(alpha_bar, s, x_s)
        return np.where((s == t).reshape(-1, *([1] * (x_s.ndim - 1))), x_s, sqrt(r) * x_s + sqrt(1 - r) * noise)

    def forward_marginal(x0, t, alpha_bar):
        return sqrt(a(alpha_bar, t, x0)) * x0, log(1 - a(alpha_bar, t))

    def forward_log_prob(x_t, x_s, s, t, alpha_bar):
        r = a(alpha_bar, t, x_s) / a(alpha_bar, s, x_s)
        return summed(-0.5 * (log(2 * pi * (1 - r)) + (x_t - sqrt(r) * x_s) ** 2 / (1 - r)))


class ReverseProcess:
    def posterior_mean(x0, x_t, t, alpha_bar):
        now, before, b = a(alpha_bar, t, x0), a(alpha_bar, t - 1, x0), beta(alpha_bar, t, x0)
        return sqrt(before) * b / (1 - now) * x0 + sqrt(1 - b) * (1 - before) / (1 - now) * x_t

    def posterior_log_variance(t, alpha_bar):
        return log(small(alpha_bar, t))

    def reverse_log_variance(t, alpha_bar, *, variance="large"):
        return log(beta(alpha_bar, t)) if variance == "large" else log(small(alpha_bar, np.maximum(t, 2)))

    def reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar):
        b = beta(alpha_bar, t, x_t)
        return (x_t - b / sqrt(1 - a(alpha_bar, t, x_t)) * noise_pred) / sqrt(1 - b)

    def interpolated_log_variance(v, t, alpha_bar):
        w = (v + 1) / 2
        return w * log(beta(alpha_bar, t, v)) + (1 - w) * log(small(alpha_bar, np.maximum(t, 2), v))


class Parameterizations:
    def x0_from_noise(x_t, noise, t, alpha_bar):
        return (x_t - sqrt(1 - a(alpha_bar, t, x_t)) * noise) / sqrt(a(alpha_bar, t, x_t))

    def noise_from_x0(x_t, x0, t, alpha_bar):
        return (x_t - sqrt(a(alpha_bar, t, x_t)) * x0) / sqrt(1 - a(alpha_bar, t, x_t))

    def velocity(x0, noise, t, alpha_bar):
        return sqrt(a(alpha_bar, t, x0)) * noise - sqrt(1 - a(alpha_bar, t, x0)) * x0

    def x0_from_velocity(x_t, velocity, t, alpha_bar):
        return sqrt(a(alpha_bar, t, x_t)) * x_t - sqrt(1 - a(alpha_bar, t, x_t)) * velocity

    def noise_from_velocity(x_t, velocity, t, alpha_bar):
        return sqrt(1 - a(alpha_bar, t, x_t)) * x_t + sqrt(a(alpha_bar, t, x_t)) * velocity

    def convert_prediction(prediction, x_t, t, alpha_bar, *, source, target):
        here = Parameterizations
        now, before, b = a(alpha_bar, t, x_t), a(alpha_bar, t - 1, x_t), beta(alpha_bar, t, x_t)
        if source == target:
            return prediction
        if source == "noise":
            noise, x0 = prediction, here.x0_from_noise(x_t, prediction, t, alpha_bar)
        elif source == "x0":
            noise, x0 = here.noise_from_x0(x_t, prediction, t, alpha_bar), prediction
        elif source == "velocity":
            x0 = here.x0_from_velocity(x_t, prediction, t, alpha_bar)
            noise = here.noise_from_velocity(x_t, prediction, t, alpha_bar)
        elif source == "score":
            noise = -sqrt(1 - now) * prediction
            x0 = here.x0_from_noise(x_t, noise, t, alpha_bar)
        else:
            noise = (x_t - sqrt(1 - b) * prediction) * sqrt(1 - now) / b
            x0 = here.x0_from_noise(x_t, noise, t, alpha_bar)
        if target == "mean":
            return sqrt(before) * b / (1 - now) * x0 + sqrt(1 - b) * (1 - before) / (1 - now) * x_t
        if target == "velocity":
            return here.velocity(x0, noise, t, alpha_bar)
        return {"noise": noise, "x0": x0, "score": -noise / sqrt(1 - now)}[target]

    def loss_ratio(t, alpha_bar, *, target):
        now, b = a(alpha_bar, t), beta(alpha_bar, t)
        return {"noise": now**0, "x0": (1 - now) / now, "velocity": 1 / now, "score": 1 / (1 - now),
                "mean": b**2 / ((1 - now) * (1 - b))}[target]  # fmt: skip


class DDIM:
    def ddim_sigma(t, s, alpha_bar, *, eta):
        a_t, a_s = a(alpha_bar, t), a(alpha_bar, s)
        return eta * sqrt((1 - a_s) / (1 - a_t)) * sqrt(1 - a_t / a_s)

    def non_markovian_mean(x0, x_t, t, s, alpha_bar, *, eta):
        a_t, a_s, sigma = a(alpha_bar, t, x0), a(alpha_bar, s, x0), DDIM._sigma(t, s, alpha_bar, eta, x0)
        return sqrt(a_s) * x0 + sqrt(1 - a_s - sigma**2) * (x_t - sqrt(a_t) * x0) / sqrt(1 - a_t)

    def ddim_step(x_t, noise_pred, noise, t, s, alpha_bar, *, eta=0.0, clip=None):
        a_t, a_s, sigma = a(alpha_bar, t, x_t), a(alpha_bar, s, x_t), DDIM._sigma(t, s, alpha_bar, eta, x_t)
        x0 = (x_t - sqrt(1 - a_t) * noise_pred) / sqrt(a_t)
        if clip is not None:
            x0 = np.clip(x0, -clip, clip)
            noise_pred = (x_t - sqrt(a_t) * x0) / sqrt(1 - a_t)
        return sqrt(a_s) * x0 + sqrt(1 - a_s - sigma**2) * noise_pred + sigma * noise

    def _sigma(t, s, alpha_bar, eta, x):
        return DDIM.ddim_sigma(t, s, alpha_bar, eta=eta).reshape(-1, *([1] * (x.ndim - 1)))


class SimpleLoss:
    def squared_error(prediction, target):
        return summed((prediction - target) ** 2)

    def simple_loss(x0, t, noise, denoise_fn, alpha_bar):
        return summed((noise - denoise_fn(ForwardProcess.forward_sample(x0, t, noise, alpha_bar), t)) ** 2)

    def variational_weight(t, alpha_bar, *, variance="large"):
        b, variances = beta(alpha_bar, t), {"large": beta, "small": small}
        return b**2 / (2 * variances[variance](alpha_bar, t) * (1 - b) * (1 - a(alpha_bar, t)))

    def variational_loss(x0, t, noise, denoise_fn, alpha_bar, *, variance="large"):
        here = SimpleLoss
        return here.variational_weight(t, alpha_bar, variance=variance) * here.simple_loss(x0, t, noise, denoise_fn, alpha_bar)

    def learned_variance_loss(x0, x_t, t, noise_pred, v, alpha_bar):
        mean = ReverseProcess.posterior_mean(x0, x_t, t, alpha_bar)
        guess = ReverseProcess.reverse_mean_from_noise(x_t, noise_pred, t, alpha_bar)
        true, learned = log(small(alpha_bar, t, x0)), ReverseProcess.interpolated_log_variance(v, t, alpha_bar)
        return summed(0.5 * (learned - true + (exp(true) + (mean - guess) ** 2) * exp(-learned) - 1))


class ClassifierFreeGuidance:
    def guide(conditional, unconditional, *, scale):
        return unconditional + scale * (conditional - unconditional)

    def drop_condition(condition, null_condition, uniforms, *, probability):
        dropped = (uniforms < probability).reshape(-1, *([1] * (np.ndim(condition) - 1)))
        return np.where(dropped, null_condition, condition)

    def rescale(guided, conditional, *, mix=0.7):
        axes = tuple(range(1, np.ndim(guided)))
        std_g, std_c = (x.std(axes, keepdims=True) for x in (guided, conditional))
        return guided * (mix * std_c / std_g + 1 - mix)

    def interval_scale(t, *, scale, low, high):
        return np.where((low < t) & (t <= high), scale, 1.0)

    def compose(conditionals, unconditional, scales):
        return unconditional + sum(s * (c - unconditional) for s, c in zip(scales, conditionals, strict=True))


class NoiseSchedules:
    def alpha_bar_from_betas(betas):
        return np.concatenate([np.ones(1, betas.dtype), np.cumprod(1 - betas)])

    def linear_alpha_bar(*, num_steps, beta_start=1e-4, beta_end=0.02):
        return NoiseSchedules.alpha_bar_from_betas(np.linspace(beta_start, beta_end, num_steps))

    def scaled_linear_alpha_bar(*, num_steps, beta_start=0.00085, beta_end=0.012):
        return NoiseSchedules.alpha_bar_from_betas(np.linspace(sqrt(beta_start), sqrt(beta_end), num_steps) ** 2)

    def cosine_alpha_bar(*, num_steps, offset=0.008, max_beta=0.999):
        f = cos((np.arange(num_steps + 1) / num_steps + offset) / (1 + offset) * pi / 2) ** 2
        return NoiseSchedules.alpha_bar_from_betas(np.minimum(1 - f[1:] / f[:-1], max_beta))

    def rescale_zero_terminal_snr(alpha_bar):
        root = sqrt(alpha_bar)
        rest = (root[1:] - root[-1]) * root[1] / (root[1] - root[-1])
        return np.concatenate([np.ones(1, alpha_bar.dtype), rest**2])

    def log_linear_sigmas(*, num_steps, sigma_min, sigma_max):
        return np.concatenate([[0.0], exp(np.linspace(log(sigma_min), log(sigma_max), num_steps))])

    def alpha_bar_from_sigmas(sigmas):
        return 1 / (1 + sigmas**2)

    def log_snr(alpha_bar):
        return log(alpha_bar) - log(1 - alpha_bar)

    def alpha_bar_from_log_snr(log_snr):
        return 1 / (1 + exp(-log_snr))

    def shift_log_snr(alpha_bar, *, base_resolution, resolution):
        k = (base_resolution / resolution) ** 2
        return alpha_bar * k / (1 - alpha_bar + alpha_bar * k)


class TrainingPractice:
    def scale_to_range(x, *, minimum, maximum, low=-1.0, high=1.0):
        return low + (high - low) * (x - minimum) / (maximum - minimum)

    def clip_by_global_norm(gradients, *, max_norm):
        norm = sqrt(sum((g**2).sum() for g in gradients))
        return tuple(g * np.minimum(1, max_norm / norm) for g in gradients), norm

    def adam_update(gradient, first_moment, second_moment, *, step, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
        m = beta1 * first_moment + (1 - beta1) * gradient
        v = beta2 * second_moment + (1 - beta2) * gradient**2
        m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
        return -learning_rate * m_hat / (sqrt(v_hat) + epsilon), m, v

    def ema_update(average, value, *, decay):
        return decay * average + (1 - decay) * value

    def warmup_cosine_learning_rate(steps, *, peak, warmup_steps, total_steps, floor=0.0):
        r = np.minimum((steps - warmup_steps) / (total_steps - warmup_steps), 1)
        line = peak * (steps + 1) / max(warmup_steps, 1)  # no step is before warmup_steps = 0
        return np.where(steps < warmup_steps, line, floor + (peak - floor) * (1 + cos(pi * r)) / 2)


class Optimization:
    def adamw_step(gradient, parameter, first_moment, second_moment, *, step, learning_rate, beta1=0.9, beta2=0.999,
                   epsilon=1e-8, weight_decay=0.0):  # fmt: skip
        m = beta1 * first_moment + (1 - beta1) * gradient
        v = beta2 * second_moment + (1 - beta2) * gradient**2
        m_hat, v_hat = m / (1 - beta1**step), v / (1 - beta2**step)
        return parameter - learning_rate * (m_hat / (sqrt(v_hat) + epsilon) + weight_decay * parameter), m, v

    def accumulate_gradients(gradients, counts):
        used = [(n, g) for n, g in zip(counts, gradients, strict=True) if n > 0]  # no influence, also where it is NaN
        return sum(n * g for n, g in used) / sum(n for n, _ in used)

    def warmup_inverse_square_root(step, *, width, warmup_steps):
        return width**-0.5 * np.minimum(step**-0.5, step * warmup_steps**-1.5)


class Normalization:
    def layer_norm(x, weight, bias, *, epsilon):
        return (x - x.mean(-1, keepdims=True)) / sqrt(x.var(-1, keepdims=True) + epsilon) * weight + bias

    def rms_norm(x, weight, *, epsilon):
        return x / sqrt((x**2).mean(-1, keepdims=True) + epsilon) * weight

    def layer_norm_backward(x, weight, upstream, *, epsilon):
        g, r = weight * upstream, (x.var(-1, keepdims=True) + epsilon) ** -0.5
        h = r * (x - x.mean(-1, keepdims=True))
        axes = tuple(range(x.ndim - 1))
        dx = r * (g - g.mean(-1, keepdims=True) - h * (g * h).mean(-1, keepdims=True))
        return dx, (upstream * h).sum(axes), upstream.sum(axes)

    def rms_norm_backward(x, weight, upstream, *, epsilon):
        g, r = weight * upstream, ((x**2).mean(-1, keepdims=True) + epsilon) ** -0.5
        h = r * x
        return r * (g - h * (g * h).mean(-1, keepdims=True)), (upstream * h).sum(tuple(range(x.ndim - 1)))

    def pre_norm_residual(x, weight, bias, branch_fn, *, epsilon):
        return x + branch_fn(Normalization.layer_norm(x, weight, bias, epsilon=epsilon))

    def post_norm_residual(x, weight, bias, branch_fn, *, epsilon, residual_scale=1.0):
        return Normalization.layer_norm(residual_scale * x + branch_fn(x), weight, bias, epsilon=epsilon)


LITERAL = {
    "foundations/training_practice": TrainingPractice,
    "diffusion/noise_schedules": NoiseSchedules,
    "diffusion/forward_process": ForwardProcess,
    "diffusion/reverse_process": ReverseProcess,
    "diffusion/simple_loss": SimpleLoss,
    "diffusion/parameterizations": Parameterizations,
    "diffusion/classifier_free_guidance": ClassifierFreeGuidance,
    "diffusion/ddim": DDIM,
    "autoregressive/normalization": Normalization,
    "autoregressive/optimization": Optimization,
}
