"""The objective of the experiment foundations/f_divergence, by functions with contracts."""

from practice_torch.experiments.foundations.f_divergence import ROWS
from practice_torch.foundations.f_divergence import f_divergence
from practice_torch.latent.vae import gaussian_log_likelihood
from tests.support.objectives import Objective


def divergences(e, batch, phase):
    """The sum of log (D_f - its least) of every row, of the Gaussians and the density on the cells."""
    log_p, cells, total = e.log_probs[None], e.cells[:, None], 0.0
    for k, (divergence, alpha) in enumerate(ROWS):
        log_q = gaussian_log_likelihood(cells, e.mean[k].expand_as(cells), 2 * e.log_std[k].expand_as(cells))
        row = f_divergence(log_p, log_q.log_softmax(0)[None], divergence=divergence, alpha=alpha)
        at_one = f_divergence(log_p, log_p, divergence=divergence, alpha=alpha)
        total = total + (row - at_one).log().sum()
    return total


OBJECTIVE = Objective(divergences)
