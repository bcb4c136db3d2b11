"""Annealed importance sampling against the exact normalizers of small machines."""

import pytest
import torch

from practice_torch.energy import annealed_importance_sampling as practice
from practice_torch.energy.restricted_boltzmann_machine import exact_log_partition, log_likelihood
from tests.energy.test_restricted_boltzmann_machine import machine, states


def walks(runs, transitions, units, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    shapes = (runs, units[0]), (transitions, runs, units[1]), (transitions, runs, units[0])
    return [torch.rand(shape, generator=generator, dtype=dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_many_temperatures_find_the_normalizer_that_importance_sampling_misses(dtype):
    """12 by 8 units with weights of 1.5: 400 factors are off by less than 0.1 nats, a single one by more than 0.5."""
    given = [(1.5 * array).to(dtype) for array in machine(12, 8, 0)]
    base, wanted = torch.zeros(12, dtype=dtype), exact_log_partition(*given).item()
    errors, spreads = [], []
    for transitions in (399, 0):
        t = torch.linspace(0, 1, transitions + 2, dtype=dtype)
        log_w = practice.log_weights(*walks(100, transitions, (12, 8), 1, dtype), t, *given, base)
        errors.append(practice.log_partition_estimate(log_w, given[0], base).item() - wanted)
        spreads.append(log_w.std().item())
    assert abs(errors[0]) < 0.1 and abs(errors[1]) > 0.5
    assert spreads[0] < 0.5 < 2 < spreads[1]


def test_a_base_of_the_right_frequencies_spreads_the_weights_less():
    """Units with strong biases: fair coins have to be moved by the biases, and their walks disagree more."""
    weight, visible_bias, hidden_bias = machine(8, 4, 2)
    given = 0.3 * weight, 3 * visible_bias, hidden_bias
    frequencies = log_likelihood(states(8), *given).exp() @ states(8)
    spreads = []
    for base in (frequencies.logit(), torch.zeros(8, dtype=torch.float64)):
        t = torch.linspace(0, 1, 11, dtype=torch.float64)
        spreads.append(practice.log_weights(*walks(200, 9, (8, 4), 3), t, *given, base).std().item())
    assert spreads[0] < 0.5 * spreads[1]
