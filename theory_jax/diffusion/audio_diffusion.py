"""Diffusion of waveforms for vocoders: noise by its level, not by its step, and DiffWave's blocks with a spectrogram.

A level is sqrt(a), the weight of the data: 1 for the data themselves. The log-mel spectrogram is that of
theory_jax/evaluation/frechet_audio_distance.py.
"""

import math

import jax
import jax.numpy as jnp

from theory_jax.arguments import (
    require,
    require_at_least,
    require_one_each,
    require_rank,
    require_same_shape,
    require_shape,
    require_timesteps,
    require_unit_interval,
    widened,
)
from theory_jax.mathematics.levels import level_at, per_example


def sample_noise_level(u, t, alpha_bar):
    r"""sqrt(a_t) + u (sqrt(a_(t-1)) - sqrt(a_t)): uniform between the levels t and t-1 if u is uniform on [0, 1].

    Raises ValueError if u is outside [0, 1] or not one for each t, t is not an integer in 1..T, or alpha_bar is no schedule.
    Source: Chen et al. 2021 (WaveGrad), algorithm 1.
    [B], [B], [T+1] -> [B]
    """
    require_rank(1, u=u)
    require_timesteps(alpha_bar, u, t=t)
    require_unit_interval(u=u)
    t = widened(t)
    below, above = (jnp.sqrt(level_at(step, alpha_bar)) for step in (t, t - 1))
    return (below + u * (above - below)).astype(u.dtype)


def noise_at_level(x0, noise, level):
    r"""x_l = l x_0 + sqrt(1 - l^2) noise.

    Raises ValueError if the shapes of x0 and noise differ, or level is not one number in [0, 1] for each example.
    Source: Chen et al. 2021 (WaveGrad), section 2.
    [B, ...], [B, ...], [B] -> [B, ...]
    """
    require_same_shape(x0=x0, noise=noise)
    require_one_each(x0, level=level)
    require_unit_interval(level=level)
    return per_example(level, x0) * x0 + per_example(jnp.sqrt(1 - level**2), noise) * noise


def dilated_convolution(x, weight, bias, *, dilation):
    r"""y_t = b + sum_j w_j x_(t + (j - (K-1)/2) d), x = 0 outside: K taps around t, as many before it as after it.

    Raises ValueError if the shapes do not fit, weight has an even number of taps, or dilation is less than 1.
    Source: Kong et al. 2021 (DiffWave), section 3.1.
    [B, I, T], [O, I, K], [O] -> [B, O, T]
    """
    require_rank(3, x=x, weight=weight)
    require_at_least(1, dilation=dilation)
    (_, channels, length), (outputs, inputs, taps) = x.shape, weight.shape
    require(inputs == channels, f"weight has shape {list(weight.shape)}; its second axis must be the {channels} channels of x")
    require(taps % 2 == 1, f"weight has {taps} taps; their number must be odd, so that one of them is in the middle")
    require_shape((outputs,), bias=bias)
    reach = taps // 2 * dilation
    padded = jnp.pad(x, ((0, 0), (0, 0), (reach, reach)))
    shifted = jnp.stack([padded[:, :, j * dilation : j * dilation + length] for j in range(taps)])
    return jnp.einsum("jbit,oij->bot", shifted, weight) + bias[:, None]


def conditioned_residual_block(x, embedding, condition, weight, bias, condition_weight, output_weight, output_bias, *, dilation):
    r"""(x + o_1)/sqrt(2), and the skip o_2, with (o_1, o_2) = W_o tanh(g_1) sigmoid(g_2) + b_o.

    (g_1, g_2) = W * (x + embedding) + b + W_c condition, with a dilated convolution. Index 1 is the first half of the channels.

    Raises ValueError if the shapes do not fit, weight has an even number of taps, or dilation is less than 1.
    Source: Kong et al. 2021 (DiffWave), figure 2a and section 3.
    [B, C, T], [B, C], [B, M, T], [C+C, C, K], [C+C], [C+C, M], [C+C, C], [C+C] -> [B, C, T], [B, C, T]
    """
    require_rank(3, x=x, condition=condition, weight=weight)
    batch, channels, length = x.shape
    require_shape((batch, channels), embedding=embedding)
    bands = condition.shape[1]
    require_shape((batch, bands, length), condition=condition)
    require_shape((2 * channels, channels, weight.shape[2]), weight=weight)
    require_shape((2 * channels,), bias=bias, output_bias=output_bias)
    require_shape((2 * channels, bands), condition_weight=condition_weight)
    require_shape((2 * channels, channels), output_weight=output_weight)
    gates = dilated_convolution(x + embedding[:, :, None], weight, bias, dilation=dilation)
    gates = gates + jnp.einsum("om,bmt->bot", condition_weight, condition)
    z = jnp.tanh(gates[:, :channels]) * jax.nn.sigmoid(gates[:, channels:])
    out = jnp.einsum("oc,bct->bot", output_weight, z) + output_bias[:, None]
    return (x + out[:, :channels]) / math.sqrt(2), out[:, channels:]
