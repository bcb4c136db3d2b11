"""Contracts of Hutchinson's estimator of a divergence."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, uniform, zeros

X, SQUARE = normal(4, 3), normal(4, 3, 3)
IMAGES = normal(2, 1, 3, 2)
SIGNS = 2.0 * np.indices((2, 2, 2)).reshape(3, 8).T - 1
MATRIX = [[[1.0, 2.0], [0.0, 3.0]]]


def mixing(x):
    """Entries that pull at each other; entry (i, j) of the Jacobian is x_i + [i = j] sum_k x_k."""
    return x * x.sum(axis=1, keepdims=True)


def bent(x):
    """Each entry separately, for any shape."""
    return x / (1 + x * x)


def flat(x):
    """Another shape than that of x."""
    return x[:, 0]


def _jacobian(x):
    return x[:, :, None] + x.sum(1)[:, None, None] * np.eye(x.shape[1])


def _each_sign(f, x):
    """The estimates from all probes of signs, one at a time, [8, B]."""
    return np.stack([f.hutchinson_divergence(x, np.broadcast_to(sign, (1, *x.shape)).copy(), mixing) for sign in SIGNS])


def _axes(x):
    return np.sqrt(x.shape[1]) * np.repeat(np.eye(x.shape[1])[:, None], len(x), axis=1)


SPEC = (
    # Exact.
    Agree("exact_divergence", "regular", given(x=X, fn=mixing)),
    Agree("exact_divergence", "images", given(x=IMAGES, fn=bent)),
    Agree("exact_divergence", "numbers", given(x=normal(5), fn=bent)),
    Anchor("exact_divergence", "two dimensions, J = (3, 2; -1, 0)", given(x=[[2.0, -1.0]], fn=mixing), gives=[3.0],
           source="by hand", near_misses={"the mean": [1.5], "all entries": [4.0], "without the sum's own slope": [2.0]}),
    Law.equal("the trace of the Jacobian", given(x=X), left=lambda f, x: f.exact_divergence(x, mixing),
              right=lambda f, x: np.trace(_jacobian(x), axis1=1, axis2=2)),
    Rejects("exact_divergence", "no batch", given(x=np.array(1.0), fn=bent), blames="x"),
    Rejects("exact_divergence", "a field of another shape", given(x=zeros(4, 3), fn=flat), blames="fn"),
    # Estimated.
    Agree("hutchinson_divergence", "regular", given(x=X, probes=normal(2, 4, 3), fn=mixing)),
    Agree("hutchinson_divergence", "images, one probe", given(x=IMAGES, probes=normal(1, 2, 1, 3, 2), fn=bent)),
    Anchor("hutchinson_divergence", "two probes, J = (3, 2; -1, 0)",
           given(x=[[2.0, -1.0]], probes=[[[1.0, 1.0]], [[2.0, -1.0]]], fn=mixing), gives=[7.0], source="(4 + 10) / 2",
           near_misses={"the sum": [14.0], "the first": [4.0], "the squared length of J p": [23.0],
                        "the squared length of J^T p": [41.0], "normalized": [3.0]}),
    Law.equal("probes along the axes", given(x=X),
              left=lambda f, x: f.hutchinson_divergence(x, _axes(x), mixing), right=lambda f, x: f.exact_divergence(x, mixing)),
    Law.equal("the mean over all signs", given(x=X),
              left=lambda f, x: _each_sign(f, x).mean(0), right=lambda f, x: f.exact_divergence(x, mixing)),
    Law.equal("the variance over all signs", given(x=X), left=lambda f, x: _each_sign(f, x).var(0),
              right=lambda f, x: f.hutchinson_variance(_jacobian(x), kind="rademacher")),
    Law.equal("every example has its own probes", given(x=X, probes=normal(2, 4, 3)),
              left=lambda f, x, probes: f.hutchinson_divergence(x, probes, mixing),
              right=lambda f, x, probes: np.einsum("pbi,bij,pbj->b", probes, _jacobian(x), probes) / 2),
    Rejects("hutchinson_divergence", "no probe", given(x=zeros(4, 3), probes=zeros(0, 4, 3), fn=mixing), blames="probes"),
    Rejects("hutchinson_divergence", "one probe for all", given(x=zeros(4, 3), probes=zeros(2, 3), fn=mixing), blames="probes"),
    Rejects("hutchinson_divergence", "probes of another batch", given(x=zeros(4, 3), probes=zeros(2, 1, 3), fn=mixing),
            blames="probes"),
    Rejects("hutchinson_divergence", "no batch", given(x=np.array(1.0), probes=zeros(2), fn=bent), blames="x"),
    Rejects("hutchinson_divergence", "a field of another shape", given(x=zeros(4, 3), probes=zeros(2, 4, 3), fn=flat),
            blames="fn"),
    # Probes.
    Agree("rademacher_from_uniforms", "regular", given(u=uniform(4, 3)), no_gradient="a step", frozen=("u",)),
    Anchor("rademacher_from_uniforms", "both ends, and the middle", given(u=[0.0, 0.25, 0.5, 0.75, 1.0]),
           gives=[-1.0, -1.0, 1.0, 1.0, 1.0], source="by hand", frozen=("u",),
           near_misses={"the middle below": [-1.0, -1.0, -1.0, 1.0, 1.0], "turned over": [1.0, 1.0, -1.0, -1.0, -1.0],
                        "0 and 1": [0.0, 0.0, 1.0, 1.0, 1.0], "uniform": [-1.0, -0.5, 0.0, 0.5, 1.0]}),
    Rejects("rademacher_from_uniforms", "normal numbers", given(u=[0.3, -1.2]), blames="u"),
    Rejects("rademacher_from_uniforms", "above 1", given(u=[0.3, 1.5]), blames="u"),
    # Variances.
    Agree("hutchinson_variance", "normal probes", given(jacobian=SQUARE, kind="gaussian")),
    Agree("hutchinson_variance", "signs", given(jacobian=SQUARE, kind="rademacher")),
    *(
        Anchor("hutchinson_variance", kind, given(jacobian=MATRIX, kind=kind), gives=[gives], source="by hand",
               near_misses={"not symmetrized": [plain], "without the 2": [gives / 2], "the other kind": [other],
                            "a deviation": [gives**0.5]})
        for kind, gives, plain, other in (("rademacher", 4.0, 8.0, 24.0), ("gaussian", 24.0, 28.0, 4.0))
    ),
    Law.equal("one dimension: signs are exact", given(jacobian=normal(4, 1, 1)),
              left=lambda f, jacobian: f.hutchinson_variance(jacobian, kind="rademacher"), right=0.0),
    Law.equal("an antisymmetric Jacobian", given(jacobian=SQUARE), right=0.0,
              left=lambda f, jacobian: f.hutchinson_variance(jacobian - jacobian.transpose(0, 2, 1), kind="gaussian")),
    Law.at_least("signs are better", given(jacobian=SQUARE),
                 left=lambda f, jacobian: f.hutchinson_variance(jacobian, kind="gaussian"),
                 right=lambda f, jacobian: f.hutchinson_variance(jacobian, kind="rademacher")
                 + 2 / 3 * np.trace(jacobian, axis1=1, axis2=2) ** 2),
    Rejects("hutchinson_variance", "another kind", given(jacobian=zeros(4, 3, 3), kind="uniform"), blames="kind"),
    Rejects("hutchinson_variance", "not square", given(jacobian=zeros(4, 3, 2), kind="gaussian"), blames="jacobian"),
    Rejects("hutchinson_variance", "one matrix", given(jacobian=zeros(3, 3), kind="gaussian"), blames="jacobian"),
)  # fmt: skip
