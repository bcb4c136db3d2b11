"""Contracts of the latents of a first stage, and of their scale (lecture 36)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, concatenate, given, normal, scalar, uniform, zeros

MOMENTS, NOISE, LATENT, CODES = normal(3, 4, 5), normal(3, 2, 5), normal(3, 2, 5), normal(7, 2)
# log-variances below, between and above clamps of -1 and 1
IMAGES = concatenate(
    normal(2, 3, 3, 4),
    uniform(2, 1, 3, 4, low=-3.0, high=-1.5),
    uniform(2, 1, 3, 4, low=-0.9, high=0.9),
    uniform(2, 1, 3, 4, low=1.5, high=3.0),
    axis=1,
)
CLAMPS = {"log_var_min": -1.0, "log_var_max": 1.0}
SQUARE = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
FAR = [[0.5, -2.0, 100.0, -100.0]]
STOPPED = "it is stopped on purpose, so no difference of values shows it; laws hold it"
E = np.e


SPEC = (
    # The first stage's law.
    Agree("sample_latent", "regular", given(moments=MOMENTS, noise=NOISE)),
    Agree("sample_latent", "images, clamped", given(moments=IMAGES, noise=normal(2, 3, 3, 4), **CLAMPS)),
    Anchor("sample_latent", "means before log-variances", given(moments=[[1.0, 2.0, 2 * LOG_2, 0.0]], noise=[[3.0, -1.0]]),
           gives=[[7.0, 1.0]], source="1 + 2 * 3 and 2 - 1",
           near_misses={"the halves exchanged": [[2 * LOG_2 + 3 * E**0.5, -E]], "in turns": [[1 + 3 * E, 2 * LOG_2 - 1.0]],
                        "the variance": [[13.0, 1.0]], "the log-variance itself": [[1 + 6 * LOG_2, 2.0]]}),
    Anchor("sample_latent", "clamped at 20 and -30", given(moments=FAR, noise=[[1.0, 1.0]]),
           gives=[[0.5 + E**10, -2.0 + E**-15]], source="0.5 + e^10 and -2 + e^-15",
           near_misses={"clamped at 10": [[0.5 + E**5, -2.0 + E**-15]], "as a deviation": [[0.5 + E**20, -2.0 + E**-30]]}),
    Law.equal("no slope beyond the clamps", given(moments=FAR, noise=[[1.0, -1.0]]),
              left=lambda f, m, n: 1 + f.gradient("sample_latent", m, n, wrt=0)[:, 2:], right=1.0),
    Rejects("sample_latent", "an odd number of channels", given(moments=zeros(2, 3, 4), noise=zeros(2, 1, 4)), blames="moments"),
    Rejects("sample_latent", "noise for all channels", given(moments=zeros(2, 4, 5), noise=zeros(2, 4, 5)), blames="noise"),
    Rejects("sample_latent", "clamps exchanged", given(moments=zeros(2, 4), noise=zeros(2, 2), log_var_min=2.0, log_var_max=-2.0),
            blames="log_var_min"),
    Agree("latent_kl", "regular", given(moments=MOMENTS)),
    Agree("latent_kl", "images, clamped", given(moments=IMAGES, **CLAMPS)),
    Anchor("latent_kl", "mean 1, and log-variance 1", given(moments=[[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]]]),
           gives=[0.5 + (E - 2) / 2, 0.5], source="1/2 and (e - 2)/2",
           near_misses={"the halves exchanged": [0.5 + (E - 2) / 2, (E - 2) / 2], "the mean": [0.25 + (E - 2) / 4, 0.25],
                        "not halved": [E - 1, 1.0]}),
    Anchor("latent_kl", "clamped at 20 and -30", given(moments=FAR),
           gives=[(0.25 + E**20 - 21 + 4 + E**-30 + 29) / 2], source="by hand",
           near_misses={"clamped at 10": [(0.25 + E**10 - 11 + 4 + E**-30 + 29) / 2]}),
    Law.equal("the rate has no slope beyond them either", given(moments=FAR),
              left=lambda f, m: f.gradient("latent_kl", m, wrt=0), right=lambda f, m: m * np.array([1.0, 1.0, 0.0, 0.0])),
    Law.at_least("not negative, and zero at the prior", given(moments=MOMENTS),
                 left=lambda f, m: f.latent_kl(m) - f.latent_kl(0 * m), right=0.0),
    Rejects("latent_kl", "an odd number of channels", given(moments=zeros(2, 3, 4)), blames="moments"),
    Rejects("latent_kl", "one axis", given(moments=zeros(4)), blames="moments"),
    Rejects("latent_kl", "clamps exchanged", given(moments=zeros(2, 4), log_var_min=2.0, log_var_max=-2.0), blames="log_var_min"),
    # Codes.
    Agree("quantize_latent", "regular", given(latent=LATENT, codebook=CODES), no_gradient=STOPPED, frozen=("latent", "codebook")),
    Agree("quantize_latent", "rows", given(latent=normal(4, 2), codebook=CODES), no_gradient=STOPPED,
          frozen=("latent", "codebook")),
    Anchor("quantize_latent", "channels are the second axis", given(latent=[[[1.0, 1.9], [0.0, 2.2]]], codebook=SQUARE),
           gives=([[[0.0, 2.0], [0.0, 2.0]]], np.array([[0, 2]])), source="by hand; (1, 0) is between two codes",
           frozen=("latent", "codebook"),
           near_misses={"channels last": ([[[2.0, 2.0], [0.0, 2.0]]], np.array([[2, 3]])),
                        "the last of several": ([[[2.0, 2.0], [0.0, 2.0]]], np.array([[1, 2]])),
                        "the farthest": ([[[0.0, 0.0], [2.0, 0.0]]], np.array([[3, 0]]))}),
    Law.equal("the value is a code's, the nearest", given(latent=LATENT, codebook=CODES),
              left=lambda f, z, e: (lambda q, k: np.stack([q, np.moveaxis(e[k], -1, 1)]))(*f.quantize_latent(z, e)),
              right=lambda f, z, e: np.moveaxis(e[((z[:, None] - e[:, :, None]) ** 2).sum(2).argmin(1)], -1, 1),
              frozen=("latent", "codebook")),
    Law.equal("gradients pass the quantizer", given(latent=LATENT, codebook=CODES),
              left=lambda f, z, e: f.gradient("quantize_latent", z, e, wrt=0), right=1.0),
    Law.equal("and none moves the codes", given(latent=LATENT, codebook=CODES),
              left=lambda f, z, e: f.gradient("quantize_latent", z, e, wrt=1), right=0.0),
    Rejects("quantize_latent", "codes of another length", given(latent=zeros(3, 2, 5), codebook=zeros(7, 5)), blames="codebook"),
    Rejects("quantize_latent", "no code", given(latent=zeros(3, 2, 5), codebook=zeros(0, 2)), blames="codebook"),
    Rejects("quantize_latent", "one axis", given(latent=zeros(3), codebook=zeros(7, 3)), blames="latent"),
    # The scale.
    Agree("scaling_factor", "regular", given(latents=LATENT), smallest_batch=1),
    Agree("scaling_factor", "far from zero", given(latents=normal(3, 2, 5, mean=50.0, scale=5.0)), smallest_batch=1),
    Anchor("scaling_factor", "four numbers", given(latents=[[1.0, 3.0], [5.0, 7.0]]), gives=0.2**0.5, source="a variance of 5",
           near_misses={"the deviation": 5**0.5, "one fewer": 0.15**0.5, "of the variance": 0.2, "about zero": 21**-0.5,
                        "of an example's entries": 1.0, "of a channel's": 0.5}),
    Law.equal("normalized latents have deviation one", given(latents=LATENT),
              left=lambda f, z: f.normalize_latent(z, scale=float(f.scaling_factor(z))).std(), right=1.0),
    Law.equal("a unit of the latents divides it", given(latents=LATENT),
              left=lambda f, z: f.scaling_factor(3 * z - 2) * 3, right=lambda f, z: f.scaling_factor(z)),
    Rejects("scaling_factor", "all entries equal", given(latents=np.full((2, 3), 0.1)), blames="latents"),
    Rejects("scaling_factor", "no entry", given(latents=zeros(0, 3)), blames="latents"),
    *(
        row
        for function in ("normalize_latent", "denormalize_latent")
        for row in (
            Agree(function, "regular", given(latent=LATENT, scale=0.18215)),
            Agree(function, "shifted, no axes", given(latent=scalar(-1.5), scale=2.5, shift=0.75)),
            Rejects(function, "scale 0", given(latent=zeros(2, 3), scale=0.0), blames="scale"),
            Rejects(function, "a negative scale", given(latent=zeros(2, 3), scale=-1.0), blames="scale"),
        )
    ),
    Anchor("normalize_latent", "scale 2, shift 1", given(latent=[5.0, -1.0], scale=2.0, shift=1.0), gives=[8.0, -4.0],
           source="2 (5 - 1)", near_misses={"scaled before the "
           "shift": [9.0, -3.0], "divided": [2.0, -1.0], "no shift": [10.0, -2.0]}),
    Anchor("denormalize_latent", "scale 2, shift 1", given(latent=[8.0, -4.0], scale=2.0, shift=1.0), gives=[5.0, -1.0],
           source="8/2 + 1", near_misses={"shifted before": [4.5, -1.5], "multiplied": [17.0, -7.0], "no shift": [4.0, -2.0]}),
    Law.inverse("there and back", given(latent=LATENT),
                round_trip=lambda f, z: f.denormalize_latent(f.normalize_latent(z, scale=0.3, shift=0.8), scale=0.3, shift=0.8),
                start=lambda f, z: z),
)  # fmt: skip
