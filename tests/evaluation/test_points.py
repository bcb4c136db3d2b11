"""Neighbors and balls by matrix products: the same answers as from the differences of all pairs, to the last bit."""

import pytest
import torch

from practice_torch.evaluation import _points as points
from practice_torch.evaluation.precision_recall import density_and_coverage, precision_and_recall

DIMENSIONS = 48


def _drawn(seed, count):
    return torch.randn(count, DIMENSIONS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _grid(seed, count):
    """On few places, so that many distances are equal, and many are 0."""
    return (_drawn(seed, count) / 2).round().clamp(-1, 1)


PAIRS = {
    "clouds": (_drawn(0, 300), _drawn(1, 400)),
    "a grid": (_grid(0, 300)[:, :3].repeat(1, 16), _grid(1, 400)[:, :3].repeat(1, 16)),
    "copies": (_drawn(0, 400)[:300], _drawn(0, 400)),
    "noisy copies": (_drawn(0, 300) + 1e-4 * _drawn(1, 300), _drawn(0, 400)),
    "far from the origin": (_drawn(0, 300) + 1e4, _drawn(1, 400) + 1e4),
    "two groups far apart": (_drawn(0, 300), torch.cat([_drawn(1, 200), _drawn(2, 200) + 1e3])),
    "one point": (torch.ones(300, DIMENSIONS).double(), torch.ones(400, DIMENSIONS).double()),
    "tiny": (_drawn(0, 300) * 1e-25, _drawn(1, 400) * 1e-25),
    "huge": (_drawn(0, 300) * 1e25, _drawn(1, 400) * 1e25),
    "not finite": (_drawn(0, 300).index_fill(0, torch.tensor([7]), torch.nan), _drawn(1, 400)),
}


@pytest.mark.parametrize("precision", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("case", PAIRS)
def test_products_answer_as_differences_do(case, precision, monkeypatch):
    queries, references = (part.to(precision) for part in PAIRS[case])
    radii = points.nearest(references, references, 4)[0][:, 3]  # some distances are radii, exactly

    def answers():
        return (
            *points.nearest(queries, references, 1),
            *points.nearest(queries, references, 5),
            points.in_some_ball(queries, references, radii),
            points.in_some_ball(references, references, radii.flip(0)),
            points.balls_around(queries, references, radii),
            points.balls_around(references, references, radii * torch.where(radii > radii.median(), torch.inf, 1)),
        )

    assert points.by_products(queries, references, radii) is not None
    found = answers()
    monkeypatch.setattr(points, "FEW", 10**12)
    assert points.by_products(queries, references, radii) is None
    for got, wanted in zip(found, answers(), strict=True):
        assert torch.equal(got.nan_to_num(-1), wanted.nan_to_num(-1))


def test_slopes_go_through_the_neighbors_that_are_found():
    queries, references = (part[:200].clone().requires_grad_() for part in PAIRS["clouds"])
    found, _ = points.nearest(torch.cat([queries] * 3), references, 2)
    wanted = torch.cat([points.distances(queries, references).topk(2, largest=False).values] * 3)
    weights = _drawn(3, 600)[:, :2]
    for got, want in zip(*(torch.autograd.grad(part, (queries, references), weights) for part in (found, wanted)), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-15)


def test_few_pairs_need_differences(monkeypatch):
    """On clouds of points; on other data the search need not save anything."""
    compared = []
    monkeypatch.setattr(
        points, "distances", lambda q, r: compared.append(q.shape[:-1].numel() * r.shape[-2]) or torch.cdist(q, r)
    )
    queries, references = PAIRS["clouds"]
    radii = points.nearest(references, references, 4)[0][:, 3]
    points.in_some_ball(queries, references, radii)
    points.balls_around(queries, references, radii)
    assert sum(compared) < 0.05 * len(queries) * len(references)


def test_the_four_numbers_of_many_points_are_those_of_all_differences(monkeypatch):
    pair = PAIRS["clouds"][0] * 0.9, PAIRS["clouds"][1]
    found = [*precision_and_recall(*pair, neighbors=3), *density_and_coverage(*pair, neighbors=3)]
    monkeypatch.setattr(points, "FEW", 10**12)
    assert found == [*precision_and_recall(*pair, neighbors=3), *density_and_coverage(*pair, neighbors=3)]
    assert all(0 < number < 1 for number in found)
