"""The objective of the experiment foundations/variational_divergence, by functions with contracts."""

from practice_torch.foundations.variational_divergence import donsker_varadhan_bound, variational_lower_bound
from practice_torch.latent.reparameterization import reparameterize
from tests.support.objectives import Objective, normal


def bound_of_critic(e, batch, phase):
    size = e.recipe.batch_size, e.recipe.dimension
    noise = normal(e, 2, *size)
    points = reparameterize(noise[0], e.mean.expand(size), e.log_var.expand(size)), noise[1]
    critic_p, critic_q = (e.critic(x)[:, 0] for x in points)
    if e.recipe.bound == "nwj":
        return -variational_lower_bound(critic_p, critic_q, divergence="kl")
    if e.recipe.normalizer_decay == 0:
        return -donsker_varadhan_bound(critic_p, critic_q)
    # the gradient of log E e^T, divided by the mean of e^T as it is followed over the batches
    kept = e.recipe.normalizer_decay
    followed = kept * e.log_normalizer.exp() + (1 - kept) * critic_q.exp().mean()
    return critic_q.exp().mean() / followed.detach() - critic_p.mean()


OBJECTIVE = Objective(
    bound_of_critic, unread={"evaluation_draws"}, together=[dict(bound="donsker_varadhan", normalizer_decay=0.0)], surrogate=True
)
