"""Wrong forms of transport and its critic that the rows must refuse, and other right forms that they must accept."""

import torch

from practice_torch.adversarial import wasserstein_gan as right
from tests.support.mistakes import Mistake


def _on_a_line(x, y, *, order=1, one_side=False, root=True, mean=True):
    right.wasserstein_distance_1d(x, y, order=order)  # for its checks
    powers = (x.sort().values - (y if one_side else y.sort().values)).abs() ** order
    total = powers.mean() if mean else powers.sum()
    return total ** (1 / order) if root else total


def _transposed_sinkhorn(log_weights_a, log_weights_b, cost, *, epsilon, iterations, rows_last=False, in_logs=True):
    """Columns first, so that the rows are exact at the end; or with products of probabilities, which underflow."""
    right.sinkhorn(log_weights_a, log_weights_b, cost, epsilon=epsilon, iterations=iterations)  # for its checks
    kernel, f, g = -cost / epsilon, torch.zeros_like(cost[:, 0]), torch.zeros_like(cost[0])
    for _ in range(iterations):
        if rows_last:
            g = log_weights_b - (kernel + f[:, None]).logsumexp(0)
        f = log_weights_a - ((kernel + g).logsumexp(1) if in_logs else (kernel.exp() @ g.exp()).log())
        if not rows_last:
            g = log_weights_b - ((kernel + f[:, None]).logsumexp(0) if in_logs else (kernel.exp().T @ f.exp()).log())
    log_plan = f[:, None] + g + kernel
    return log_plan, (log_plan.exp() * cost).sum()


def _sinkhorn(change):
    def wrong(log_weights_a, log_weights_b, cost, **how):
        return change(log_weights_a, log_weights_b, cost, **how)

    return wrong


def _entropic_cost(a, b, cost, *, epsilon, iterations):
    log_plan, total = right.sinkhorn(a, b, cost, epsilon=epsilon, iterations=iterations)
    return log_plan, total + epsilon * (log_plan.exp() * log_plan).sum()


def _detached(a, b, cost, **how):
    log_plan, _ = right.sinkhorn(a, b, cost, **how)
    return log_plan, (log_plan.exp().detach() * cost).sum()


MISTAKES = (
    Mistake("wasserstein_distance_1d", "only one side sorted", lambda x, y, *, order=1: _on_a_line(
        x, y, order=order, one_side=True)),
    Mistake("wasserstein_distance_1d", "the root of the order missing", lambda x, y, *, order=1: _on_a_line(
        x, y, order=order, root=False)),
    Mistake("wasserstein_distance_1d", "sum for mean", lambda x, y, *, order=1: _on_a_line(x, y, order=order, mean=False)),
    Mistake("wasserstein_distance_1d", "powers that overflow", lambda x, y, *, order=1: _on_a_line(x, y, order=order)),
    Mistake("wasserstein_distance_1d", "the order ignored", lambda x, y, *, order=1: right.wasserstein_distance_1d(x, y)),
    Mistake("wasserstein_distance_1d", "the difference of the means", lambda x, y, *, order=1: (x.mean() - y.mean()).abs()),
    Mistake("cost_matrix", "the power of the square", lambda x, y, *, power=1.0: right.cost_matrix(x, y, power=2 * power)),
    Mistake("cost_matrix", "the power ignored", lambda x, y, *, power=1.0: right.cost_matrix(x, y)),
    Mistake("cost_matrix", "absolute values", lambda x, y, *, power=1.0: torch.cdist(x, y, p=1) ** power),
    Mistake("cost_matrix", "an infinite slope at coincident points", lambda x, y, *, power=1.0: (
        x[:, None] - y).square().sum(-1) ** (power / 2)),
    Mistake("cost_matrix", "from inner products", lambda x, y, *, power=1.0: (
        x.square().sum(1)[:, None] - 2 * x @ y.T + y.square().sum(1)).clamp(min=1e-30) ** (power / 2)),
    Mistake("cost_matrix", "epsilon under the root", lambda x, y, *, power=1.0: (
        (x[:, None] - y).square().sum(-1) + 1e-8) ** (power / 2)),
    Mistake("c_transform", "maximum", lambda potential, cost: (cost - potential).amax(1)),
    Mistake("c_transform", "plus the potential", lambda potential, cost: right.c_transform(-potential, cost)),
    Mistake("c_transform", "soft", lambda potential, cost: -torch.logsumexp(potential - cost, 1)),
    Mistake("dual_objective", "sign", lambda log_probs_p, log_probs_q, potential: right.dual_objective(
        log_probs_q, log_probs_p, potential)),
    Mistake("dual_objective", "mean over points", lambda log_probs_p, log_probs_q, potential: right.dual_objective(
        log_probs_p, log_probs_q, potential) / potential.shape[1]),
    Mistake("dual_objective", "logarithms for probabilities", lambda log_probs_p, log_probs_q, potential: (
        (log_probs_p - log_probs_q) * potential).sum(1)),
    Mistake("dual_objective", "rows off the simplex pass", lambda log_probs_p, log_probs_q, potential: right.dual_objective(
        log_probs_p.log_softmax(1), log_probs_q.log_softmax(1), potential), only_checks=True),
    Mistake("lipschitz_constant", "the largest difference", lambda potential, cost: (
        potential[:, None] - potential).abs().amax()),
    Mistake("lipschitz_constant", "only upward", lambda potential, cost: (
        (potential[:, None] - potential) / cost.masked_fill(torch.eye(len(cost), dtype=bool), 1.0)).triu().amax()),
    Mistake("lipschitz_constant", "0/0 on the diagonal", lambda potential, cost: (
        (potential[:, None] - potential).abs() / cost).nan_to_num(0.0).amax()),
    Mistake("sinkhorn", "products of probabilities", _sinkhorn(lambda *given, **how: _transposed_sinkhorn(
        *given, **how, in_logs=False))),
    Mistake("sinkhorn", "the rows exact, not the columns", _sinkhorn(lambda *given, **how: _transposed_sinkhorn(
        *given, **how, rows_last=True))),
    Mistake("sinkhorn", "epsilon multiplies", _sinkhorn(lambda a, b, c, *, epsilon, iterations: right.sinkhorn(
        a, b, c * epsilon, epsilon=1.0, iterations=iterations))),
    Mistake("sinkhorn", "the entropy added to the cost", _sinkhorn(_entropic_cost)),
    Mistake("sinkhorn", "no gradient through the plan", _sinkhorn(_detached)),
    Mistake("sinkhorn", "the plan, not its logarithm", _sinkhorn(lambda *given, **how: tuple(
        part.exp() if part.ndim else part for part in right.sinkhorn(*given, **how)))),
    Mistake("sinkhorn", "one iteration more", _sinkhorn(lambda *given, epsilon, iterations: right.sinkhorn(
        *given, epsilon=epsilon, iterations=iterations + 1))),
    Mistake("critic_loss", "sign", lambda scores_real, scores_fake: right.critic_loss(scores_fake, scores_real)),
    Mistake("critic_loss", "averaged over the batch", lambda scores_real, scores_fake: scores_fake.mean() - scores_real.mean()),
    Mistake("critic_loss", "sigmoids", lambda scores_real, scores_fake: right.critic_loss(
        scores_real.sigmoid(), scores_fake.sigmoid())),
    Mistake("generator_loss", "sign", lambda scores_fake: -right.generator_loss(scores_fake)),
    Mistake("generator_loss", "averaged over the batch", lambda scores_fake: -scores_fake.mean()),
    Mistake("generator_loss", "the loss on logits", lambda scores_fake: -scores_fake.sigmoid().log()),
)  # fmt: skip


def _weighted_rows(log_probs_p, log_probs_q, potential):
    right.dual_objective(log_probs_p, log_probs_q, potential)  # for its checks
    return (log_probs_p.exp() * potential).sum(1) - (log_probs_q.exp() * potential).sum(1)


def _by_soft_minima(log_weights_a, log_weights_b, cost, *, epsilon, iterations):
    """The potentials in units of the cost, as optimal transport libraries keep them."""
    right.sinkhorn(log_weights_a, log_weights_b, cost, epsilon=epsilon, iterations=iterations)  # for its checks
    g = torch.zeros_like(cost[0])
    for _ in range(iterations):
        f = epsilon * (log_weights_a - torch.logsumexp((g - cost) / epsilon, 1))
        g = epsilon * (log_weights_b - torch.logsumexp((f[:, None] - cost) / epsilon, 0))
    log_plan = (f[:, None] + g - cost) / epsilon
    return log_plan, (log_plan.exp() * cost).sum()


def _by_two_minima(potential, cost):
    right.c_transform(potential, cost)  # for its checks
    return -torch.max(potential - cost, dim=1).values


EQUIVALENT = (
    Mistake("dual_objective", "two expectations", _weighted_rows),
    Mistake("sinkhorn", "potentials in units of the cost", _by_soft_minima),
    Mistake("c_transform", "minus a maximum", _by_two_minima),
)
