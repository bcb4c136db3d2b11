"""Figures of diffusion models from measurements: arrays in, figures out."""

import math

import numpy as np

from practice_torch.engine.artifacts import Figure
from shared_specs.palette import BLUE, GREEN, VERMILION


def losses(by_level):
    """Mean losses of the levels 1..T."""

    def paint(axes):
        axes.plot(range(1, len(by_level) + 1), by_level, color=BLUE, linewidth=1)
        axes.set(xlabel="level t", ylabel="squared error per dimension", yscale="log", xlim=(1, len(by_level)))

    return Figure(paint, "Loss on held-out data by noise level, with the same noise in every evaluation")


def few_steps(counts, distances):
    """distances: for each sampler, the distance from held-out data after each of `counts` calls of the network."""

    def paint(axes):
        for name, values in distances.items():
            axes.plot(counts, values, marker="o", label=name)
        axes.set(xlabel="calls of the network", ylabel="Frechet distance to held-out data", xscale="log", yscale="log")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set_xticks([], minor=True)
        axes.legend()

    return Figure(paint, "Distance of samples from held-out data by number of steps (few samples: all distances too large)")


def guidance(scales, accuracies, spreads, distances):
    """At every guidance scale: classes recognized, spread within a class (1: that of real data), Frechet distance."""

    def paint(axes):
        for name, values in {
            "class recognized as asked": accuracies,
            "distance within a class, relative to real data": spreads,
            "Frechet distance": distances,
        }.items():
            axes.plot(scales, values, marker="o", label=name)
        axes.axvline(1, color="0.8", zorder=0)
        axes.set(xlabel="guidance scale", ylim=(0, None))
        axes.legend(fontsize="small")

    return Figure(paint, "Guidance: clearer classes, less diversity. Scale 1 is the model itself")


def noise_errors(log_snrs, errors):
    """Squared errors of the predicted noise, per dimension, over the log-SNR."""

    def paint(axes):
        axes.fill_between(log_snrs, errors, alpha=0.3)
        axes.plot(log_snrs, errors)
        axes.set(xlabel="log SNR", ylabel="squared error of the noise, per pixel", ylim=(0, None))

    caption = "Error of the noise on held-out images; half the area under it is the diffusion loss, in nats per pixel"
    return Figure(paint, caption)


def schedules(alpha_bar, others, *, prior_bits):
    """A schedule [T+1] next to two others of as many levels; and the information left in its last level, bits per dimension."""
    remainder = f"the last level keeps {prior_bits:.2g} bits per dimension"
    caption = f"Signal by level: share of the variance, amplitudes of signal and noise, and their ratio; {remainder}"

    def paint(axes):
        shares, amplitudes, ratios = _panels(axes, 3)
        t = np.arange(len(alpha_bar))
        styles = dict(zip(others, ((VERMILION, (0, (4, 2))), (GREEN, (0, (1, 1)))), strict=True))
        for name, a in {"this run": alpha_bar, **others}.items():
            color, line = styles.get(name, (BLUE, "-"))
            style = dict(color=color, linestyle=line, linewidth=1.5 if name in styles else 4, alpha=1 if name in styles else 0.45)
            shares.plot(t, a, label=name, **style)
            inside = (a > 0) & (a < 1)
            ratios.plot(t[inside], np.log(a[inside]) - np.log1p(-a[inside]), **style)
        amplitudes.plot(t, np.sqrt(alpha_bar), color=BLUE, label="signal")
        amplitudes.plot(t, np.sqrt(1 - alpha_bar), color="0.5", label="noise")
        shares.set(ylabel=r"share of the data's variance, $\bar\alpha_t$")
        amplitudes.set(ylabel="scale in x_t, this run")
        ratios.set(ylabel="log SNR, nats", ylim=(-16, None))
        for panel in (shares, amplitudes, ratios):
            panel.set(xlabel="level t", xlim=(0, t[-1]))
        shares.legend(fontsize="small")
        amplitudes.legend(fontsize="small")

    return Figure(paint, caption, size=(10.0, 3.4))


def bits(terms, given=""):
    """The terms of the bound of every example, [N, T+1], in bits per dimension: the decoder's, those of t = 2..T, the prior's."""
    totals = terms.sum(1)
    error = totals.std(ddof=1) / math.sqrt(len(totals))
    terms = terms.mean(0)
    parts = f"{terms[0]:.3f} in the decoder, {terms[1:-1].sum():.3f} in the steps, {terms[-1]:.2g} in the prior"
    caption = (
        f"Bits of a held-out image{given} by level: each level's term of the bound on -log2 p, and the terms up to it. "
        f"Total {totals.mean():.3f} +- {error:.3f} bits per dimension: {parts}"
    )

    def paint(axes):
        each, together = _panels(axes, 2)
        t, reached = np.arange(1, len(terms)), np.cumsum(terms[:-1])
        scale = "log" if reached[len(t) // 10] > reached[-1] / 2 else "linear"  # where most is paid early, that is spread out
        each.plot(t[1:], terms[1:-1], color=BLUE, label="steps t = 2..T")
        each.plot(1, terms[0], "o", color=VERMILION, label="decoder, t = 1")
        each.plot(t[-1], terms[-1], "s", color=GREEN, label="prior, at t = T", clip_on=False)
        positive = [term for term in terms.tolist() if term > 0]
        each.set(ylabel="bits per dimension", yscale="log", ylim=(min(positive) / 3, None))
        each.legend(fontsize="small")
        together.fill_between(t, reached, step="mid", color=BLUE, alpha=0.3)
        together.axhline(terms.sum(), color="0.4", linewidth=1)
        together.set(ylabel="bits per dimension, levels up to t", ylim=(0, None))
        for panel in (each, together):
            panel.set(xlabel="level t", xscale=scale, xlim=(0.9 if scale == "log" else 0, t[-1]))

    return Figure(paint, caption, size=(9.0, 3.6))


def variances(bounds):
    """Mean terms of the bound [T+1], bits per dimension, for each variance of the steps ("learned", "small", "large")."""
    totals = ", ".join(f"{name} {terms.sum():.3f}" for name, terms in bounds.items())

    def paint(axes):
        for (name, terms), color, line in zip(bounds.items(), (BLUE, VERMILION, GREEN), ("-", "--", ":"), strict=True):
            axes.plot(np.arange(2, len(terms)), terms[1:-1], line, color=color, label=name)
        axes.set(xlabel="level t", ylabel="bits per dimension", xlim=(0, len(terms) - 1), ylim=(0, None))
        axes.legend(title="variance of a step")

    return Figure(paint, f"Terms of the bound by step, for equal means and three variances; totals, bits per dimension: {totals}")


def _panels(axes, count):
    """Several axes side by side in place of one."""
    figure, places = axes.figure, axes.get_subplotspec().subgridspec(1, count)
    axes.remove()
    return [figure.add_subplot(place) for place in places]
