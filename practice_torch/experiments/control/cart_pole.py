"""The cart-pole: a pole on a cart, which is pushed to the left or to the right in every step; many carts at once.

A state is [N, 4]: position and velocity of the cart, angle and angular velocity of the pole, in meters, seconds and radians; the
angle is 0 upright and positive to the right. Constants and Euler's method as in Gymnasium's CartPole-v1.
Source: Barto, Sutton & Anderson 1983; Florian 2007 (the equations, without friction).
"""

import math

import torch

GRAVITY, CART, POLE = 9.8, 1.0, 0.1  # m/s^2, kg, kg
HALF_LENGTH, FORCE, INTERVAL = 0.5, 10.0, 0.02  # m, N, s
FARTHEST, STEEPEST = 2.4, math.radians(12)
SPREAD = 0.05  # of every number of a first state
TIME_LIMIT = 500  # steps of an episode


def first_state(uniforms):
    """Every number within 0.05 of 0, from uniforms in [0, 1): [N, 4] -> [N, 4]."""
    return SPREAD * (2 * uniforms - 1)


def accelerations(state, force):
    """Accelerations of the cart and of the pole's angle, [N, 4], [N] -> [N], [N]: a uniform pole, and no friction."""
    _, _, angle, spin = state.unbind(1)
    sine, cosine = angle.sin(), angle.cos()
    pushed = (force + POLE * HALF_LENGTH * spin.square() * sine) / (CART + POLE)
    inertia = HALF_LENGTH * (4 / 3 - POLE / (CART + POLE) * cosine.square())
    turned = (GRAVITY * sine - cosine * pushed) / inertia
    return pushed - POLE * HALF_LENGTH / (CART + POLE) * turned * cosine, turned


def advance(state, action):
    """The state after a step of Euler's method: action 0 pushes to the left, 1 to the right. [N, 4], [N] -> [N, 4]."""
    position, speed, angle, spin = state.unbind(1)
    cart, pole = accelerations(state, FORCE * (2 * action.to(state.dtype) - 1))
    rates = torch.stack((speed, cart, spin, pole), 1)
    return torch.add(state, rates, alpha=INTERVAL)


def has_fallen(state):
    """Whether the cart has left its track, or the pole is more than 12 degrees from upright. [N, 4] -> [N]."""
    return (state[:, 0].abs() > FARTHEST) | (state[:, 2].abs() > STEEPEST)
