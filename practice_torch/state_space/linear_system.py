r"""Linear systems in continuous time, x' = A x + B u, y = C x + D u: responses by torch's matrix exponential, and by frequency.

One system at a time, with one input and one output: a [S, S], b [S], c [S], d [].
"""

import torch
from torch.nn.functional import pad

from practice_torch.arguments import require_rank, require_values
from practice_torch.state_space._system import require_system


def state_transition(times, a):
    r"""e^(At) = sum_k (At)^k / k!: takes the state over a time t, forward or back, if there is no input.

    Raises ValueError if a is not square or the shapes do not fit.  Source: Kailath 1980, section 2.5.
    [B], [S, S] -> [B, S, S]
    """
    require_rank(1, times=times)
    require_system(a)
    return _exponential(times[:, None, None] * a)


def impulse_response(times, a, b, c):
    r"""h(t) = C e^(At) B for t >= 0: the output after an impulse of the input at 0, without the part D delta(t).

    Raises ValueError if a is not square, the shapes do not fit, or an entry of times is negative.
    Source: Kailath 1980, section 1.2.
    [B], [S, S], [S], [S] -> [B]
    """
    require_rank(1, times=times)
    require_system(a, b=b, c=c)
    _require_causal(times)
    return (state_transition(times, a) @ b) @ c


def step_response(times, a, b, c, d, initial):
    r"""y(t) = C e^(At) x_0 + int_0^t C e^(As) B ds + D for t >= 0: the output if the input is 1 from 0 on.

    Exact for every A, singular or not: the exponential is that of state and input together, x' = A x + B u, u' = 0.

    Raises ValueError if a is not square, the shapes do not fit, or an entry of times is negative.
    Source: Van Loan 1978, theorem 1.
    [B], [S, S], [S], [S], [], [S] -> [B]
    """
    require_rank(1, times=times)
    require_system(a, b=b, c=c, initial=initial)
    require_rank(0, d=d)
    _require_causal(times)
    rows = torch.cat((a, b.unsqueeze(1)), 1)
    moved = _exponential(times[:, None, None] * torch.cat((rows, torch.zeros_like(rows[:1]))))[:, :-1]
    return (moved @ torch.cat((initial, torch.ones_like(initial[:1])))) @ c + d


def transfer_function(frequencies, a, b, c, d):
    r"""H(s) = C (sI - A)^-1 B + D: the input e^(st) makes the output H(s) e^(st). s is complex, s = i omega an oscillation.

    Raises ValueError if a is not square, the shapes do not fit, or one of the frequencies is an eigenvalue of a.
    Source: Kailath 1980, section 1.2.
    complex [B], [S, S], [S], [S], [] -> complex [B]
    """
    require_rank(1, frequencies=frequencies)
    require_system(a, b=b, c=c)
    require_rank(0, d=d)
    systems = torch.diag_embed(frequencies.unsqueeze(1).expand(-1, len(b))) - a
    require_values("frequencies I - a", systems, _invertible, "invertible: no frequency is an eigenvalue of a")
    states = torch.linalg.solve(systems, b.to(systems.dtype).expand(len(frequencies), -1).unsqueeze(2)).squeeze(2)
    return states @ c.to(systems.dtype) + d


def _exponential(matrices):
    """torch's exponential, of each matrix with one more state that grows at the rate 2.

    Of small matrices alone torch takes polynomials of lower degrees, which lose digits (2.14: 4e-12 of 1 at a norm of 0.03 in
    float64); at a norm of 2 it takes the highest degree.
    """
    rate = pad(matrices.new_full((1, 1), 2.0), (matrices.shape[-1], 0, matrices.shape[-1], 0))
    return torch.linalg.matrix_exp(pad(matrices, (0, 1, 0, 1)) + rate)[:, :-1, :-1]


def _invertible(systems):
    return (torch.linalg.matrix_rank(systems.detach()) == systems.shape[-1])[:, None, None]


def _require_causal(times):
    require_values("times", times, lambda t: t >= 0, "at least 0: before an input there is no response")
