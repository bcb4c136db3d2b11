"""Wrong forms of transitions, responses and gains that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.state_space import linear_system as right
from tests.support.mistakes import Mistake


def _step_by_inverse(times, a, b, c, d, initial):
    """A^-1 (e^At - I) B: division by zero where A is singular."""
    moved = right.state_transition(times, a)
    gain = torch.linalg.inv(a) @ (moved - torch.eye(len(a), dtype=a.dtype))
    return (moved @ initial) @ c + (gain @ b) @ c + d


def _step(times, a, b, c, d, initial, *, sign=1.0, direct=1.0, started=True):
    right.step_response(times, a, b, c, d, initial)  # for its checks
    driven = right.step_response(times, a, b, c, 0 * d, 0 * initial)
    free = right.impulse_response(times, a, initial, c)
    return sign * driven + direct * d + (free if started else 0 * free)


def _step_by_euler(times, a, b, c, d, initial):
    """A thousand small steps."""
    right.step_response(times, a, b, c, d, initial)  # for its checks
    state, dt = initial.expand(len(times), -1), times[:, None] / 1000
    for _ in range(1000):
        state = state + dt * (state @ a.mT + b)
    return state @ c + d


def _transfer(frequencies, a, b, c, d, *, sign=1.0):
    return _solved(sign * frequencies, a, b, c, d)


def _solved(frequencies, a, b, c, d):
    identity = torch.eye(len(b), dtype=frequencies.dtype)
    states = torch.linalg.solve(
        frequencies[:, None, None] * identity - a, b.to(frequencies.dtype)[:, None].expand(len(frequencies), -1, -1)
    )
    return states[..., 0] @ c.to(frequencies.dtype) + d


def _transfer_by_inverse(frequencies, a, b, c, d):
    right.transfer_function(frequencies, a, b, c, d)  # for its checks
    identity = torch.eye(len(b), dtype=frequencies.dtype)
    inverse = torch.linalg.inv(frequencies[:, None, None] * identity - a)
    return torch.einsum("i,tij,j->t", c.to(inverse.dtype), inverse, b.to(inverse.dtype)) + d


def _by_eigenvectors(times, a):
    """V e^(Lambda t) V^-1: wrong where the eigenvectors are no basis."""
    rates, vectors = torch.linalg.eig(a)
    moved = (vectors * (times[:, None] * rates).exp()[:, None, :]) @ torch.linalg.inv(vectors)
    return moved.real


def _series(times, a, terms=20):
    """The plain exponential series: its terms are large and cancel."""
    matrix = times[:, None, None] * a
    total = term = torch.eye(len(a), dtype=a.dtype).expand_as(matrix)
    for k in range(1, terms):
        term = term @ matrix / k
        total = total + term
    return total


def _in_halves(times, a):
    half = right.state_transition(times / 2, a)
    return half @ half


def _step_in_two_parts(times, a, b, c, d, initial):
    """The response to the initial state, and the response to the input from rest."""
    return _step(times, a, b, c, d, initial)


def _not_causal(times, a, b, c):
    return (right.state_transition(times, a) @ b) @ c


MISTAKES = (
    Mistake("state_transition", "elementwise exponential", lambda times, a: (times[:, None, None] * a).exp()),
    Mistake("state_transition", "transposed", lambda times, a: right.state_transition(times, a).mT),
    Mistake("state_transition", "the sign of t", lambda times, a: right.state_transition(-times, a)),
    Mistake("state_transition", "by eigenvectors", _by_eigenvectors),
    Mistake("state_transition", "twenty terms of the series", _series),
    Mistake("state_transition", "to first order", lambda times, a: _series(times, a, 2)),
    Mistake("impulse_response", "b and c exchanged", lambda times, a, b, c: right.impulse_response(times, a, c, b)),
    Mistake("impulse_response", "elementwise exponential", lambda times, a, b, c: ((times[:, None, None] * a).exp() @ b) @ c),
    Mistake("impulse_response", "its integral", lambda times, a, b, c: right.step_response(times, a, b, c, 0 * b[0], 0 * b)),
    Mistake("impulse_response", "an answer before the input", _not_causal, only_checks=True),
    Mistake("step_response", "by the inverse of A", _step_by_inverse),
    Mistake("step_response", "the sign of the integral", lambda **given: _step(**given, sign=-1.0)),
    Mistake("step_response", "D forgotten", lambda **given: _step(**given, direct=0.0)),
    Mistake("step_response", "always from rest", lambda **given: _step(**given, started=False)),
    Mistake("step_response", "a thousand steps of Euler's", _step_by_euler),
    Mistake("transfer_function", "the sign of s", lambda **given: _transfer(**given, sign=-1.0)),
    Mistake("transfer_function", "sI + A", lambda frequencies, a, b, c, d: _solved(frequencies, -a, b, c, d)),
    Mistake("transfer_function", "conjugate", lambda **given: right.transfer_function(**given).conj()),
    Mistake(
        "transfer_function", "D forgotten", lambda frequencies, a, b, c, d: right.transfer_function(frequencies, a, b, c, 0 * d)
    ),
    Mistake(
        "transfer_function", "b and c exchanged", lambda frequencies, a, b, c, d: right.transfer_function(frequencies, a, c, b, d)
    ),
    Mistake(
        "transfer_function",
        "no gradient to the frequency",
        lambda frequencies, a, b, c, d: right.transfer_function(frequencies.detach(), a, b, c, d),
    ),
    Mistake("transfer_function", "a real answer", lambda **given: right.transfer_function(**given).real),
    Mistake("transfer_function", "accepts eigenvalues", _solved, only_checks=True),
)

EQUIVALENT = (
    Mistake("state_transition", "half the time, twice", _in_halves),
    Mistake("step_response", "in two parts", _step_in_two_parts),
    Mistake("transfer_function", "by the inverse", _transfer_by_inverse),
)
