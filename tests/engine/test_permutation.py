"""Order and random numbers from counters: bijections for every count, uniform, the same for ever, and nothing that grows."""

import math

import pytest
import torch

from practice_torch.data.permutation import permuted, uniforms

COUNTS = (1, 2, 3, 4, 5, 6, *(2**k + d for k in (3, 4, 7, 10, 13) for d in (-1, 0, 1)), 99, 100, 101, 10**6)


def surprise(observed, expected):
    """Standard deviations by which the chi-square statistic of counts exceeds its mean."""
    freedom = observed.numel() - 1
    return (float(((observed - expected) ** 2 / expected).sum()) - freedom) / math.sqrt(2 * freedom)


@pytest.mark.parametrize("count", COUNTS)
def test_every_count_is_permuted_without_a_repetition(count):
    for seed in (0, 1, 2**62 + 7):
        assert torch.equal(permuted(torch.arange(count), count, seed).sort().values, torch.arange(count))


def test_an_index_has_its_place_in_any_order_of_access():
    whole = permuted(torch.arange(1000), 1000, 5)
    asked = torch.tensor([999, 0, 500, 500, 3])
    assert torch.equal(permuted(asked, 1000, 5), whole[asked])
    assert len(permuted(torch.arange(0), 1000, 5)) == 0
    epochs = torch.tensor([0, 3, 0, 3, 1])
    alone = [permuted(index[None], 1000, 5, epoch[None]) for index, epoch in zip(asked, epochs, strict=True)]
    assert torch.equal(permuted(asked, 1000, 5, epochs), torch.cat(alone)) and torch.equal(alone[0][0], whole[999])


def test_orders_and_numbers_stay_what_they_were():
    """A run that is resumed with a later version needs the same examples."""
    assert permuted(torch.arange(10), 10, 0).tolist() == [5, 7, 3, 1, 8, 2, 4, 9, 0, 6]
    far = permuted(torch.tensor([0, 2**40 - 1]), 2**40, 2**62, torch.tensor([0, 1]))
    assert far.tolist() == [554301664853, 165784672150]
    assert uniforms(torch.tensor([0, 2**40]), 2, 3).tolist() == [
        [0.23869818144299193, 0.4184472804365501],
        [0.8522119061985899, 0.8604676975465956],
    ]


def test_other_seeds_give_other_orders():
    orders = {tuple(permuted(torch.arange(50), 50, seed).tolist()) for seed in range(150)}
    assert len(orders) == 150
    fixed = [int((permuted(torch.arange(50), 50, seed) == torch.arange(50)).sum()) for seed in range(150)]
    assert abs(sum(fixed) / 150 - 1) < 4 / math.sqrt(150)  # one fixed point on average, with variance 1


@pytest.mark.parametrize("count", [2, 3, 5])
def test_over_seeds_every_order_of_a_few_is_equally_likely(count):
    """Of five, the places of the first two: 20 pairs."""
    trials = 600
    pairs = torch.zeros(count, count)
    for seed in range(trials):
        first, second = permuted(torch.arange(2), count, seed).tolist()
        pairs[first, second] += 1
    off_diagonal = pairs[~torch.eye(count, dtype=torch.bool)]
    assert surprise(off_diagonal, trials / off_diagonal.numel()) < 4


@pytest.mark.parametrize("count", [10**4, 10**6 + 3, 2**40 - 87, 10**11])
def test_the_places_of_neighbours_look_drawn_at_random(count):
    number = 8192
    for first in (0, count - number):
        places = permuted(torch.arange(first, first + number), count, 11)
        assert int(places.min()) >= 0 and int(places.max()) < count and len(places.unique()) == number
        bins = torch.bincount(places * 64 // count, minlength=64).double()
        assert surprise(bins, number / 64) < 4
        x = places.double() / count - 0.5
        for lag in (1, 2, math.isqrt(count - 1) + 1):  # the last: indices with the same right half
            if lag < number:
                correlation = float((x[lag:] * x[:-lag]).mean()) * 12
                assert abs(correlation) < 4 / math.sqrt(number - lag), lag
        low = torch.bincount(places % 16, minlength=16).double()
        assert surprise(low, number / 16) < 4


def test_two_epochs_have_unrelated_orders():
    one, two = (permuted(torch.arange(8192), 8192, 1, torch.full((8192,), epoch)).double() for epoch in (1, 2))
    assert torch.equal(one.sort().values, two.sort().values)
    assert abs(float(torch.corrcoef(torch.stack((one, two)))[0, 1])) < 4 / math.sqrt(8192)


def test_indices_outside_are_refused():
    for indices, count in (([0, 5], 5), ([-1], 5), ([0], 0)):
        with pytest.raises(ValueError, match=f"of a permutation of {count} they must be 0 to {count - 1}"):
            permuted(torch.tensor(indices), count, 0)
    with pytest.raises(ValueError, match="at most 2"):
        permuted(torch.tensor([0]), 2**62 + 1, 0)
    # as a list, an order of so many would take 37 exabytes
    largest = permuted(torch.tensor([0, 1, 2**62 - 1]), 2**62, 0)
    assert int(largest.min()) >= 0 and int(largest.max()) < 2**62 and len(largest.unique()) == 3


def test_uniforms_are_uniform_and_independent():
    u = uniforms(torch.arange(2**40, 2**40 + 20000), 3, 9)
    assert u.dtype == torch.float64 and u.shape == (20000, 3) and float(u.min()) >= 0 and float(u.max()) < 1
    for column in range(3):
        assert surprise(torch.histc(u[:, column], 50, 0, 1), 400) < 4
    table = torch.histogramdd(u[:, :2], bins=[10, 10], range=[0, 1, 0, 1]).hist
    assert surprise(table, 200) < 4
    following = torch.stack((u[:-1, 0], u[1:, 0]), dim=1)
    assert surprise(torch.histogramdd(following, bins=[10, 10], range=[0, 1, 0, 1]).hist, 199.99) < 4
    assert uniforms(torch.arange(4), 0, 9).shape == (4, 0)


def test_uniforms_are_a_function_of_draw_column_and_seed():
    u = uniforms(torch.arange(100), 4, 9)
    assert torch.equal(uniforms(torch.tensor([42, 7]), 2, 9), u[[42, 7], :2])
    assert not (uniforms(torch.arange(100), 4, 10) == u).any()
    assert len(u.flatten().unique()) == 400
