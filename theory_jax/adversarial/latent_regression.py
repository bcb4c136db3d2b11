"""Inversion by latent regression (lecture 11): a network that guesses the code from the image, and its estimand.

z is the code, x the generator's image of it, and q(z|x) the network's guess.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from theory_jax.arguments import require, require_at_least, require_rank, require_same_shape, require_shape
from theory_jax.foundations.maximum_likelihood import categorical_negative_log_likelihood


def latent_regression_loss(z, z_predicted):
    r"""sum_l (z_l - z_predicted_l)^2: the squared error of the guessed code.

    Raises ValueError if the shapes differ.  Source: Zhu et al. 2016, section 3.1; Xia et al. 2022, section 3.
    [B, L], [B, L] -> [B]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, z_predicted=z_predicted)
    return jnp.sum((z - z_predicted) ** 2, axis=1)


def gaussian_information_bound(z, mean, log_var):
    r"""log N(z; mean, e^log_var) + H(z) for codes with the prior N(0, I), diagonal, in nats.

    1/2 sum_l [ 1 - log_var_l - (z_l - mean_l)^2 e^-log_var_l ], since H(z) = (L/2) log(2 pi e). Its mean is at most I(z; x).

    Raises ValueError if the shapes differ.  Source: Barber & Agakov 2003; Chen et al. 2016, eq. 4.
    [B, L], [B, L], [B, L] -> [B]
    """
    require_rank(2, z=z)
    require_same_shape(z=z, mean=mean, log_var=log_var)
    return jnp.sum(1 - log_var - (z - mean) ** 2 * jnp.exp(-log_var), axis=1) / 2


def categorical_information_bound(labels, logits):
    r"""log softmax(logits)_label + log K for K equally likely labels, in nats. Its mean is at most I(label; x).

    Raises ValueError if the batch sizes differ, a label of labels is outside 0..K-1, or K = 0.
    Source: Chen et al. 2016, eq. 4.
    [B], [B, K] -> [B]
    """
    require_rank(2, logits=logits)
    count = logits.shape[1]
    require(count > 0, f"logits has shape {list(logits.shape)}; it must have a column for at least one label")
    return math.log(count) - categorical_negative_log_likelihood(labels, logits)


def linear_generator_inverse(x, weight, bias, *, ridge=0.0):
    r"""argmin_z |x - bias - W z|^2 + ridge |z|^2, the code of the linear generator W z + bias.

    (W^T W + ridge I)^-1 W^T (x - bias): the most likely code where ridge is the variance of the noise and the prior is N(0, I).

    Raises ValueError if the shapes of x, weight and bias do not fit, ridge is negative, or ridge is 0 and weight does not have
    rank L.  Source: Hastie, Tibshirani & Friedman 2009, eq. 3.44.
    [B, D], [D, L], [D] -> [B, L]
    """
    require_rank(2, x=x, weight=weight)
    size, codes = weight.shape
    require(x.shape[1] == size, f"x has rows of {x.shape[1]}; they must have {size} entries, as weight has rows")
    require_shape((size,), bias=bias)
    require_at_least(0, ridge=ridge)
    if ridge == 0 and not isinstance(weight, jax.core.Tracer):
        require(
            np.linalg.matrix_rank(weight) == codes,
            f"weight has shape {[size, codes]} and a lower rank than {codes}; where ridge is 0 it must have that rank",
        )
    system = weight.T @ weight + ridge * jnp.eye(codes, dtype=weight.dtype)
    return jnp.linalg.solve(system, weight.T @ (x - bias).T).T
