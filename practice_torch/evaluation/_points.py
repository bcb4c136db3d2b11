"""Sets of points: their Euclidean distances, their nearest neighbors, how many lie in which ball, and their shapes.

Distances are differences, squared and summed: from |q|^2 - 2 q.r + |r|^2, which is one matrix product and many times faster, a
copy is not at distance 0, and far from the origin no digit is left. Where only an order or a comparison is requested, the
products decide what they can for certain, and what is too near to call is computed by differences: the answer is the same.
"""

import torch

from practice_torch.arguments import require, require_rank, values_are_free
from practice_torch.mathematics.pairs import distances

BLOCK = 2**22  # distances that are held at once: then the passes over them stay near the processor
FEW = 2**22  # products of coordinates; below, differences of all pairs take no longer
SPARE = 8  # candidates beyond those that are requested


def nearest(queries, references, count):
    """The `count` smallest distances of each query, in ascending order, and their indices: [Q, count] twice.

    Of equally near references the first come first.
    """
    products = None if len(references) <= 2 * (count + SPARE) else by_products(queries, references)
    parts = [nearest_of_block(some, references, count, products) for some in blocks_of(queries, references)]
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


@torch.no_grad()
def in_some_ball(queries, references, radii):
    """Whether each query is within radii[m] of some reference m: [Q]"""
    products = by_products(queries, references, radii)
    return torch.cat([block_in_some_ball(some, references, radii, products) for some in blocks_of(queries, references)])


@torch.no_grad()
def balls_around(queries, references, radii):
    """Number of balls with these radii that contain each query: [Q]"""
    products = by_products(queries, references, radii)
    return torch.cat([balls_around_block(some, references, radii, products) for some in blocks_of(queries, references)])


# ---------------------------------------------------------------------------------------------------- of one block


def blocks_of(queries, references):
    return queries.split(max(64, BLOCK // max(1, len(references))))


def nearest_of_block(queries, references, count, products):
    if products is None:
        return nearest_of_all(queries, references, count)
    with torch.no_grad():
        squares, of_q, slack = products(queries)
        found, candidates = squares.topk(count + SPARE, largest=False)
        candidates, beyond = candidates.sort(1).values, found[:, -1] + of_q - slack
    apart, order = distances(queries[:, None], references[candidates])[:, 0].sort(dim=1, stable=True)
    apart, indices = apart[:, :count], candidates.gather(1, order[:, :count])
    # for certain, all but the candidates are farther; of NaN nothing is certain
    unsure = (~(beyond > apart[:, -1].detach().square())).nonzero()[:, 0]
    if len(unsure) == 0:
        return apart, indices
    again = nearest_of_all(queries[unsure], references, count)
    return apart.index_copy(0, unsure, again[0]), indices.index_copy(0, unsure, again[1])


def nearest_of_all(queries, references, count):
    across = distances(queries, references)
    if count == 1:
        return across.min(1, keepdim=True)  # torch's is the first
    return tuple(part[:, :count] for part in across.sort(dim=1, stable=True))


def block_in_some_ball(queries, references, radii, products):
    if products is None:
        return (distances(queries, references) <= radii).any(1)
    excess, of_q, slack = products(queries)
    least = excess.amin(1) + of_q
    inside, unsure = least < 0, (~(least.abs() > slack)).nonzero()[:, 0]
    inside[unsure] = (distances(queries[unsure], references) <= radii).any(1)
    return inside


def balls_around_block(queries, references, radii, products):
    if products is None:
        return (distances(queries, references) <= radii).sum(1)
    excess, of_q, slack = products(queries)
    certain, possible = excess < -(of_q + slack)[:, None], ~(excess > (slack - of_q)[:, None])
    count = certain.sum(1)
    rows, columns = (possible ^ certain).nonzero(as_tuple=True)
    for row, column in zip(rows.split(BLOCK // 64), columns.split(BLOCK // 64), strict=True):
        apart = distances(queries[row, None], references[column, None])[:, 0, 0]
        count.index_add_(0, row, (apart <= radii[column]).long())
    return count


@torch.no_grad()
def by_products(queries, references, radii=None):
    """A function of some queries: |q - r|^2 - |q|^2, less the squared radius of r, by products, [Q, M]; |q|^2; and how far off
    their sum may be, [Q]. None where all pairs are to be compared by differences: if they are few, or traced.

    Points are taken relative to the references' mean. An inner product of D numbers is off by at most D roundoffs of the product
    of the lengths, so a square by at most 2 (D + 8) of |q|^2 + |r|^2, and one of differences by no more. Radii add nothing to it:
    a ball with an edge nearby has a squared radius of at most 2 (|q|^2 + |r|^2), and its roundings are among those 8.
    """
    if queries.numel() * len(references) <= FEW or not (values_are_free(queries) and values_are_free(references)):
        return None
    center = references.mean(0)
    r = references - center
    subtracted = r.square().sum(1)
    largest = subtracted.max()
    if radii is not None:
        farthest = (queries - center).square().sum(1).max().sqrt() + largest.sqrt()
        subtracted = subtracted - radii.clamp(max=2 * farthest).square()  # a larger ball holds all queries, too
    roundoff = torch.finfo(r.dtype).eps / 2

    def products(some):
        q = some - center
        of_q = q.square().sum(1)
        return torch.addmm(subtracted, q, r.mT, alpha=-2), of_q, 4 * (q.shape[1] + 8) * roundoff * (of_q + largest)

    return products


def require_points(fewest, **sets):
    """All sets are points of as many coordinates as the first one's; each but the first has at least `fewest`."""
    require_rank(2, **sets)
    (first, reference), *others = sets.items()
    for name, points in others:
        size = reference.shape[1]
        require(points.shape[1] == size, f"{name} has shape {list(points.shape)}; its points must have {size} entries as {first}")
        require(len(points) >= fewest, f"{name} has {len(points)} points; it must have at least {fewest}")
