"""The entropic plan is an exponential of potentials minus the cost."""

from sympy import Rational, log

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Divergence, Entropy, Expectation, Total, plus, times
from theory_jax.lectures.lemmas.gibbs import gibbs

derivation = Derivation(
    module=__name__,
    title="The entropic plan is an exponential of potentials minus the cost",
    question="Mass is moved from one distribution to another, and the cost of a plan is reduced by a weight times its entropy. "
    "Which plan is best, and what does it cost?",
    setting=(
        r"A plan (a coupling) $\pi_{i,j} = p_i\, \kappa(j|i)$ moves the share $\kappa(j|i)$ of the mass at $i$ to $j$. Its rows "
        r"sum to $p$, its columns to $q$. All are positive here.",
    ),
    sources=(
        "Cuturi 2013, Sinkhorn distances: lightspeed computation of optimal transport",
        "Peyre & Cuturi 2019, Computational Optimal Transport, section 4",
    ),
)
i = derivation.index("i", "a point from which mass leaves")
j = derivation.index("j", "a point at which it arrives")
p = derivation.law("p", i, "the distribution of the rows")
share = derivation.law(r"\kappa({}|{})", (j, i), "the shares of any plan")
pi = derivation.define(r"\pi", p * share, "any plan", over=(i, j), positive=True)
q = derivation.define("q", Total(i, pi), "its column sums", over=j, law=True)
epsilon = derivation.number(r"\varepsilon", "the weight of the entropy", positive=True)
alpha = derivation.numbers(r"\alpha", i, "the potential of the rows")
beta = derivation.numbers(r"\beta", j, "the potential of the columns")
best_share = derivation.law(r"\rho({}|{})", (j, i), "the shares of the plan in question")
best = derivation.define(r"\pi^\star", p * best_share, "the plan in question", over=(i, j), positive=True)
cost = derivation.define(
    r"\tilde c", plus(alpha, beta, -epsilon * log(best)), "the cost for which that plan is the exponential", over=(i, j)
)
entropic_plan = derivation.chain(
    "The entropic plan is an exponential of potentials minus the cost",
    plus(Total(i, Total(j, pi * cost)), epsilon * Total(i, Total(j, pi * log(pi)))),
    equals(
        plus(Total(i, Total(j, pi * plus(alpha, beta))), epsilon * Total(i, Total(j, pi * log(pi / best)))),
        r"$\pi^\star_{i,j} = e^{(\alpha_i + \beta_j - \tilde c_{i,j})/\varepsilon}$, solved for the cost",
    ),
    equals(
        plus(Total(i, p * alpha), Total(j, q * beta), epsilon * Expectation(p, Divergence(share, best_share))),
        r"row and column sums; $p_i$ cancels in the ratio",
    ),
    at_least(
        plus(Total(i, p * alpha), Total(j, q * beta)),
        r"leave out divergences (Gibbs), zero if and only if $\kappa = \rho$",
        dropping=epsilon * Expectation(p, gibbs.at(share, best_share)),
    ),
    states=2,
    central=True,
    role="lemma",
    so=r"The first line is the cost less $\varepsilon$ times the entropy. The last is the same for all plans with the columns "
    r"$q$. So if the columns of $\pi^\star$ sum to $q$ as well, it is the best plan, and the only one.",
)
costs = [derivation.number(f"C_{n}", f"the cost of the best plan for $\\varepsilon_{n}$") for n in (1, 2)]
entropies = [derivation.number(f"H_{n}", f"its entropy, for $\\varepsilon_{n}$") for n in (1, 2)]
less = derivation.number(r"\varepsilon_1", "a weight", positive=True)
more_by = derivation.number(r"\Delta_\varepsilon", r"$\varepsilon_2 - \varepsilon_1$, positive", positive=True)
derivation.symbol(r"\varepsilon_2", "a larger weight")
_TWO_PLANS = {less: 1, more_by: 1, costs[0]: 1, entropies[0]: 1, costs[1]: Rational(3, 2), entropies[1]: Rational(7, 5)}
for_less = derivation.assume(
    "The first plan is best for its own weight",
    plus(costs[1], -less * entropies[1], -costs[0], less * entropies[0]),
    example=_TWO_PLANS,
    wrong={"the entropies added": plus(costs[1], less * entropies[1], -costs[0], -(2 + less) * entropies[0])},
)
for_more = derivation.assume(
    "The second plan is best for its own weight",
    plus(costs[0], -(less + more_by) * entropies[0], -costs[1], (less + more_by) * entropies[1]),
    example=_TWO_PLANS,
    wrong={"the first plan's weight": plus(costs[0], -less * entropies[0], -costs[1], less * entropies[1])},
)
more_entropy = derivation.chain(
    "More weight, more entropy",
    times(more_by, entropies[1] - entropies[0]),
    equals(plus(for_less.at(), for_more.at()), "add both comparisons: the costs cancel"),
    at_least(0, "leave out what is never negative", dropping=plus(for_less.at(), for_more.at())),
    role="lemma",
)
more_cost = derivation.chain(
    "... and more cost",
    costs[1] - costs[0],
    equals(plus(for_less.at(), less * (entropies[1] - entropies[0])), "the first comparison"),
    at_least(
        0,
        "leave out what is never negative: the comparison, and the lemma",
        dropping=plus(for_less.at(), less / more_by * more_entropy.at()),
    ),
    role="lemma",
    so=r"So the cost falls as $\varepsilon$ does.",
)
k = derivation.index("k", "a pair of a row and a column", states=6)
K = derivation.count(k, "K", "the number of pairs, rows times columns")
on_pairs = derivation.law("r", k, r"the plan that is best for $\varepsilon$, as a distribution on pairs")
uniform = derivation.define("u", 1 / K, "the uniform distribution on pairs", over=k, law=True)
cost_of_best = derivation.number("C", r"the cost of the plan that is best for $\varepsilon$")
entropy_of_best = derivation.define("H", Entropy(on_pairs), "its entropy")
cheapest = derivation.number("C_0", "the cost of a cheapest plan")
its_entropy = derivation.number("h", "its entropy", positive=True)
best_for_weight = derivation.assume(
    "The entropic plan is best for its weight",
    plus(cheapest, -epsilon * its_entropy, -cost_of_best, epsilon * entropy_of_best),
    example={epsilon: 1, cheapest: Rational(1, 2), its_entropy: log(2), cost_of_best: 1, on_pairs: (Rational(1, 6),) * 6},
    wrong={"the entropies exchanged": plus(cheapest, -epsilon * entropy_of_best, -cost_of_best, epsilon * its_entropy)},
)
near_cheapest = derivation.chain(
    "... which is never far above the cheapest",
    plus(cheapest, epsilon * log(K), -cost_of_best),
    equals(
        plus(best_for_weight.at(), times(epsilon, log(K) - entropy_of_best), epsilon * its_entropy),
        r"add and subtract $\varepsilon h$ and $\varepsilon H$",
        wrong={"no weight": plus(best_for_weight.at(), log(K) - entropy_of_best, its_entropy)},
    ),
    equals(
        plus(best_for_weight.at(), epsilon * Divergence(on_pairs, uniform), epsilon * its_entropy),
        r"$\mathrm{KL}(r \| u) = -H - \sum_k r_k \log \frac1K$",
    ),
    at_least(
        0,
        "leave out what is never negative: the comparison, the divergence (Gibbs), and an entropy of finitely many pairs",
        dropping=plus(best_for_weight.at(), epsilon * gibbs.at(on_pairs, uniform), epsilon * its_entropy),
    ),
    role="lemma",
    so=r"So the cost exceeds the cheapest by at most $\varepsilon \log K$.",
)
