"""Levels of diffusion: look one up, and broadcast it to the batch; and a batch as rows. Practice wing."""

from practice_torch.arguments import as_int64


def level_at(t, alpha_bar):
    """a_t of every example, [B], in the schedule's dtype. a_0 = 1 is a constant: 1 - a_0 = 0 has a root and a logarithm without
    slope, and gets none."""
    t = as_int64(t)
    return alpha_bar[t].where(t > 0, 1.0)


def beta_at(t, alpha_bar):
    """beta_t = 1 - a_t/a_(t-1) of every example, [B], as one exact difference: 1 less a rounded ratio loses the small betas."""
    before = level_at(as_int64(t) - 1, alpha_bar)
    return (before - level_at(t, alpha_bar)) / before


def per_example(coefficient, x):
    """A coefficient of every example, [B], with the dtype of x and its number of axes: it meets the batch, not the last axis."""
    return coefficient.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))


def as_rows(x):
    """[B, ...] as [B, D], a row for every example; D is known from the other axes where B is 0."""
    return x.unsqueeze(-1).flatten(1)
