"""A replay buffer against a list that is written one by one, and against the geometric law of SciPy."""

import numpy as np
import pytest
import scipy.stats
import torch

from practice_torch.energy import replay_buffer as practice


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.uint8])
def test_a_buffer_is_a_list_that_is_written_one_by_one(dtype):
    """50 updates of 8 places among 11, many of them twice; any type of state, images that are not contiguous among them."""
    generator = torch.Generator().manual_seed(0)
    buffer = torch.randint(200, (11, 3, 2), generator=generator).to(dtype).transpose(1, 2)
    rows = list(buffer.clone())
    for _ in range(50):
        places = torch.randint(11, (8,), generator=generator, dtype=torch.int16)
        fresh = torch.randint(200, (8, 2, 3), generator=generator).to(dtype)
        chances = torch.rand(8, generator=generator)
        drawn = practice.sample(buffer, places, fresh, chances, reinitialize_probability=0.3)
        for k, place in enumerate(places.tolist()):
            assert torch.equal(drawn[k], fresh[k] if chances[k] < 0.3 else rows[place])
        moved = drawn + 1
        buffer = practice.update(buffer, places, moved)
        for place, row in zip(places.tolist(), moved, strict=True):
            rows[place] = row
        assert buffer.dtype == dtype and torch.equal(buffer, torch.stack(rows))


def test_ages_follow_the_geometric_law():
    """scipy.stats.geom by a test of fit, and its mean is the age that the function expects."""
    generator = torch.Generator().manual_seed(1)
    ages, everywhere = torch.zeros(3000), torch.arange(3000)
    for _ in range(60):
        chances = torch.rand(3000, generator=generator)
        drawn = practice.sample(ages, everywhere, torch.zeros(3000), chances, reinitialize_probability=0.2)
        ages = practice.update(ages, everywhere, drawn + 1)
    law = scipy.stats.geom(0.2)
    counts = torch.bincount(ages.long().clamp(max=15), minlength=16)[1:]
    wanted = 3000 * np.append(law.pmf(np.arange(1, 15)), law.sf(14))
    assert scipy.stats.chisquare(counts.numpy(), wanted).pvalue > 0.01
    assert practice.expected_age(reinitialize_probability=0.2, chain_length=7) == 7 * law.mean()
