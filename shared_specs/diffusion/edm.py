"""Contracts of preconditioning (lectures 27 to 29)."""

import numpy as np

from shared_specs.diffusion._cases import at
from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

LEVELS = uniform(5, low=0.05, high=3.0)
FAR = [1e-6, 1e-3, 0.5, 80.0, 1e6]
STEEP = "a level of 1e-6 is closer to 0 than central differences step"
ROOT_2, ROOT_5 = 2**0.5, 5**0.5


def bent(x, level):
    """A network that is no straight line."""
    return 0.9 * x / (1 + x * x / 10) - at(x, level) / 4


def nothing(x, level):
    """A network that returns 0."""
    return x * 0


def slope(x, level):
    """A network that returns 2 x + level."""
    return 2 * x + at(x, level)


def cut(x, level):
    """A network that forgets an entry."""
    return x[:, 1:]


def squares(x):
    return (x.reshape(len(x), -1) ** 2).sum(1)


SPEC = (
    # The factors.
    Agree("preconditioning", "regular", given(sigma=LEVELS)),
    Agree("preconditioning", "far levels, data of another size", given(sigma=FAR, sigma_data=0.847), no_gradient=STEEP),
    Anchor("preconditioning", "levels 1/2 and 1", given(sigma=[0.5, 1.0]),
           gives=([0.5, 0.2], [0.5 / ROOT_2, 1 / ROOT_5], [ROOT_2, 2 / ROOT_5], [-0.17328679513998632, 0.0]), source="by hand",
           near_misses={"the other share": ([0.5, 0.8], [0.5 / ROOT_2, 1 / ROOT_5], [ROOT_2, 2 / ROOT_5],
             [-0.17328679513998632, 0.0]),
                        "c_in of the noise alone": ([0.5, 0.2], [0.5 / ROOT_2, 1 / ROOT_5], [2.0, 1.0],
                          [-0.17328679513998632, 0.0]),
                        "log(4 s)": ([0.5, 0.2], [0.5 / ROOT_2, 1 / ROOT_5], [ROOT_2, 2 / ROOT_5],
                          [0.6931471805599453, np.log(4)]),
                        "c_out squared": ([0.5, 0.2], [0.125, 0.2], [ROOT_2, 2 / ROOT_5], [-0.17328679513998632, 0.0]),
                        "no quarter": ([0.5, 0.2], [0.5 / ROOT_2, 1 / ROOT_5], [ROOT_2, 2 / ROOT_5],
                          [-0.6931471805599453, 0.0])}),
    Law.equal("input and target have variance one", given(sigma=LEVELS),
              left=lambda f, sigma: [
                  f.preconditioning(sigma, sigma_data=0.75)[2] ** 2 * (0.5625 + sigma**2),
                  ((1 - f.preconditioning(sigma, sigma_data=0.75)[0]) ** 2 * 0.5625 + (
                      f.preconditioning(sigma, sigma_data=0.75)[0] * sigma) ** 2) / f.preconditioning(sigma,
                        sigma_data=0.75)[1] ** 2],
              right=1.0),
    Law.equal("units do not matter", given(sigma=LEVELS),
              left=lambda f, sigma: np.stack(f.preconditioning(4 * sigma, sigma_data=2.0)[:3]),
              right=lambda f, sigma: np.stack(f.preconditioning(sigma)[:3]) * np.array([[1.0], [4.0], [0.25]])),
    Law.limit("the skip is the whole where there is no noise", given(), at=(0.1, 0.05, 0.025), order=2.0,
              value=lambda f, h: f.preconditioning(np.array([h]))[0][0], limit=1.0),
    Law.limit("far above the data the output has their size", given(), at=(0.1, 0.05, 0.025), order=2.0,
              value=lambda f, h: f.preconditioning(np.array([1 / h]))[1][0], limit=0.5),
    Rejects("preconditioning", "level 0", given(sigma=[0.5, 0.0]), blames="sigma"),
    Rejects("preconditioning", "a level for every entry", given(sigma=np.ones((2, 3))), blames="sigma"),
    Rejects("preconditioning", "data of size 0", given(sigma=[0.5, 1.0], sigma_data=0.0), blames="sigma_data"),
    # The denoiser.
    Agree("denoise", "regular", given(x=normal(5, 3), sigma=LEVELS, network_fn=bent)),
    Agree("denoise", "images, data of another size", given(x=normal(2, 3, 4, 2), sigma=[0.3, 2.0], network_fn=bent,
              sigma_data=0.847)),
    Agree("denoise", "far levels", given(x=normal(5, 3), sigma=FAR, network_fn=bent), differentiate=("x",)),
    Anchor("denoise", "a network of slope 2 at level 1", given(x=[[1.0, -2.0]], sigma=[1.0], network_fn=slope),
           gives=[[1.0, -2.0]], source="x/5 + (1/root 5) 2 (2/root 5) x",
           near_misses={"the skip alone": [[0.2, -0.4]], "the network alone": [[0.8, -1.6]],
                        "the input not scaled": [[0.2 + 2 / ROOT_5, -0.4 - 4 / ROOT_5]],
                        "the answer not scaled": [[0.2 + 4 / ROOT_5, -0.4 - 8 / ROOT_5]]}),
    Law.equal("a zero network leaves the best linear denoiser", given(x=normal(5, 3), sigma=LEVELS),
              left=lambda f, x, sigma: f.denoise(x, sigma, nothing),
              right=lambda f, x, sigma: x * (0.25 / (0.25 + sigma**2))[:, None]),
    Law.limit("the identity where there is no noise", given(x=[[0.7, -0.3]]), at=(1e-2, 5e-3, 2.5e-3), order=1.0,
              value=lambda f, h, x: f.denoise(x, np.array([h]), slope)[0, 0], limit=lambda f, x: x[0, 0]),
    Rejects("denoise", "a level too few", given(x=zeros(3, 2), sigma=[0.5, 1.0], network_fn=nothing), blames="sigma"),
    Rejects("denoise", "level 0", given(x=zeros(2, 2), sigma=[0.5, 0.0], network_fn=nothing), blames="sigma"),
    Rejects("denoise", "a network that loses an entry", given(x=zeros(2, 2), sigma=[0.5, 1.0], network_fn=cut),
              blames="network_fn"),
    # The loss.
    Agree("loss_weight", "regular", given(sigma=LEVELS)),
    Agree("loss_weight", "far levels, data of another size", given(sigma=FAR, sigma_data=0.847), no_gradient=STEEP),
    Anchor("loss_weight", "levels 1/2 and 1", given(sigma=[0.5, 1.0]), gives=[8.0, 5.0], source="by hand",
           near_misses={"not squared": [2.0, 2.5], "of the noise": [4.0, 1.0], "its inverse": [0.125, 0.2]}),
    Law.equal("one over the square of the output's factor", given(sigma=LEVELS),
              left=lambda f, sigma: f.loss_weight(sigma) * f.preconditioning(sigma)[1] ** 2, right=1.0),
    Rejects("loss_weight", "a negative level", given(sigma=[0.5, -1.0]), blames="sigma"),
    Rejects("loss_weight", "data of size 0", given(sigma=[0.5, 1.0], sigma_data=0.0), blames="sigma_data"),
    Agree("edm_loss", "regular", given(x0=normal(5, 3), noise=normal(5, 3), sigma=LEVELS, network_fn=bent)),
    Agree("edm_loss", "images, data of another size", given(
        x0=normal(2, 3, 4, 2), noise=normal(2, 3, 4, 2), sigma=[0.3, 2.0], network_fn=bent, sigma_data=0.847)),
    Agree("edm_loss", "far levels", given(x0=normal(5, 3), noise=normal(5, 3), sigma=FAR, network_fn=bent),
          differentiate=("x0", "noise")),
    Anchor("edm_loss", "a zero network, at level 1", given(x0=[[1.0, 0.0]], noise=[[0.0, 2.0]], sigma=[1.0],
                                                                       network_fn=nothing),
           gives=[4.0], source="5 (0.8^2 + 0.4^2)",
           near_misses={"unweighted": [0.8], "the mean": [2.0], "half": [2.0], "of the network, with the weight left in": [20.0],
                        "the weight not squared": [2.0]}),
    Anchor("edm_loss", "at another level", given(x0=[[1.0, 0.0]], noise=[[0.0, 2.0]], sigma=[0.5], network_fn=nothing),
           gives=[4.0], source="8 (0.5^2 + 0.5^2)", near_misses={"the noise multiplied twice": [2.5], "not multiplied": [10.0]}),
    Law.equal("the weighted error of the denoiser", given(x0=normal(5, 3), noise=normal(5, 3), sigma=LEVELS),
              left=lambda f, x0, noise, sigma: f.edm_loss(x0, noise, sigma, bent),
              right=lambda f, x0, noise, sigma: f.loss_weight(sigma) * squares(
                  f.denoise(x0 + sigma[:, None] * noise, sigma, bent) - x0)),
    Law.unbiased("one for each entry at the start, at every level", given(sigma=LEVELS),
                 samples=lambda f, rng, draws, sigma: np.stack([f.edm_loss(
                     0.5 * rng.choice([-1.0, 1.0], (draws, 2)), rng.standard_normal((draws, 2)), np.full(draws, one), nothing)
                     for one in sigma], axis=1), expected=2.0, draws=4000, detects=0.3),
    Rejects("edm_loss", "noise of another shape", given(x0=zeros(2, 3), noise=zeros(2, 2), sigma=[0.5, 1.0], network_fn=nothing),
            blames="noise"),
    Rejects("edm_loss", "a level too few", given(x0=zeros(3, 2), noise=zeros(3, 2), sigma=[0.5, 1.0], network_fn=nothing),
            blames="sigma"),
    Rejects("edm_loss", "a network that loses an entry", given(x0=zeros(2, 2), noise=zeros(2, 2), sigma=[0.5, 1.0],
              network_fn=cut),
            blames="network_fn"),
    # The levels.
    Agree("noise_levels", "regular", given(normals=normal(5))),
    Agree("noise_levels", "another law, two axes", given(normals=normal(2, 3), mean=0.4, std=0.7)),
    Anchor("noise_levels", "median and one deviation", given(normals=[0.0, 1.0, -1.0]),
           gives=[0.30119421191220214, 1.0, 0.09071795328941251], source="e^-1.2, 1 and e^-2.4",
           near_misses={"the logarithm": [-1.2, 0.0, -2.4], "the deviation as a variance": [
               0.30119421191220214, 0.9005852116190186, 0.10073139]}),
    Rejects("noise_levels", "a deviation of 0", given(normals=zeros(3), std=0.0), blames="std"),
)  # fmt: skip
