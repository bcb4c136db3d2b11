"""Laws of single numbers of which everything is known that a network of a generative model learns."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Mixture:
    """Gaussians on the line: component k has weight weights[k], center means[k] and standard deviation stds[k].

    As the law of data it is that of independent entries, whatever the shape of an example.
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]

    def cdf(self, x):
        """P(X <= x), by entries."""
        return sum(w * torch.special.ndtr((x - m) / s) for w, m, s in self._components())

    def noised(self, signal, noise):
        """The law of signal X + noise E, E standard normal: numbers -> Mixture."""
        means = tuple(signal * mean for mean in self.means)
        return Mixture(self.weights, means, tuple((signal**2 * std**2 + noise**2) ** 0.5 for std in self.stds))

    def data_mean(self, x, signal, noise):
        """E(X | signal X + noise E = x), by entries, for E standard normal; signal and noise are broadcast with x."""
        shares, away, var = self._posterior(x, signal, noise)
        parts = zip(shares, away, var, self._components(), strict=True)
        return sum(share * (m + signal * s**2 / v * a) for share, a, v, (_, m, s) in parts)

    def velocity(self, x, time):
        """E(X - E | (1 - t) E + t X = x), what flow matching learns, by entries; also at t = 1, where no noise is left."""
        shares, away, var = self._posterior(x, time, 1 - time)
        slopes = ((time * std**2 - (1 - time)) / v for std, v in zip(self.stds, var, strict=True))
        return sum(share * (mean + c * a) for share, a, c, mean in zip(shares, away, slopes, self.means, strict=True))

    def _posterior(self, x, signal, noise):
        """For every component its posterior probability given x, x minus its mean, and the variance of both."""
        away = [x - signal * mean for mean in self.means]
        var = [torch.as_tensor(signal**2 * std**2 + noise**2) for std in self.stds]
        each = zip(self.weights, var, away, strict=True)
        logs = [torch.as_tensor(weight).log() - v.log() / 2 - a.square() / (2 * v) for weight, v, a in each]
        return torch.stack(torch.broadcast_tensors(*logs)).softmax(0), away, var

    def _components(self):
        return zip(self.weights, self.means, self.stds, strict=True)


# Lopsided, so that left and right, and both components, differ; nearly all of it, and all data that a network sees, is in -1..1.
LOPSIDED = Mixture(weights=(0.3, 0.7), means=(-0.6, 0.35), stds=(0.1, 0.15))


def prediction(law, x, kept, kind):
    """The optimal prediction of a diffusion model at sqrt(a) X + sqrt(1 - a) E = x, with a = kept, [B] or a number.

    kind: it predicts the noise, the data ("x0") or the velocity sqrt(a) E - sqrt(1 - a) X.
    """
    signal, noise = _ways(x, kept)
    data = law.data_mean(x, signal, noise)
    return {"noise": (x - signal * data) / noise, "x0": data, "velocity": (signal * x - data) / noise}[kind]


def velocity(law, x, time):
    """The optimal prediction of flow matching at (1 - t) E + t X = x with the times t, [B] or a number."""
    return law.velocity(x, torch.as_tensor(time, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1)))


def _ways(x, kept):
    kept = torch.as_tensor(kept, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 1))
    return kept.sqrt(), (1 - kept).sqrt()
