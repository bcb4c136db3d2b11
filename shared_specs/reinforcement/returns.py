"""Contracts of returns and advantages (lectures 49 and 50)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Recipe, Rejects, concatenate, full, given, normal, zeros


def _ends(*rows):
    """Rows of terminals, written as text: "..x." ends an episode with the third of four steps."""
    return np.array([[step == "x" for step in row] for row in rows])


def _some_ends(*shape):
    return Recipe(lambda rng: rng.uniform(size=shape) < 0.15)


REWARDS, VALUES, BOOTSTRAP = normal(3, 5), normal(3, 6, scale=2.0), normal(3, scale=2.0)
ENDS = _ends("..x..", "x...x", ".....")
ROWS = {
    "regular": (REWARDS, VALUES, BOOTSTRAP, ENDS, 0.9, 0.8),
    "no end, nothing discounted": (REWARDS, VALUES, BOOTSTRAP, _ends(".....", ".....", "....."), 1.0, 1.0),
    "every step is an end": (REWARDS, VALUES, BOOTSTRAP, _ends("xxxxx", "xxxxx", "xxxxx"), 0.9, 0.8),
    "one step": (normal(3, 1), normal(3, 2), BOOTSTRAP, _ends("x", ".", "."), 0.9, 0.8),
    "a discount and a decay of 0": (REWARDS, VALUES, BOOTSTRAP, ENDS, 0.0, 0.0),
    "ends as integers": (REWARDS, VALUES, BOOTSTRAP, ENDS.astype(np.int64), 0.9, 0.8),
    "ends as floating-point numbers": (REWARDS, VALUES, BOOTSTRAP, ENDS.astype(np.float64), 0.9, 0.8),
    "values near 1000": (REWARDS, normal(3, 6, mean=1000.0), normal(3, mean=1000.0), ENDS, 0.9, 0.8),
    "40 steps": (normal(2, 40), normal(2, 41), normal(2), _some_ends(2, 40), 0.99, 0.95),
}
END_OF_100 = np.arange(600)[None] == 99
LAW = {"rewards": REWARDS, "values": VALUES, "terminals": ENDS}
# Discount 1/2, trace decay 1/2, and the guess 4 for what follows; the episode of the first row ends with its first step.
SMALL = {
    "rewards": [[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]],
    "values": [[1.0, 2.0, 1.0, 4.0], [1.0, 2.0, 1.0, 4.0]],
    "terminals": _ends("x..", "..."),
}
PAID = {"rewards": SMALL["rewards"], "terminals": SMALL["terminals"], "bootstrap": [4.0, 4.0]}
MASK = _ends("xx.x", ".xxx", "x..x")


def _agrees():
    for case, (rewards, values, bootstrap, terminals, discount, trace_decay) in ROWS.items():
        row = {"rewards": rewards, "values": values, "terminals": terminals, "discount": discount}
        paid = {"rewards": rewards, "terminals": terminals, "bootstrap": bootstrap, "discount": discount}
        learned = {"differentiate": ("rewards", "values")}
        if case == "ends as floating-point numbers":
            yield Agree("generalized_advantages", case, given(**row, trace_decay=trace_decay), **learned)
            continue  # all functions read them in the same way
        yield Agree("discounted_returns", case, given(**paid), differentiate=("rewards", "bootstrap"))
        yield Agree("temporal_difference_errors", case, given(**row), **learned)
        yield Agree("n_step_returns", case, given(**row, num_steps=3), **learned)
        yield Agree("generalized_advantages", case, given(**row, trace_decay=trace_decay), **learned)
        yield Agree("lambda_returns", case, given(**row, trace_decay=trace_decay), **learned)
    for num_steps in (1, 5, 7):
        yield Agree("n_step_returns", f"{num_steps} of 5 steps", given(**LAW, discount=0.9, num_steps=num_steps))


def _rejects():
    several = {
        "discounted_returns": {"rewards": zeros(2, 3), "terminals": zeros(2, 3), "bootstrap": zeros(2)},
        "temporal_difference_errors": {"rewards": zeros(2, 3), "values": zeros(2, 4), "terminals": zeros(2, 3)},
    }
    several |= {
        name: several["temporal_difference_errors"] for name in ("n_step_returns", "generalized_advantages", "lambda_returns")
    }
    numbers = {"n_step_returns": {"num_steps": 2}}
    numbers |= {name: {"trace_decay": 0.5} for name in ("generalized_advantages", "lambda_returns")}
    for function, arguments in several.items():
        more = numbers.get(function, {})
        for discount in (-0.1, 1.1):
            yield Rejects(function, f"discount {discount}", given(**arguments, discount=discount, **more), blames="discount")
        halves = arguments | {"terminals": full(2, 3, value=0.5)}
        yield Rejects(function, "half an end", given(**halves, discount=0.5, **more), blames="terminals")
        counts = arguments | {"terminals": np.array([[0, 1, 255], [0, 0, 1]])}
        yield Rejects(function, "an end of 255", given(**counts, discount=0.5, **more), blames="terminals")
        empty = {name: zeros(2, {"values": 1}.get(name, 0)) for name in arguments if name != "bootstrap"}
        yield Rejects(function, "no step", given(**(arguments | empty), discount=0.5, **more), blames="rewards")
        if "values" in arguments:
            short = arguments | {"values": zeros(2, 3)}
            yield Rejects(function, "no value behind the row", given(**short, discount=0.5, **more), blames="values")
        if "trace_decay" in more:
            for decay in (-0.1, 1.1):
                yield Rejects(
                    function, f"trace decay {decay}", given(**arguments, discount=0.5, trace_decay=decay), blames="trace_decay"
                )


def _mixed(f, rewards, values, terminals):
    """The returns of 1 to 5 steps with weights 0.2, 0.16, ..., the rest on the longest."""
    weights = [0.2 * 0.8**n for n in range(4)] + [0.8**4]
    return sum(w * f.n_step_returns(rewards, values, terminals, discount=0.9, num_steps=n + 1) for n, w in enumerate(weights))


SPEC = (
    *_agrees(),
    Agree("whiten", "regular", given(advantages=normal(3, 4, mean=0.5, scale=2.0), mask=MASK, epsilon=1e-8)),
    Agree("whiten", "a large epsilon", given(advantages=normal(3, 4), mask=MASK, epsilon=0.3)),
    Agree("whiten", "a mask of integers", given(advantages=normal(3, 4), mask=MASK.astype(np.int64), epsilon=1e-3)),
    Agree("whiten", "advantages near 1000", given(advantages=normal(3, 4, mean=1000.0), mask=MASK, epsilon=1e-3)),
    Agree(
        "whiten",
        "one valid entry",
        given(advantages=normal(3, 4), mask=_ends("....", "..x.", "...."), epsilon=1e-8),
        no_gradient="the deviation has a kink where it is 0",
    ),
    Agree("whiten", "no valid entry", given(advantages=normal(3, 4), mask=np.zeros((3, 4), bool), epsilon=1e-8)),
    Agree(
        "whiten",
        "padding that is not a number",
        given(
            advantages=concatenate(normal(3, 2), full(3, 1, value=np.nan), full(3, 1, value=np.inf), axis=1),
            mask=_ends("xx..", "xx..", "x..."),
            epsilon=1e-3,
        ),
    ),
    # Every step pays 1, and nothing is discounted: a step's return is the number of steps to the end of its episode.
    *(
        Anchor(
            function,
            "600 steps, an end after 100",
            given(rewards=full(1, 600, value=1.0), terminals=END_OF_100, discount=1.0, **more),
            gives=[[*range(100, 0, -1), *range(500, 0, -1)]],
            source="by counting",
            near_misses={"goes on over the end": [[*range(600, 0, -1)]]},
        )
        for function, more in (
            ("discounted_returns", {"bootstrap": zeros(1)}),
            ("generalized_advantages", {"values": zeros(1, 601), "trace_decay": 1.0}),
            ("lambda_returns", {"values": zeros(1, 601), "trace_decay": 1.0}),
        )
    ),
    # By hand, discount 1/2.
    Anchor(
        "discounted_returns",
        "an end after the first step, and none",
        given(**PAID, discount=0.5),
        gives=[[1.0, 2.0, 4.0], [2.0, 2.0, 4.0]],
        source="by hand",
        near_misses={
            "goes on over the end": [[2.0, 2.0, 4.0], [2.0, 2.0, 4.0]],
            "the last reward of an episode lost": [[0.0, 2.0, 4.0], [2.0, 2.0, 4.0]],
            "nothing guessed for what follows": [[1.0, 1.0, 2.0], [1.5, 1.0, 2.0]],
            "the guess not discounted": [[1.0, 3.0, 6.0], [2.5, 3.0, 6.0]],
            "discounted from the beginning of the row": [[1.0, 1.0, 1.0], [2.0, 1.0, 1.0]],
            "not discounted": [[1.0, 6.0, 6.0], [7.0, 6.0, 6.0]],
        },
    ),
    Anchor(
        "temporal_difference_errors",
        "an end after the first step, and none",
        given(**SMALL, discount=0.5),
        gives=[[0.0, -1.5, 3.0], [1.0, -1.5, 3.0]],
        source="by hand",
        near_misses={
            "bootstraps over the end": [[1.0, -1.5, 3.0], [1.0, -1.5, 3.0]],
            "the reward of the end lost": [[-1.0, -1.5, 3.0], [1.0, -1.5, 3.0]],
            "value less what was observed": [[0.0, 1.5, -3.0], [-1.0, 1.5, -3.0]],
            "nothing guessed for what follows": [[0.0, -1.5, 1.0], [1.0, -1.5, 1.0]],
            "the value of the same state": [[0.0, -1.0, 1.5], [0.5, -1.0, 1.5]],
        },
    ),
    Anchor(
        "n_step_returns",
        "two steps",
        given(**SMALL, discount=0.5, num_steps=2),
        gives=[[1.0, 2.0, 4.0], [1.25, 2.0, 4.0]],
        source="by hand",
        near_misses={
            "one step": [[1.0, 0.5, 4.0], [2.0, 0.5, 4.0]],
            "three steps": [[1.0, 2.0, 4.0], [2.0, 2.0, 4.0]],
            "the value discounted once": [[1.0, 3.0, 4.0], [1.5, 3.0, 4.0]],
            "no guess at the row's end": [[1.0, 1.0, 2.0], [1.25, 1.0, 2.0]],
            "goes on over the end": [[1.25, 2.0, 4.0], [1.25, 2.0, 4.0]],
        },
    ),
    Anchor(
        "generalized_advantages",
        "an end after the first step, and none",
        given(**SMALL, discount=0.5, trace_decay=0.5),
        gives=[[0.0, -0.75, 3.0], [0.8125, -0.75, 3.0]],
        source="by hand",
        near_misses={
            "the end read one step late": [[0.8125, -0.75, 3.0], [0.8125, -0.75, 3.0]],
            "the trace goes on over the end": [[-0.1875, -0.75, 3.0], [0.8125, -0.75, 3.0]],
            "bootstraps over the end": [[1.0, -0.75, 3.0], [0.8125, -0.75, 3.0]],
            "the reward of the end lost": [[-1.0, -0.75, 3.0], [0.8125, -0.75, 3.0]],
            "a cut row taken for an end": [[0.0, -1.25, 1.0], [0.6875, -1.25, 1.0]],
            "decay on the value in the error": [[0.0, -1.25, 2.0], [0.1875, -1.25, 2.0]],
            "discounted twice, not decayed": [[0.0, 0.0, 3.0], [1.0, 0.0, 3.0]],
            "added up from the left": [[0.0, -1.5, 2.625], [1.0, -1.25, 2.6875]],
        },
    ),
    Anchor(
        "lambda_returns",
        "an end after the first step, and none",
        given(**SMALL, discount=0.5, trace_decay=0.5),
        gives=[[1.0, 1.25, 4.0], [1.8125, 1.25, 4.0]],
        source="by hand",
        near_misses={
            "the longest return weighed like the others": [[0.875, 0.75, 2.0], [1.5625, 0.75, 2.0]],
            "the next value added": [[2.0, 0.25, 7.0], [2.8125, 0.25, 7.0]],
            "the advantage itself": [[0.0, -0.75, 3.0], [0.8125, -0.75, 3.0]],
            "the whole return": [[1.0, 2.0, 4.0], [2.0, 2.0, 4.0]],
        },
    ),
    Anchor(
        "whiten",
        "mean 2.5, variance 1.25",
        given(advantages=[[1.0, 3.0, 100.0], [2.0, 4.0, 7.0]], mask=_ends("xx.", "xx."), epsilon=0.5),
        gives=[[-0.9270509831248423, 0.3090169943749474, 0.0], [-0.3090169943749474, 0.9270509831248423, 0.0]],
        source="by hand, the divisor is the golden ratio",
        near_misses={
            "the deviation of a sample": [[-0.8375236110, 0.2791745370, 0.0], [-0.2791745370, 0.8375236110, 0.0]],
            "epsilon under the root": [[-1.1338934190, 0.3779644730, 0.0], [-0.3779644730, 1.1338934190, 0.0]],
            "padding counted": [[-0.5061596, -0.4514397, 0.0], [-0.4787997, -0.4240797, 0.0]],
            "row by row": [[-0.6666666667, 0.6666666667, 0.0], [-0.6666666667, 0.6666666667, 0.0]],
            "divided by the variance": [[-0.8571428571, 0.2857142857, 0.0], [-0.2857142857, 0.8571428571, 0.0]],
            "not centered": [[0.6180339887, 1.8541019662, 0.0], [1.2360679775, 2.4721359550, 0.0]],
        },
    ),
    Anchor(
        "whiten",
        "equal advantages",
        given(advantages=full(3, 4, value=0.1), mask=MASK, epsilon=1e-5),
        gives=np.zeros((3, 4)),
        source="by hand",
        near_misses={"divided by the deviation, 0": np.ones((3, 4))},
    ),
    Law.equal(
        "without a trace the advantage is one step's error",
        given(**LAW),
        left=lambda f, *row: f.generalized_advantages(*row, discount=0.9, trace_decay=0.0),
        right=lambda f, *row: f.temporal_difference_errors(*row, discount=0.9),
    ),
    Law.equal(
        "with a full trace it is the return less the value",
        given(**LAW),
        left=lambda f, *row: f.generalized_advantages(*row, discount=0.9, trace_decay=1.0),
        right=lambda f, r, v, d: f.discounted_returns(r, d, v[:, -1], discount=0.9) - v[:, :-1],
    ),
    Law.equal(
        "the lambda-return is the advantage and the value",
        given(**LAW),
        left=lambda f, *row: f.lambda_returns(*row, discount=0.9, trace_decay=0.8),
        right=lambda f, r, v, d: f.generalized_advantages(r, v, d, discount=0.9, trace_decay=0.8) + v[:, :-1],
    ),
    Law.equal(
        "more steps than the row has are all of them",
        given(**LAW),
        left=lambda f, *row: f.n_step_returns(*row, discount=0.9, num_steps=9),
        right=lambda f, r, v, d: f.discounted_returns(r, d, v[:, -1], discount=0.9),
    ),
    Law.equal(
        "the lambda-return mixes the returns of all numbers of steps",
        given(**LAW),
        left=lambda f, *row: f.lambda_returns(*row, discount=0.9, trace_decay=0.8),
        right=_mixed,
    ),
    Law.equal(
        "nothing after an end changes what came before",
        given(**LAW, other=normal(3, 5), others=normal(3, 6)),
        left=lambda f, r, v, d, other, others: _until(2, f, r, v, d),
        right=lambda f, r, v, d, other, others: _until(
            2, f, np.where(np.arange(5) <= 2, r, other), np.where(np.arange(6) <= 2, v, others), d
        ),
    ),
    Law.equal(
        "a potential, paid when it grows and taken from the values, changes no advantage",
        given(**LAW, potential=normal(3, 6)),
        left=lambda f, *row: f.generalized_advantages(*row[:3], discount=0.9, trace_decay=0.8),
        right=lambda f, r, v, d, phi: f.generalized_advantages(
            r + 0.9 * (1 - d) * phi[:, 1:] - phi[:, :-1], v - phi, d, discount=0.9, trace_decay=0.8
        ),
    ),
    Law.equal(
        "whitened advantages have mean 0 and, but for epsilon, variance 1",
        given(advantages=normal(3, 4, mean=3.0, scale=2.0)),
        left=lambda f, a: (lambda w: np.array([w[MASK].mean(), (w[MASK] ** 2).mean()]))(f.whiten(a, MASK, epsilon=0.5)),
        right=lambda f, a: np.array([0.0, (a[MASK].std() / (a[MASK].std() + 0.5)) ** 2]),
    ),
    Law.equal(
        "the scale of the advantages is the scale of epsilon",
        given(advantages=normal(3, 4)),
        left=lambda f, a: f.whiten(4.0 * a + 3.0, MASK, epsilon=1.0),
        right=lambda f, a: f.whiten(a, MASK, epsilon=0.25),
    ),
    *_rejects(),
    Rejects(
        "discounted_returns",
        "terminals of another length",
        given(rewards=zeros(2, 3), terminals=zeros(2, 4), bootstrap=zeros(2), discount=0.5),
        blames="terminals",
    ),
    Rejects(
        "discounted_returns",
        "a guess for each step",
        given(rewards=zeros(2, 3), terminals=zeros(2, 3), bootstrap=zeros(2, 3), discount=0.5),
        blames="bootstrap",
    ),
    Rejects(
        "n_step_returns",
        "no step ahead",
        given(rewards=zeros(2, 3), values=zeros(2, 4), terminals=zeros(2, 3), discount=0.5, num_steps=0),
        blames="num_steps",
    ),
    Rejects("whiten", "a mask of another shape", given(advantages=zeros(2, 3), mask=zeros(2, 1), epsilon=1e-8), blames="mask"),
    Rejects("whiten", "weights", given(advantages=zeros(2, 3), mask=full(2, 3, value=0.5), epsilon=1e-3), blames="mask"),
    Rejects("whiten", "epsilon 0", given(advantages=zeros(2, 3), mask=np.ones((2, 3), bool), epsilon=0.0), blames="epsilon"),
)


def _until(last, f, rewards, values, terminals):
    """All quantities of the first row up to the step `last`, at which its episode ends."""
    row = (rewards, values, terminals)
    return np.stack(
        [
            f.generalized_advantages(*row, discount=0.9, trace_decay=0.8)[0, : last + 1],
            f.n_step_returns(*row, discount=0.9, num_steps=2)[0, : last + 1],
            f.discounted_returns(rewards, terminals, values[:, -1], discount=0.9)[0, : last + 1],
        ]
    )
