"""Contracts of speculative decoding (lecture 48)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, linspace, log_of, log_simplex, uniform, zeros

DRAFT, TARGET = log_simplex(5, 4), log_simplex(5, 4)
Q, P = log_of([[0.3, 0.2, 0.5]]), log_of([[0.5, 0.4, 0.1]])
Q_ZEROS, P_ZEROS = (
    log_of([[0.5, 0.5, 0, 0], [0, 0, 0.25, 0.75], [0.5, 0.25, 0.25, 0]]),
    log_of([[0.25, 0.25, 0.5, 0], [0.5, 0.5, 0, 0], [0.5, 0.25, 0.25, 0]]),
)
DRAWN = "tokens have no gradient"
KINK = "its slope is unbounded where the laws cross, and no one differentiates what tokens are drawn from"
LAW = {"draft_log_probs": DRAFT, "target_log_probs": TARGET}
ONE = {"draft_token": integers(5, high=4), **LAW, "accept_uniform": uniform(5), "residual_uniform": uniform(5)}
BLOCK = {
    "draft_tokens": integers(5, 3, high=4),
    "draft_log_probs": log_simplex(5, 3, 4),
    "target_log_probs": log_simplex(5, 4, 4),
    "accept_uniforms": uniform(5, 3),
    "final_uniform": uniform(5),
}
MOVES = tuple(name for name in {**ONE, **BLOCK} if "token" not in name)
HALVES = np.log(np.full((3, 2), 0.5))
# drafts of the law Q in blocks of two; the target's law is P at all three positions
TWICE = {"draft_log_probs": np.tile(Q, (4, 2, 1)), "target_log_probs": np.tile(P, (4, 3, 1))}


def _one(**wrong):
    return given(
        **{
            "draft_token": np.array([0, 1, 1]),
            "draft_log_probs": HALVES,
            "target_log_probs": HALVES,
            "accept_uniform": zeros(3),
            "residual_uniform": zeros(3),
        }
        | wrong
    )


def _block(**wrong):
    return given(
        **{
            "draft_tokens": np.array([[0, 1]]),
            "draft_log_probs": np.log(np.full((1, 2, 2), 0.5)),
            "target_log_probs": np.log(np.full((1, 3, 2), 0.5)),
            "accept_uniforms": zeros(1, 2),
            "final_uniform": zeros(1),
        }
        | wrong
    )


def _emitted(f, draft, target):
    """The law of the token: accepted, or drawn from the residual."""
    accepted = np.exp(np.minimum(draft, target))
    return accepted + (1 - f.acceptance_probability(draft, target))[:, None] * np.exp(f.residual_log_probs(draft, target))


SPEC = (
    Agree("acceptance_probability", "regular", given(**LAW)),
    Agree("acceptance_probability", "impossible tokens, disjoint, equal",
          given(draft_log_probs=Q_ZEROS, target_log_probs=P_ZEROS),
          no_gradient="where both are equal the smaller has a kink"),
    Agree("acceptance_probability", "far apart", given(draft_log_probs=log_simplex(4, 5, scale=20.0),
                                                       target_log_probs=log_simplex(4, 5, scale=20.0))),
    Anchor("acceptance_probability", "three tokens", given(draft_log_probs=Q, target_log_probs=P), gives=[0.6], source="by hand",
           near_misses={"u < p": [0.28], "the ratio turned over": [0.78], "the larger": [1.4], "the total variation": [0.4]}),
    Law.equal("1 less the total variation", given(**LAW), left=lambda f, q, p: f.acceptance_probability(q, p),
              right=lambda f, q, p: 1 - np.abs(np.exp(p) - np.exp(q)).sum(1) / 2),
    Law.equal("the emitted token has the target's law", given(**LAW), left=_emitted, right=lambda f, q, p: np.exp(p)),
    Rejects("acceptance_probability", "another vocabulary", given(draft_log_probs=HALVES, target_log_probs=zeros(3, 1)),
            blames="target_log_probs"),
    Rejects("acceptance_probability", "logits", given(draft_log_probs=zeros(2, 3), target_log_probs=log_simplex(2, 3)),
            blames="draft_log_probs"),
    # The residual law.
    Agree("residual_log_probs", "regular", given(**LAW), no_gradient=KINK),
    Agree("residual_log_probs", "impossible tokens, disjoint, equal", given(draft_log_probs=Q_ZEROS, target_log_probs=P_ZEROS),
          no_gradient=KINK, frozen=("draft_log_probs", "target_log_probs")),
    Agree("residual_log_probs", "rare tokens", given(
        draft_log_probs=log_simplex(4, 9, scale=2.0), target_log_probs=log_simplex(4, 9, scale=2.0)), no_gradient=KINK,
        edge="the logarithm of a probability near one loses digits where probabilities are subtracted first"),
    Anchor("residual_log_probs", "three tokens", given(draft_log_probs=Q, target_log_probs=P),
           gives=log_of([[0.5, 0.5, 0.0]]), source="by hand",
           near_misses={"not normalized": log_of([[0.2, 0.2, 0.0]]), "both excesses": log_of([[0.25, 0.25, 0.5]]),
                        "the draft's excess": log_of([[0.0, 0.0, 1.0]]), "the target": P}),
    Anchor("residual_log_probs", "equal laws", given(draft_log_probs=P, target_log_probs=P), gives=P, source="by definition",
           near_misses={"uniform": log_of([[1 / 3, 1 / 3, 1 / 3]]), "0/0": [[np.nan] * 3]},
           frozen=("draft_log_probs", "target_log_probs")),
    Law.normalized("it is a law", given(**LAW), total=lambda f, q, p: np.exp(f.residual_log_probs(q, p)).sum(1)),
    Rejects("residual_log_probs", "another vocabulary", given(draft_log_probs=HALVES, target_log_probs=zeros(3, 1)),
            blames="target_log_probs"),
    Rejects("residual_log_probs", "no logarithms",
            given(draft_log_probs=log_simplex(2, 3), target_log_probs=np.full((2, 3), 1 / 3)),
            blames="target_log_probs"),
    # One token.
    Agree("speculative_token", "regular", given(**ONE), no_gradient=DRAWN, frozen=MOVES),
    Agree("speculative_token", "256 tokens", given(
        draft_token=np.array([255, 0, 7]), draft_log_probs=log_simplex(3, 256), target_log_probs=log_simplex(3, 256),
        accept_uniform=uniform(3), residual_uniform=uniform(3)), no_gradient=DRAWN, frozen=MOVES),
    Agree("speculative_token", "disjoint, and impossible tokens", given(
        draft_token=np.array([0, 3, 1]), draft_log_probs=Q_ZEROS, target_log_probs=P_ZEROS, accept_uniform=[0.4, 0.0, 0.999],
        residual_uniform=[0.0, 0.6, 1.0]), no_gradient=DRAWN, frozen=MOVES),
    Anchor("speculative_token", "accepted, rejected", given(
               draft_token=np.array([0, 2, 2, 2]), draft_log_probs=np.tile(Q, (4, 1)), target_log_probs=np.tile(P, (4, 1)),
               accept_uniform=[0.99, 0.19, 0.3, 0.3], residual_uniform=[0.9, 0.9, 0.4, 0.6]),
           gives=([0, 2, 0, 1], [True, True, False, False]), source="by hand: p/q is 5/3 at 0 and 1/5 at 2",
           near_misses={"u < p": ([1, 1, 0, 1], [False, False, False, False]),
                        "u < q/p": ([1, 2, 2, 2], [False, True, True, True]),
                        "drawn from the target": ([0, 2, 0, 1], [True, False, False, False])}, frozen=MOVES),
    Law.equal("equal laws accept everything", given(draft_log_probs=TARGET, accept_uniform=uniform(5)),
              left=lambda f, p, u: f.speculative_token(np.array([0, 1, 2, 3, 0]), p, p, u, np.zeros(5))[1] == True,  # noqa: E712
              right=lambda f, p, u: np.ones(5, bool), frozen=("draft_log_probs", "accept_uniform")),
    *(
        Rejects("speculative_token", case, _one(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("no token", {"draft_token": np.array([0, 2, 1])}), ("a negative token", {"draft_token": np.array([0, -1, 1])}),
            ("no integer", {"draft_token": zeros(3)}), ("one token for all", {"draft_token": np.array([0])}),
            ("a uniform beyond 1", {"accept_uniform": [0.0, 1.5, 0.0]}),
            ("a negative uniform", {"residual_uniform": [-0.5, 0.0, 0.0]}),
            ("one uniform for all", {"accept_uniform": zeros(1)}), ("another number of uniforms", {"residual_uniform": zeros(2)}),
            ("no law", {"draft_log_probs": zeros(3, 2)}), ("no law of the target", {"target_log_probs": zeros(3, 2)}),
        )
    ),
    Rejects("speculative_token", "a token that the draft cannot draw",
            _one(draft_log_probs=log_of([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])), blames="draft_token"),
    # A block.
    Agree("speculative_block", "regular", given(**BLOCK), no_gradient=DRAWN, frozen=MOVES),
    Agree("speculative_block", "one draft", given(
        draft_tokens=integers(4, 1, high=3), draft_log_probs=log_simplex(4, 1, 3), target_log_probs=log_simplex(4, 2, 3),
        accept_uniforms=uniform(4, 1), final_uniform=uniform(4)), no_gradient=DRAWN, frozen=MOVES),
    Agree("speculative_block", "256 tokens, narrow", given(
        draft_tokens=np.array([[255, 1], [0, 254]]),
        draft_log_probs=log_simplex(2, 2, 256), target_log_probs=log_simplex(2, 3, 256),
        accept_uniforms=zeros(2, 2), final_uniform=uniform(2)), no_gradient=DRAWN, frozen=MOVES),
    Anchor("speculative_block", "all, one, none, and one behind a rejection", given(
               draft_tokens=np.array([[0, 1], [0, 2], [2, 0], [2, 2]]), **TWICE,
               accept_uniforms=[[0.9, 0.9], [0.9, 0.4], [0.4, 0.0], [0.1, 0.4]], final_uniform=[0.95, 0.7, 0.3, 0.3]),
           gives=([[0, 1, 2], [0, 1, -1], [0, -1, -1], [2, 0, -1]], [2, 1, 0, 1]), source="by hand: p/q is 5/3, 2, 1/5",
           near_misses={"goes on after a rejection": ([[0, 1, 2], [0, 1, 1], [0, 0, 0], [2, 0, 0]], [2, 1, 1, 1]),
                        "no bonus": ([[0, 1, -1], [0, 1, -1], [0, -1, -1], [2, 0, -1]], [2, 1, 0, 1]),
                        "counts the redrawn": ([[0, 1, 2], [0, 1, -1], [0, -1, -1], [2, 0, -1]], [3, 2, 1, 2])}, frozen=MOVES),
    Law.equal("a block of one is a token, and a bonus", given(
                  draft=log_simplex(5, 1, 3), target=log_simplex(5, 2, 3), u=uniform(5, 1), v=uniform(5)),
              left=lambda f, q, p, u, v: f.speculative_block(np.array([[0], [1], [2], [0], [1]]), q, p, u, v)[0][:, 0] * 1.0,
              right=lambda f, q, p, u, v: f.speculative_token(
                  np.array([0, 1, 2, 0, 1]), q[:, 0], p[:, 0], u[:, 0], v)[0] * 1.0, frozen=("draft", "target", "u", "v")),
    *(
        Rejects("speculative_block", case, _block(**wrong), blames=next(iter(wrong)))
        for case, wrong in (
            ("no token", {"draft_tokens": np.array([[0, 2]])}), ("a negative token", {"draft_tokens": np.array([[-1, 0]])}),
            ("no integers", {"draft_tokens": zeros(1, 2)}), ("drafts of another length", {"draft_tokens": np.array([[0]])}),
            ("no law behind the drafts", {"target_log_probs": np.log(np.full((1, 2, 2), 0.5))}),
            ("two axes", {"draft_log_probs": HALVES}), ("no law", {"draft_log_probs": zeros(1, 2, 2)}),
            ("no law of the target", {"target_log_probs": zeros(1, 3, 2)}),
            ("a uniform beyond 1", {"accept_uniforms": [[0.0, 1.5]]}),
            ("one uniform", {"accept_uniforms": zeros(1, 1)}), ("a negative uniform", {"final_uniform": [-0.5]}),
            ("two final uniforms", {"final_uniform": zeros(2)}),
        )
    ),
    Rejects("speculative_block", "a token that the draft cannot draw",
            _block(draft_log_probs=log_of([[[1.0, 0.0], [1.0, 0.0]]])), blames="draft_tokens"),
    # The length of a block.
    Agree("expected_block_length", "regular", given(acceptance=uniform(5), draft_length=4)),
    Agree("expected_block_length", "never and always, on two axes", given(acceptance=[[0.0, 1.0], [0.5, 0.9]], draft_length=7)),
    Agree("expected_block_length", "one draft", given(acceptance=linspace(0.0, 1.0, 3), draft_length=1)),
    Anchor("expected_block_length", "two drafts", given(acceptance=[0.5, 1.0, 0.0], draft_length=2), gives=[1.75, 3.0, 1.0],
           source="1 + 1/2 + 1/4", near_misses={"accepted drafts alone": [0.75, 2.0, 0.0], "no bonus": [1.5, 2.0, 1.0],
                                                "a draft more": [1.875, 4.0, 1.0], "the quotient": [1.75, np.nan, 1.0]}),
    Rejects("expected_block_length", "no draft", given(acceptance=[0.5], draft_length=0), blames="draft_length"),
    Rejects("expected_block_length", "beyond 1", given(acceptance=[1.5], draft_length=2), blames="acceptance"),
)  # fmt: skip
