"""Contracts of domain-adversarial training (lecture 13)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, integers, linspace, normal, uniform, zeros

DOMAIN = np.array([1, 0, 0, 1, 1, 0, 1])
LABELED = np.array([True, False, False, True, True, False, False])
SOME, BATCH = normal(7), {"labels": integers(7, high=3), "labeled": LABELED, "domain_logits": normal(7), "domain": DOMAIN}
# at least one of them is wrong, so that losses are of size 1: losses of size e^-40 are below the tolerance
FAR = [0.0, 40.0, 80.0, -40.0, -4000.0, 400.0, 3.0]
REVERSED = "on purpose its gradient is not its slope; laws below hold it"
LATE = "at the end of the training the slope of tanh is the rounding of 1 - tanh^2; no one differentiates a clock"
TWO = {
    "label_logits": [[LOG_3, 0.0], [0.0, LOG_3]],
    "labels": np.array([0, 0]),
    "labeled": np.array([True, False]),
    "domain_logits": [LOG_3, LOG_3],
    "domain": np.array([1, 0]),
}


def _objective(**wrong):
    return given(**{"label_logits": zeros(3, 2), "labels": np.array([0, 1, 1]), "labeled": np.array([True, True, False]),
                    "domain_logits": zeros(3), "domain": np.array([1, 1, 0]), "weight": 0.5} | wrong)  # fmt: skip


def _both(f, logits):
    """The loss of every logit as a source example, and as a target example."""
    ones = np.ones(len(logits), int)
    return f.domain_loss(logits, ones), f.domain_loss(logits, 0 * ones)


SPEC = (
    # The layer: its gradient is not its slope, so laws hold it.
    Agree("gradient_reversal", "vectors", given(x=normal(4, 3), scale=0.7), no_gradient=REVERSED),
    Agree("gradient_reversal", "images", given(x=normal(2, 3, 4, 5), scale=2.0), no_gradient=REVERSED),
    Law.equal("scale 0 stops the gradient", given(x=normal(5)),
              left=lambda f, x: 1 + f.gradient("gradient_reversal", x, scale=0.0, wrt=0), right=1.0),
    Anchor("gradient_reversal", "the way forward", given(x=[1.5, -2.0], scale=0.5), gives=[1.5, -2.0], source="by definition",
           near_misses={"reversed on the way forward": [-0.75, 1.0], "the sign alone": [-1.5, 2.0]}),
    Law.equal("the way back", given(x=normal(4, 3)),
              left=lambda f, x: f.gradient("gradient_reversal", x, scale=0.7, wrt=0), right=-0.7),
    Rejects("gradient_reversal", "no batch", given(x=np.array(1.0), scale=1.0), blames="x"),
    Rejects("gradient_reversal", "a negative scale", given(x=zeros(2), scale=-0.5), blames="scale"),
    # The domain classifier's loss.
    Agree("domain_loss", "regular", given(logits=SOME, domain=DOMAIN)),
    Agree("domain_loss", "far out", given(logits=FAR, domain=np.array([1, 0, 0, 1, 1, 0, 0]))),
    Anchor("domain_loss", "odds of 3", given(logits=[LOG_3, LOG_3, 0.0], domain=np.array([1, 0, 1])),
           gives=[2 * LOG_2 - LOG_3, 2 * LOG_2, LOG_2], source="-log 3/4, -log 1/4, -log 1/2",
           near_misses={"target is 1": [2 * LOG_2, 2 * LOG_2 - LOG_3, LOG_2], "the source alone": [2 * LOG_2 - LOG_3, 0.0, LOG_2],
                        "averaged": [(5 * LOG_2 - LOG_3) / 3] * 3}),
    Law.equal("source and target differ by the logit", given(logits=SOME),
              left=lambda f, logits: np.subtract(*_both(f, logits)), right=lambda f, logits: -logits),
    Law.at_least("a coin is the best answer where both are equally likely", given(logits=SOME),
                 left=lambda f, logits: sum(_both(f, logits)), right=2 * LOG_2),
    Rejects("domain_loss", "sizes differ", given(logits=zeros(3), domain=np.array([0, 1])), blames="domain"),
    Rejects("domain_loss", "two axes", given(logits=zeros(3, 1), domain=np.zeros((3, 1), int)), blames="logits"),
    Rejects("domain_loss", "a third domain", given(logits=zeros(3), domain=np.array([0, 1, 2])), blames="domain"),
    Rejects("domain_loss", "-1 for the target", given(logits=zeros(2), domain=np.array([1, -1])), blames="domain"),
    Rejects("domain_loss", "soft domains", given(logits=zeros(2), domain=[0.5, 0.5]), blames="domain"),
    # The objective of the saddle point.
    Agree("domain_adversarial_objective", "regular", given(label_logits=normal(7, 3), **BATCH, weight=0.7)),
    Agree("domain_adversarial_objective", "nothing labeled",
          given(label_logits=normal(7, 3), **BATCH | {"labeled": np.zeros(7, bool)}, weight=1.0)),
    Agree("domain_adversarial_objective", "256 classes", given(
        label_logits=normal(3, 256), labels=np.array([255, 0, 254]), labeled=np.array([True, True, False]),
        domain_logits=normal(3), domain=np.array([1, 1, 0]), weight=0.5)),
    Agree("domain_adversarial_objective", "infinite logits without a label", given(
        label_logits=[[np.inf, 0.0], [1.0, 2.0]], labels=np.array([0, 1]), labeled=np.array([False, True]),
        domain_logits=[1.0, -2.0], domain=np.array([0, 1]), weight=0.5), differentiate=("label_logits", "domain_logits")),
    Anchor("domain_adversarial_objective", "two examples", given(**TWO, weight=0.5),
           gives=[LOG_2 - LOG_3 / 2, -LOG_2], source="by hand: log 4/3 - 1/2 log 4/3, and -1/2 log 4",
           near_misses={"the domain loss added": [3 * LOG_2 - 1.5 * LOG_3, LOG_2],
                        "the target's label counts": [LOG_2 - LOG_3 / 2, LOG_2],
                        "no weight": [0.0, -2 * LOG_2], "the source's domain alone": [LOG_2 - LOG_3 / 2, 0.0]}),
    Law.equal("a label that is not labeled changes nothing", given(label_logits=normal(7, 3)),
              left=lambda f, z: f.domain_adversarial_objective(
                  z, np.where(LABELED, 1, 2), LABELED, np.ones(7), DOMAIN, weight=0.3),
              right=lambda f, z: f.domain_adversarial_objective(
                  z, np.where(LABELED, 1, 0), LABELED, np.ones(7), DOMAIN, weight=0.3)),
    Law.equal("weight 0 leaves the label loss", given(label_logits=zeros(7, 3)),
              left=lambda f, z: f.domain_adversarial_objective(z, np.zeros(7, int), LABELED, np.ones(7), DOMAIN, weight=0.0),
              right=LABELED * LOG_3),
    *(
        Rejects("domain_adversarial_objective", case, _objective(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("a label too large", {"labels": np.array([0, 1, 2])}),
            ("a negative label, not labeled", {"labels": np.array([0, 1, -1])}),
            ("labels of another batch", {"labels": np.array([0, 1])}),
            ("a mask of another batch", {"labeled": np.array([True, False])}),
            ("a mask of numbers", {"labeled": np.array([1, 1, 0])}),
            ("domain logits of another batch", {"domain_logits": zeros(2)}),
            ("domains of another batch", {"domain": np.array([1, 0])}),
            ("a third domain", {"domain": np.array([1, 1, 2])}),
            ("a negative weight", {"weight": -0.1}),
        )
    ),
    # The schedule and the distance.
    Agree("adaptation_schedule", "early", given(progress=uniform(5, high=0.2))),
    Agree("adaptation_schedule", "from start to end", given(progress=linspace(0.0, 1.0, 5)), no_gradient=LATE),
    Agree("adaptation_schedule", "slow", given(progress=linspace(0.0, 1.0, 5), gamma=1.0)),
    Agree("adaptation_schedule", "no adaptation", given(progress=linspace(0.0, 1.0, 3), gamma=0.0)),
    Anchor("adaptation_schedule", "log 3 / 10, and twice that", given(progress=[0.0, LOG_3 / 10, LOG_3 / 5]),
           gives=[0.0, 0.5, 0.8], source="by hand: (3 - 1) / (3 + 1), (9 - 1) / (9 + 1)",
           near_misses={"the sigmoid": [0.5, 0.75, 0.9], "no half": [0.0, 0.8, 80 / 82], "falling": [1.0, 0.5, 0.2]}),
    Law.at_least("it rises", given(progress=linspace(0.0, 1.0, 9)),
                 left=lambda f, p: np.diff(f.adaptation_schedule(p)), right=0.0),
    Rejects("adaptation_schedule", "beyond the end", given(progress=[0.0, 1.5]), blames="progress"),
    Rejects("adaptation_schedule", "before the start", given(progress=[-0.5, 0.5]), blames="progress"),
    Rejects("adaptation_schedule", "a negative gamma", given(progress=[0.5], gamma=-1.0), blames="gamma"),
    Agree("proxy_a_distance", "regular", given(error=uniform(5))),
    Anchor("proxy_a_distance", "right, chance, wrong", given(error=[0.0, 0.35, 0.5, 1.0]), gives=[2.0, 0.6, 0.0, -2.0],
           source="by hand", near_misses={"no factor 2": [1.0, 0.3, 0.0, -1.0], "the error once": [2.0, 1.3, 1.0, 0.0],
                                          "never negative": [2.0, 0.6, 0.0, 0.0]}),
    Rejects("proxy_a_distance", "above 1", given(error=[1.5]), blames="error"),
    Rejects("proxy_a_distance", "in percent", given(error=[0.2, 35.0]), blames="error"),
    Rejects("proxy_a_distance", "no axis", given(error=np.array(0.2)), blames="error"),
)  # fmt: skip
