"""Geometric augmentation: what it must leave alone, moves that are known exactly, and how often each happens."""

import math

import numpy as np
import pytest
import torch

from practice_torch.experiments.training.geometric_augmentation import (
    LABELS,
    NORMALS,
    SYMLET_6,
    UNIFORMS,
    GeometricAugmentation,
    Moves,
    moves_of,
)


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def moved(x, moves):
    return GeometricAugmentation(x.shape[1:])(x, moves)


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def moves(count=2, **changes):
    """An image as it is, with these changes."""
    still = torch.zeros(count, dtype=torch.float64)
    at_rest = Moves(still.bool(), still.bool(), *(still for _ in range(6)))
    return at_rest._replace(**{name: torch.full_like(getattr(at_rest, name), value) for name, value in changes.items()})


def close(got, wanted, atol=1e-10):
    torch.testing.assert_close(got, wanted, rtol=0, atol=atol)


def test_the_filter_is_a_wavelet_s_with_six_vanishing_moments():
    taps, places = np.array(SYMLET_6), np.arange(12)
    products = [taps[: 12 - 2 * shift] @ taps[2 * shift :] for shift in range(6)]
    np.testing.assert_allclose(products, [1, 0, 0, 0, 0, 0], atol=1e-11)
    moments = [((-1) ** places * places**power) @ taps for power in range(6)]
    np.testing.assert_allclose(moments, np.zeros(6), atol=1e-8)
    assert abs(((-1) ** places * places**6) @ taps) > 1


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 6, 10)])
def test_an_image_without_moves_stays_as_it_is_and_is_labeled_zero(shape):
    still = moves()
    close(moved(images(*shape), still), images(*shape))
    assert torch.equal(still.labels(), torch.zeros(2, LABELS, dtype=torch.float64))


def test_mirroring_twice_gives_the_image_back():
    x = images(2, 3, 6, 8)
    for name, axis, label in (("left_right", 3, 0), ("upside_down", 2, 1)):
        one = moves(**{name: True})
        close(moved(x, one), x.flip(axis))
        close(moved(moved(x, one), one), x)
        assert one.labels().nonzero()[:, 1].tolist() == [label, label]


def test_a_move_by_whole_pixels_shifts_and_goes_on_as_the_mirror_image():
    x = images(2, 3, 8, 8)
    right, down = moved(x, moves(right=1.0)), moved(x, moves(down=2.0))  # an eighth of the image is a pixel
    close(right[..., 1:], x[..., :-1])
    close(right[..., 0], x[..., 1])
    close(down[..., 2:, :], x[..., :-2, :])
    close(moved(right, moves(right=-1.0))[..., :-1], x[..., :-1])


@pytest.mark.parametrize(
    ("changes", "there"),
    [
        (dict(scale=5.0), lambda x, y: (x / 2, y / 2)),  # twice as large
        (dict(angle=math.pi / 2), lambda x, y: (-y, x)),
        (dict(stretch=2.5), lambda x, y: (x / 2**0.5, y * 2**0.5)),
        (dict(stretch=2.5, direction=math.pi / 2), lambda x, y: (x * 2**0.5, y / 2**0.5)),
        (dict(right=0.5, scale=5.0), lambda x, y: ((x - 2) / 2, y / 2)),
        (dict(down=-0.5, angle=math.pi / 2), lambda x, y: (-(y + 2), x)),
    ],
)
def test_a_pixel_shows_what_was_at_its_place(changes, there):
    """Two ramps are the coordinates of an image, which the filter keeps up to a tenth of a pixel, its own asymmetry."""
    size = 32
    line = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    ramps = torch.stack([line.expand(size, size), line[:, None].expand(size, size)])[None]
    middle = slice(size // 2 - 2, size // 2 + 2)  # the borders of a ramp are mirrored
    got = moved(ramps, moves(1, **changes))[0, :, middle, middle]
    close(got, torch.stack(there(*ramps[0, :, middle, middle])), atol=0.15)


def test_a_constant_image_stays_constant():
    together = moves(left_right=True, scale=-1.0, angle=0.7, stretch=1.0, direction=0.3, right=0.4, down=-0.3)
    close(moved(torch.full((2, 1, 16, 16), 0.25, dtype=torch.float64), together), torch.full((2, 1, 16, 16), 0.25).double())


def test_moves_happen_as_often_as_asked():
    draws, count = torch.Generator().manual_seed(0), 100_000
    found = moves_of(torch.rand(UNIFORMS, count, generator=draws), torch.randn(NORMALS, count, generator=draws), probability=0.2)
    shares = {"left_right": 0.5, "upside_down": 0.1, "scale": 0.2, "angle": 0.2, "stretch": 0.2, "direction": 0.5, "right": 0.2}
    for name, share in shares.items():
        assert getattr(found, name).ne(0).float().mean().item() == pytest.approx(share, abs=0.01), name
    assert torch.equal(found.right != 0, found.down != 0)
    for name, deviation in {"scale": 1.0, "stretch": 1.0, "right": 1.0, "down": 1.0, "angle": math.pi / 3**0.5}.items():
        values = getattr(found, name)
        assert values[values != 0].std().item() == pytest.approx(deviation, rel=0.03), name
    never = moves_of(torch.rand(UNIFORMS, 100, generator=draws), torch.randn(NORMALS, 100, generator=draws), probability=0.0)
    assert never.labels()[:, 1:].abs().max() == 0 and 20 < never.labels()[:, 0].sum() < 80


def test_labels_of_a_rotation_and_of_a_direction_have_no_seam():
    close(moves(angle=math.pi).labels(), moves(angle=-math.pi).labels())
    close(moves(stretch=1.0, direction=math.pi).labels(), moves(stretch=1.0, direction=-math.pi).labels())
    close(moves(angle=math.pi / 2).labels()[0, 3:5], torch.tensor([-1.0, 1.0]).double())
