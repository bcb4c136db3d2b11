"""Moments of a Gaussian variable, as formulas."""

import sympy


def normal_moment(body, x, mean, variance):
    """E[body] for x ~ N(mean, variance): a sum of polynomials in x times exponentials of linear functions of x.

    E[x^n e^(a x)] = e^(a mean + a^2 variance / 2) E[(x + a variance)^n]

    Raises ValueError if a term has another form.
    """
    total = sympy.Integer(0)
    expanded = sympy.expand(sympy.expand_power_exp(sympy.powsimp(sympy.expand(body), combine="exp")))
    for term in sympy.Add.make_args(expanded):
        factor, rest = term.as_independent(x, as_Add=False)
        slope = sympy.Integer(0)
        for power in [part for part in sympy.Mul.make_args(rest) if isinstance(part, sympy.exp)]:
            exponent = sympy.Poly(power.exp, x)
            if exponent.degree() != 1:
                raise ValueError(f"the expectation of {term} under a Gaussian is not known here")
            slope += exponent.coeff_monomial(x)
            factor, rest = factor * sympy.exp(exponent.coeff_monomial(1)), rest / power
        if not rest.is_polynomial(x):
            raise ValueError(f"the expectation of {term} under a Gaussian is not known here: it is no polynomial in {x}")
        shifted = mean + slope * variance
        for (n,), coefficient in sympy.Poly(rest, x).terms():
            moment = sum(
                sympy.binomial(n, k) * shifted ** (n - k) * variance ** (k // 2) * sympy.factorial2(k - 1)
                for k in range(0, n + 1, 2)
            )
            total += factor * coefficient * moment * sympy.exp(slope * mean + slope**2 * variance / 2)
    return total
