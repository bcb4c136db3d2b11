"""Claims in LaTeX as a terminal shows them."""

import re

import pytest
from rich.cells import cell_len

from shared_specs.syllabus import load
from theory_jax.derivation.loading import derivation_of
from theory_jax.pages.unicode import _converter, to_unicode

READ_AS = {
    r"\mathrm{KL}(p\,\|\,q) = \sum_x p(x)\log\frac{p(x)}{q(x)} \ge 0": "KL(p ‖ q) = ∑ₓ p(x) log(p(x)/q(x)) ≥ 0",
    r"\nabla_\theta \mathbb{E}_{q}[f]": "∇_θ 𝔼_q[f]",
    r"\hat p_n": "p̂ₙ",
    r"\bar\alpha q_x = \frac{1}{\bar\alpha q_x}": "ᾱ qₓ = 1/(ᾱ qₓ)",
    r"e^{-v/2}": "e^(-v/2)",
    r"\frac{1}{2}": "1/2",
    r"\left. \frac{\partial}{\partial t} f \right|_{\substack{ t=0 }}": "∂/∂t f |ₜ₌₀",
    r"\frac{a+b}{2u(u+1)}": "(a+b)/(2u(u+1))",
    r"\tfrac{m}{2}\operatorname{Var}_w(x) \le \mathrm{gap}": "(m/2) Var_w(x) ≤ gap",
    r"\log\tfrac{1}{K}\sum_{k=1}^{K} x_k": "log (1/K) ∑ₖ₌₁ᴷ xₖ",
    r"\operatorname*{arg\,min}_q \mathrm{softmax}(l)": "arg min_q softmax(l)",
    r"\sqrt{2\pi\sigma^2}": "√(2πσ²)",
    r"A^{\frac{2}{3}} \sqrt[3]{B} + \sqrt[n]{2}": "A^(2/3) ∛B + ⁿ√2",
    r"x_{t-1}^{(k)}": "xₜ₋₁⁽ᵏ⁾",
    r"f^{*}(t) = \sup_{u\ge 0}\{ut-f(u)\}": "f*(t) = sup_(u ≥ 0){ut-f(u)}",
    r"\lVert x\rVert_2^2 < \infty": "‖x‖₂² < ∞",
    r"f''(u) = \frac{1}{u^2}": "f″(u) = 1/u²",
    r"\sum_{i \ne j} x_i": "∑_(i ≠ j) xᵢ",
    r"W W^\top + s I": "W Wᵀ + s I",
    r"\frac{\partial f}{\partial x}(x) \quad\text{at}\quad x = 0": "(∂f/∂x)(x)  at  x = 0",
    r"\Bigl(\frac{w_{<n}}{1 - w_n}\Bigr)": "(w_(<n)/(1 - wₙ))",
    r"p(z \mid x)\,dz": "p(z | x) dz",
    r"e^{x_k}": "e^(xₖ)",
    r"a \unheardof b": "a unheardof b",
    r"\log_2 \frac{a}{b} + c": "log₂(a/b) + c",
    r"\frac{\log \frac{s}{s^{*}}}{2}": "log(s/s*)/2",
    r"\frac{\frac{\hat s}{s} - 1 - \log \frac{\hat s}{s}}{2}": "(ŝ/s - 1 - log(ŝ/s))/2",
    r"(t - 1)\,\frac{1}{t}": "(t - 1) (1/t)",
    r"\sum_k \frac{p_k}{2} \frac{1}{q_k}": "∑ₖ(pₖ/2)(1/qₖ)",
    r"p_k \log \frac{p_k}{q_k} - \frac{1}{2}": "pₖ log(pₖ/qₖ) - 1/2",
    r"\frac{\left(m - 1\right)^{2}}{2}": "(m - 1)²/2",
    r"\frac{\partial}{\partial l_{j}} \left(a + b\right)": "∂/∂lⱼ (a + b)",
    r"x_k' + f'_k + p_{t}'": "xₖ′ + f′ₖ + pₜ′",
    r"\underbrace{x_{n} + y}_{\text{the gap}} = 3": "xₙ + y [the gap] = 3",
    r"\mathrm{Var}_{\sigma}\left[v_{k}\right]": "Var_σ[vₖ]",
    r"\left\| x \right\|^2": "‖x‖²",
    r"\left\langle q_i, k_j \right\rangle^2 + \left\lfloor h / 2 \right\rfloor": "⟨qᵢ, kⱼ⟩² + ⌊h/2⌋",
    r"\frac{Q}{\sqrt{D}} \sqrt{p_k}": "(Q/√D) √pₖ",
    r"\text{Pearson's} = [a; - b]": "Pearson's = [a; -b]",
    r"= - x \left(- y\right)": "= -x (-y)",
    r"2 \pi \hat s / s_n": "2 π ŝ/sₙ",
    r"\left[\begin{matrix}a & b\\c & d\end{matrix}\right]": "[a, b; c, d]",
    r"\begin{cases} x & \text{for } x > 0 \\ 0 & \text{otherwise} \end{cases}": "{x for x > 0; 0 otherwise",
}


@pytest.mark.parametrize("claim", READ_AS)
def test_a_claim_reads_well(claim):
    assert to_unicode(claim) == READ_AS[claim]


def test_no_private_mark_survives():
    for claim in READ_AS:
        assert not re.search("[\ue000-\uf8ff]", to_unicode(claim + r" \log"))


@pytest.mark.parametrize("topic", [topic.path for topic in load().built])
def test_every_claim_of_the_course_is_readable(topic):
    """The converter knows every macro, and no LaTeX is left over."""
    known = _converter().latex_context
    derivation = derivation_of(topic)
    for step in derivation.steps:
        names = set(re.findall(r"\\([A-Za-z]+)", step.claim)) - {"begin", "end"}
        assert {name for name in names if known.get_macro_spec(name) is known.get_macro_spec("unheardof")} == set(), step.name
        text = to_unicode(step.claim)
        assert text
        assert not re.search("[\\\\$\ue000-\uf8ff]", text), text
        assert cell_len(text) <= len(step.claim) + 8, text
