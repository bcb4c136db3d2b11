"""Domain-adversarial networks (lecture 13): features that do not distinguish a labeled from an unlabeled domain.

Examples of the source domain have labels, those of the target domain have none. `domain` is 1 for the source and 0 for the
target.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.nn import softplus

from theory_jax.arguments import (
    require,
    require_at_least,
    require_integers,
    require_one_each,
    require_rank,
    require_same_shape,
    require_unit_interval,
    require_values,
    widened,
)
from theory_jax.foundations.maximum_likelihood import categorical_negative_log_likelihood


def gradient_reversal(x, *, scale):
    r"""The identity, with a gradient of -scale times the incoming one.

    Raises ValueError if x has no axis or scale is negative.  Source: Ganin et al. 2016, section 4.2.
    [B, ...] -> [B, ...]
    """
    require(jnp.ndim(x) >= 1, "x has no axis; it must have at least that of the batch")
    require_at_least(0, scale=scale)
    return _reversal(x, scale)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _reversal(x, scale):
    return x


_reversal.defvjp(lambda x, scale: (x, None), lambda scale, _, gradient: (-scale * gradient,))


def domain_loss(logits, domain):
    r"""-log sigma(l) of a source example, -log sigma(-l) of a target example, in nats; l are the logits of "source".

    Raises ValueError if the shapes differ, or domain holds anything but the integers 1 (source) and 0 (target).
    Source: Ganin et al. 2016, eq. 6.
    [B], [B] -> [B]
    """
    require_rank(1, logits=logits)
    require_same_shape(logits=logits, domain=domain)
    require_integers(domain=domain)
    require_values("domain", domain, lambda d: (d == 0) | (d == 1), "1 (source) or 0 (target)")
    return softplus((1 - 2 * widened(domain)) * logits)


def domain_adversarial_objective(label_logits, labels, labeled, domain_logits, domain, *, weight):
    r"""-log softmax(label_logits)_label where `labeled` is True, minus weight times the domain loss, in nats.

    It is the saddle point's objective: features lower it, the domain classifier raises it. The label of an example that is not
    labeled changes nothing, but must be one of 0..K-1.

    Raises ValueError if the batch sizes differ, a label of labels is outside 0..K-1, labeled does not hold truth values, domain
    holds anything but 1 (source) and 0 (target), or weight is negative.  Source: Ganin et al. 2016, eq. 9.
    [B, K], [B], [B], [B], [B] -> [B]
    """
    require_rank(2, label_logits=label_logits)
    require_one_each(label_logits, labels=labels, labeled=labeled, domain_logits=domain_logits, domain=domain)
    dtype = jnp.result_type(labeled)
    require(jnp.issubdtype(dtype, jnp.bool_), f"labeled has dtype {dtype}; it must hold truth values")
    require_at_least(0, weight=weight)
    # masked before the softmax: the gradient of a target example is 0, not 0 times infinity
    heard = jnp.where(labeled[:, None], label_logits, 0.0)
    label_loss = jnp.where(labeled, categorical_negative_log_likelihood(labels, heard), 0.0)
    return label_loss - weight * domain_loss(domain_logits, domain)


def adaptation_schedule(progress, *, gamma=10.0):
    r"""2 / (1 + e^(-gamma progress)) - 1 = tanh(gamma progress / 2): the weight of the domain loss, from 0 to almost 1.

    Raises ValueError if an entry of progress is outside [0, 1] or gamma is negative.  Source: Ganin et al. 2016, section 5.2.2.
    [N] -> [N]
    """
    require_rank(1, progress=progress)
    require_unit_interval(progress=progress)
    require_at_least(0, gamma=gamma)
    return jnp.tanh(gamma / 2 * progress)


def proxy_a_distance(error):
    r"""2 (1 - 2 error), where error is that of a domain classifier: 0 where it guesses, 2 where it is always right.

    Raises ValueError if an entry of error is outside [0, 1].  Source: Ben-David et al. 2007; Ganin et al. 2016, section 3.2.
    [B] -> [B]
    """
    require_rank(1, error=error)
    require_unit_interval(error=error)
    return 2 * (1 - 2 * error)
