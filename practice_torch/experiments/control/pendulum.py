"""The pendulum that is too heavy for its motor: a rod on an axis, to be swung up and held; many at once.

A state is [N, 2]: angle and angular velocity, in radians and seconds; the angle is 0 upright. What acts is a torque, [N], in
newton meters. Constants, costs and Euler's method (the new velocity moves the angle) as in Gymnasium's Pendulum-v1.
"""

import math

import torch

GRAVITY, MASS, LENGTH = 10.0, 1.0, 1.0  # m/s^2, kg, m
TORQUE, FASTEST, INTERVAL = 2.0, 8.0, 0.05  # N m, radians/s, s: larger values are clipped
TIME_LIMIT = 200  # steps of an episode
WORST = math.pi**2 + 0.1 * FASTEST**2 + 0.001 * TORQUE**2  # the largest cost of a step


def first_state(uniforms):
    """Any angle, and a velocity within 1 of 0, from uniforms in [0, 1): [N, 2] -> [N, 2]."""
    angle, spin = (2 * uniforms - 1).unbind(1)
    return torch.stack((math.pi * angle, spin), 1)


def acceleration(state, torque):
    """Acceleration of the angle, [N, 2], [N] -> [N]: a uniform rod, and no friction."""
    inertia = MASS * LENGTH**2 / 3
    return (MASS * GRAVITY * LENGTH / 2 * state[:, 0].sin() + torque) / inertia


def cost(state, torque):
    """Squared distance from upright, velocity and torque, [N, 2], [N] -> [N]."""
    angle = torch.remainder(state[:, 0] + math.pi, 2 * math.pi) - math.pi
    return angle.square() + 0.1 * state[:, 1].square() + 0.001 * torque.square()


def advance(state, torque):
    """The state after a step. [N, 2], [N] -> [N, 2]."""
    angle, spin = state.unbind(1)
    spin = (spin + INTERVAL * acceleration(state, torque)).clamp(-FASTEST, FASTEST)
    return torch.stack((angle + INTERVAL * spin, spin), 1)


def observed(state):
    """Cosine and sine of the angle, and the velocity: [N, 2] -> [N, 3]."""
    return torch.stack((state[..., 0].cos(), state[..., 0].sin(), state[..., 1]), -1)
