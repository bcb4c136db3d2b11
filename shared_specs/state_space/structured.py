"""Contracts of structured state spaces (lecture 56)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Complex, Law, Rejects, given, normal, scalar, uniform, zeros

ROOT_2, ROOT_3 = 2**0.5, 3**0.5
NODES = Complex(uniform(5, low=0.5, high=1.5), normal(5))


def _vector():
    return Complex(normal(4), normal(4))


SYSTEM = dict(eigenvalues=Complex([-0.5, -0.2, -1.0, -0.4], [1.0, -2.0, 0.0, 3.0]), low_rank=_vector(), b=_vector(), c=_vector())
DIAGONAL = SYSTEM | dict(low_rank=Complex(zeros(4), zeros(4)))
ONE = dict(
    eigenvalues=Complex([-0.5], [0.0]), low_rank=Complex([1 / ROOT_2], [0.0]), b=Complex([1.0], [0.0]), c=Complex([0.0], [1.0])
)
# LegS of order 2 in the coordinates of its normal part, c = (1, 0): K is 2/3, and a third of that in each further step of 1.
LEGS = dict(
    eigenvalues=Complex([-0.5, -0.5], [ROOT_3 / 2, -ROOT_3 / 2]),
    low_rank=Complex([0.5, 0.5], [-ROOT_3 / 2, ROOT_3 / 2]),
    b=Complex([1 / ROOT_2, 1 / ROOT_2], [-ROOT_3 / ROOT_2, ROOT_3 / ROOT_2]),
    c=Complex([1 / ROOT_2, 1 / ROOT_2], [0.0, 0.0]),
)

SPEC = (
    *(Agree(function, f"order {order}", given(order=order))
      for function in ("low_rank_vector", "normal_part") for order in (5, 1, 64)),
    Agree("cauchy_product", "regular", given(nodes=NODES, poles=SYSTEM["eigenvalues"], weights=_vector())),
    Agree("cauchy_product", "a node next to a pole",
          given(nodes=Complex([-0.5, -1.001, 0.0, 1.0, 2.0], [1.001, 0.0, 0.0, 1.0, 0.0]), poles=SYSTEM["eigenvalues"],
                weights=_vector())),
    Agree("low_rank_resolvent", "regular", given(nodes=NODES, **SYSTEM)),
    Agree("low_rank_resolvent", "no low rank", given(nodes=NODES, **DIAGONAL)),
    Agree("low_rank_resolvent", "far away", given(nodes=Complex(zeros(5), [0.0, 1e3, -1e3, 1e6, 7.0]), **SYSTEM)),
    Agree("structured_kernel", "an even length: the node -1", given(**SYSTEM, step_size=scalar(0.25), length=6)),
    Agree("structured_kernel", "an odd length", given(**SYSTEM, step_size=scalar(0.5), length=5)),
    Agree("structured_kernel", "length 1", given(**SYSTEM, step_size=scalar(2.0), length=1)),
    Agree("structured_kernel", "no low rank", given(**DIAGONAL, step_size=scalar(0.5), length=6)),
    Agree("structured_kernel", "one state", given(**ONE, step_size=scalar(0.5), length=6)),
    Anchor(
        "low_rank_vector", "order 3", given(order=3), gives=[0.5**0.5, 1.5**0.5, 2.5**0.5], source="by hand",
        near_misses={"LegS's B": [1.0, ROOT_3, 5**0.5], "counted from 1": [1.5**0.5, 2.5**0.5, 3.5**0.5]},
    ),
    Anchor(
        "normal_part", "order 2", given(order=2), gives=[[-0.5, ROOT_3 / 2], [-ROOT_3 / 2, -0.5]], source="by hand",
        near_misses={"LegS itself": [[-1.0, 0.0], [-ROOT_3, -2.0]],
                     "p p^T subtracted": [[-1.5, -ROOT_3 / 2], [-1.5 * ROOT_3, -3.5]],
                     "transposed": [[-0.5, -ROOT_3 / 2], [ROOT_3 / 2, -0.5]], "twice p p^T": [[0.0, ROOT_3], [0.0, 1.0]]},
    ),
    Anchor(
        "cauchy_product", "one pole", given(nodes=Complex([1.0, 0.0], [0.0, 1.0]), poles=Complex([-1.0], [0.0]),
                                            weights=Complex([0.0], [2.0])),
        gives=([0.0, 1.0], [1.0, 1.0]), source="2i / 2 and 2i / (1 + i)",
        near_misses={"the sign": ([0.0, -1.0], [-1.0, -1.0]), "the weight's conjugate": ([0.0, -1.0], [-1.0, -1.0]),
                     "the node's conjugate": ([0.0, -1.0], [1.0, 1.0])},
    ),
    Anchor(
        "low_rank_resolvent", "one state", given(nodes=Complex([1.0], [0.0]), **ONE), gives=([0.0], [-0.5]),
        source="-i / (1 + 1/2 + 1/2)",
        near_misses={"c not conjugate": ([0.0], [0.5]), "p p* added to A": ([0.0], [-1.0]), "without p": ([0.0], [-2 / 3]),
                     "1 - k_pp": ([0.0], [-2 / 3 + 1 / 3])},
    ),
    Anchor(
        "structured_kernel", "LegS of order 2", given(**LEGS, step_size=scalar(1.0), length=4),
                gives=[2 / 3, 2 / 9, 2 / 27, 2 / 81],
        source="A_bar = [[1/3, 0], [-1/sqrt 3, 0]], B_bar = (2/3, 1/sqrt 3)",
        near_misses={"the end not cut off": [0.675, 0.225, 0.075, 0.025], "half": [1 / 3, 1 / 9, 1 / 27, 1 / 81],
                     "the exact hold": np.exp([0, -1, -2, -3]) * (1 - np.exp(-1)),
                     "a power too many": [2 / 9, 2 / 27, 2 / 81, 2 / 243], "reversed": [2 / 81, 2 / 27, 2 / 9, 2 / 3]},
    ),
    Law.equal(
        "the normal part is LegS and p p^T", given(),
        left=lambda f: f.normal_part(order=5), right=lambda f: _legs(5)[0] + np.outer(*2 * [f.low_rank_vector(order=5)]),
    ),
    Law.equal(
        "the normal part is -1/2, and turns", given(),
        left=lambda f: (lambda a: np.stack([a + a.T, a @ a.T - a.T @ a]))(f.normal_part(order=5)),
        right=np.stack([-np.eye(5), np.zeros((5, 5))]),
    ),
    Law.equal(
        "without low rank it is a Cauchy product", given(nodes=NODES, **DIAGONAL),
        left=lambda f, g, *system: np.stack(f.low_rank_resolvent(g, *system)),
        right=lambda f, g, rates, p, b, c: np.stack(f.cauchy_product(g, rates, _pair(_whole(c).conj() * _whole(b)))),
    ),
    Law.equal(
        "the resolvent is that of the dense matrix", given(nodes=NODES, **SYSTEM),
        left=lambda f, g, *system: np.stack(f.low_rank_resolvent(g, *system)),
        right=lambda f, g, *system: np.stack(_pair(_dense_resolvent(_whole(g), *map(_whole, system)))),
    ),
    Law.equal(
        "the kernel does not depend on the phases of the eigenvectors", given(**SYSTEM, phases=uniform(4, high=6.0)),
        left=lambda f, eigenvalues, p, b, c, phases: f.structured_kernel(
            eigenvalues, *(_pair(_whole(vector) * np.exp(1j * phases)) for vector in (p, b, c)), step_size=np.array(0.5),
                    length=6),
        right=lambda f, *system: f.structured_kernel(*system[:4], step_size=np.array(0.5), length=6),
    ),
    Law.equal(
        "a shorter kernel is the beginning of a longer one", given(**SYSTEM),
        left=lambda f, *system: f.structured_kernel(*system, step_size=np.array(0.5), length=5),
        right=lambda f, *system: f.structured_kernel(*system, step_size=np.array(0.5), length=6)[:5],
    ),
    Law.equal(
        "it is the kernel of LegS", given(c=normal(4)),
        left=lambda f, c: f.structured_kernel(*_in_eigenvectors(f, c), step_size=np.array(0.25), length=6),
        right=lambda f, c: _real_kernel(*_legs(4), c, 0.25, 6),
    ),
    *(Rejects(function, "order 0", given(order=0), blames="order") for function in ("low_rank_vector", "normal_part")),
    Rejects("cauchy_product", "a node at a pole", given(nodes=Complex([1.0, -0.5], [0.0, 1.0]), poles=SYSTEM["eigenvalues"],
                                                        weights=_vector()), blames="nodes"),
    Rejects("cauchy_product", "a weight too many", given(nodes=NODES, poles=SYSTEM["eigenvalues"],
                                                         weights=Complex(zeros(5), zeros(5))), blames="weights"),
    Rejects("cauchy_product", "a table of nodes", given(nodes=Complex(zeros(2, 2), zeros(2, 2)), poles=SYSTEM["eigenvalues"],
                                                        weights=_vector()), blames="nodes"),
    Rejects("low_rank_resolvent", "a node at an eigenvalue of Lambda",
            given(nodes=Complex([-0.5], [0.0]), **ONE), blames="nodes"),
    Rejects("low_rank_resolvent", "a node at an eigenvalue of Lambda - p p*",
            given(nodes=Complex([-2.0], [0.0]), eigenvalues=Complex([-1.0], [0.0]), low_rank=Complex([1.0], [0.0]),
                  b=Complex([1.0], [0.0]), c=Complex([1.0], [0.0])), blames="nodes"),
    *(Rejects("low_rank_resolvent", f"{vector} of another length",
              given(nodes=NODES, **SYSTEM | {vector: Complex(zeros(3), zeros(3))}), blames=vector)
      for vector in ("low_rank", "b", "c")),
    *(Rejects("structured_kernel", f"{vector} of another length",
              given(**SYSTEM | {vector: Complex(zeros(3), zeros(3))}, step_size=scalar(0.5), length=3), blames=vector)
      for vector in ("low_rank", "b", "c")),
    Rejects("structured_kernel", "an eigenvalue that does not decay",
            given(**ONE | {"eigenvalues": Complex([0.0], [2.0])}, step_size=scalar(0.5), length=3), blames="eigenvalues"),
    Rejects("structured_kernel", "no state", given(**dict.fromkeys(ONE, Complex(zeros(0), zeros(0))), step_size=scalar(0.5),
            length=3),
            blames="eigenvalues"),
    Rejects("structured_kernel", "step 0", given(**ONE, step_size=scalar(0.0), length=3), blames="step_size"),
    Rejects("structured_kernel", "length 0", given(**ONE, step_size=scalar(0.5), length=0), blames="length"),
)  # fmt: skip


def _legs(order):
    n = np.arange(order)
    scales = np.sqrt(2 * n + 1)
    return -np.tril(np.outer(scales, scales), -1) - np.diag(n + 1), scales


def _whole(parts):
    return parts[0] + 1j * parts[1]


def _pair(numbers):
    return Complex(numbers.real, numbers.imag)


def _dense_resolvent(nodes, eigenvalues, low_rank, b, c):
    a = np.diag(eigenvalues) - np.outer(low_rank, low_rank.conj())
    return np.array([c.conj() @ np.linalg.solve(node * np.eye(len(b)) - a, b) for node in nodes])


def _in_eigenvectors(f, c):
    """LegS's Lambda, p, B and c in the coordinates of its normal part's eigenvectors."""
    a = f.normal_part(order=len(c)).astype(np.float64)
    frequencies, vectors = np.linalg.eigh(-0.5j * (a - a.T))
    turned = (vectors.conj().T @ vector for vector in (f.low_rank_vector(order=len(c)), _legs(len(c))[1], c))
    return _pair(-0.5 + 1j * frequencies), *map(_pair, turned)


def _real_kernel(a, b, c, step_size, length):
    """The kernel by powers of the bilinear rule's matrix."""
    system, state = np.eye(len(a)) - step_size / 2 * a, np.linalg.solve(np.eye(len(a)) - step_size / 2 * a, step_size * b)
    kernel = []
    for _ in range(length):
        kernel.append(c @ state)
        state = np.linalg.solve(system, state + step_size / 2 * a @ state)
    return np.array(kernel)
