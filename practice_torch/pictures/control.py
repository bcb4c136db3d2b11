"""Pictures of policy and value over an angle and its velocity, and of episodes."""

import torch

from practice_torch.engine.artifacts import Figure


def over_the_plane(angle, spin, values, caption):
    """values [S, A] at every velocity and angle, in radians (a second)."""

    def paint(axes):
        drawn = axes.pcolormesh(torch.rad2deg(angle), spin, values, shading="nearest")
        axes.figure.colorbar(drawn, ax=axes)
        axes.set(xlabel="angle, degrees; 0 is upright", ylabel="its velocity, radians a second")

    return Figure(paint, caption)


def traces(lengths, values, caption, label):
    """values [N, T] after every step of N episodes, of which each is so long."""

    def paint(axes):
        for length, row in zip(lengths, values, strict=True):
            axes.plot(range(1, length + 1), row[:length], linewidth=1)
        axes.set(xlabel="step", ylabel=label)

    return Figure(paint, caption)
