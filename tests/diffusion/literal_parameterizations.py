"""The formulas of diffusion/parameterizations, word for word as in its docstrings, in NumPy."""

from numpy import sqrt

from tests.diffusion.literal_forward_process import a, beta


def _converted(prediction, x_t, t, alpha_bar, *, source, target):
    now, before, b = a(alpha_bar, t, x_t), a(alpha_bar, t - 1, x_t), beta(alpha_bar, t, x_t)
    if source == target:
        return prediction
    if source == "noise":
        noise, x0 = prediction, FORMULAS["x0_from_noise"](x_t, prediction, t, alpha_bar)
    elif source == "x0":
        noise, x0 = FORMULAS["noise_from_x0"](x_t, prediction, t, alpha_bar), prediction
    elif source == "velocity":
        x0 = FORMULAS["x0_from_velocity"](x_t, prediction, t, alpha_bar)
        noise = FORMULAS["noise_from_velocity"](x_t, prediction, t, alpha_bar)
    elif source == "score":
        noise = -sqrt(1 - now) * prediction
        x0 = FORMULAS["x0_from_noise"](x_t, noise, t, alpha_bar)
    else:
        noise = (x_t - sqrt(1 - b) * prediction) * sqrt(1 - now) / b
        x0 = FORMULAS["x0_from_noise"](x_t, noise, t, alpha_bar)
    if target == "mean":
        return sqrt(before) * b / (1 - now) * x0 + sqrt(1 - b) * (1 - before) / (1 - now) * x_t
    if target == "velocity":
        return FORMULAS["velocity"](x0, noise, t, alpha_bar)
    return {"noise": noise, "x0": x0, "score": -noise / sqrt(1 - now)}[target]


def _ratio(t, alpha_bar, *, target):
    now, b = a(alpha_bar, t), beta(alpha_bar, t)
    return {
        "noise": now**0,
        "x0": (1 - now) / now,
        "velocity": 1 / now,
        "score": 1 / (1 - now),
        "mean": b**2 / ((1 - now) * (1 - b)),
    }[target]


FORMULAS = {
    "x0_from_noise": lambda x_t, noise, t, alpha_bar: (x_t - sqrt(1 - a(alpha_bar, t, x_t)) * noise) / sqrt(a(alpha_bar, t, x_t)),
    "noise_from_x0": lambda x_t, x0, t, alpha_bar: (x_t - sqrt(a(alpha_bar, t, x_t)) * x0) / sqrt(1 - a(alpha_bar, t, x_t)),
    "velocity": lambda x0, noise, t, alpha_bar: sqrt(a(alpha_bar, t, x0)) * noise - sqrt(1 - a(alpha_bar, t, x0)) * x0,
    "x0_from_velocity": lambda x_t, velocity, t, alpha_bar: (
        sqrt(a(alpha_bar, t, x_t)) * x_t - sqrt(1 - a(alpha_bar, t, x_t)) * velocity
    ),
    "noise_from_velocity": lambda x_t, velocity, t, alpha_bar: (
        sqrt(1 - a(alpha_bar, t, x_t)) * x_t + sqrt(a(alpha_bar, t, x_t)) * velocity
    ),
    "convert_prediction": _converted,
    "loss_ratio": _ratio,
}
