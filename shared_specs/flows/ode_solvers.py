"""Contracts of solvers of ordinary differential equations."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, normal, scalar, zeros

X, IMAGES = normal(4, 3), normal(2, 1, 3, 2)
UNEVEN, FALLING = [0.0, 0.1, 0.3, 1.0], [1.0, 0.7, 0.1]
STEPS = {"euler_step": 1, "midpoint_step": 2, "runge_kutta_4_step": 4, "dormand_prince_step": 5}
NAMED = {"euler": 1.0, "midpoint": 2.0, "runge_kutta_4": 4.0, "dormand_prince": 5.0}
LOOSE = {"rtol": 1e-3, "atol": 1e-3}
HELD = "gradients hold the sizes of the steps constant, and differences do not"


def bent(x, time):
    """A velocity that depends on place and time, and is no straight line in either."""
    return x * (time - x / 8)


def growing(x, time):
    """Velocity x at every time."""
    return x * 1.0


def cubic(x, time):
    """A velocity of the time alone, of which t^4 is the integral."""
    return x * 0 + 4 * time * time * time


def falling(x, time):
    """The velocity of x0/(1 + x0 t^2)."""
    return -2 * time * x * x


def stiff(x, time):
    """A velocity of -20 times the distance from the time."""
    return -20 * (x - time)


def flat(x, time):
    """Another shape than that of x."""
    return x[:, 0]


def _fell(x, time):
    return x / (1 + x * time**2)


def _grid(h):
    """Times from 0 to 1, h apart."""
    return np.linspace(0.0, 1.0, round(1 / h) + 1)


def _value(result):
    """The value that a step gives, without its error."""
    return result[0] if isinstance(result, tuple) else result


ONE = given(x=[[1.0]], time=scalar(0.0), step_size=scalar(1.0), velocity_fn=growing)

SPEC = (
    # One step.
    *(
        row
        for step in STEPS
        for row in (
            Agree(step, "regular", given(x=X, time=scalar(0.5), step_size=scalar(0.25), velocity_fn=bent)),
            Law.equal(f"{step}: no step", given(x=X, time=np.array(0.5)), right=lambda f, x, time: x,
                      left=lambda f, x, time, step_size=step: _value(getattr(f, step_size)(x, time, 0 * time, bent))),
            Rejects(step, "a time for each", given(x=zeros(4, 3), time=zeros(4), step_size=scalar(0.1), velocity_fn=bent),
                    blames="time"),
            Rejects(step, "a step for each", given(x=zeros(4, 3), time=scalar(0.0), step_size=zeros(4), velocity_fn=bent),
                    blames="step_size"),
            Rejects(step, "a velocity of another shape", given(
                x=zeros(4, 3), time=scalar(0.0), step_size=scalar(0.1), velocity_fn=flat), blames="velocity_fn"),
        )
    ),
    Anchor("euler_step", "velocity x, one step of 1", ONE, gives=[[2.0]], source="1 + 1",
           near_misses={"the velocity alone": [[1.0]], "exact": [[np.e]]}),
    Anchor("midpoint_step", "velocity x, one step of 1", ONE, gives=[[2.5]], source="1 + 3/2",
           near_misses={"Euler": [[2.0]], "the slope at the end": [[3.0]], "exact": [[np.e]]}),
    Anchor("runge_kutta_4_step", "velocity x, one step of 1", ONE, gives=[[65 / 24]], source="1 + 1 + 1/2 + 1/6 + 1/24",
           near_misses={"order three": [[8 / 3]], "equal weights": [[2.8125]], "exact": [[np.e]]}),
    Anchor("dormand_prince_step", "velocity x, one step of 1", ONE, gives=([[1631 / 600]], [[-0.000525]]),
           source="163/60 + 1/600, and 21/40000 below order four",
           near_misses={"the value of order four": ([[1631 / 600 + 0.000525]], [[-0.000525]]),
                        "the sign of the error": ([[1631 / 600]], [[0.000525]]), "z^6/720": ([[1957 / 720]], [[-0.000525]])}),
    *(
        Anchor(step, "4 t^3 from 1 to 2", given(x=[[0.0]], time=scalar(1.0), step_size=scalar(1.0), velocity_fn=cubic),
               gives=[[gives]], source=source, near_misses={k: [[v]] for k, v in others.items()})
        for step, gives, source, others in (
            ("euler_step", 4.0, "the start", {"the end": 32.0, "the middle": 13.5}),
            ("midpoint_step", 13.5, "4 . 27/8", {"at the start": 4.0, "at the end": 32.0}),
            ("runge_kutta_4_step", 15.0, "Simpson's rule is exact", {"the third at the end": 127 / 6, "all at the start": 4.0}),
        )
    ),
    # Many steps.
    Agree("solve_fixed", "uneven times", given(x=X, times=UNEVEN, velocity_fn=bent), differentiate=("x",)),
    Agree("solve_fixed", "images, falling times", given(
        x=IMAGES, times=FALLING, velocity_fn=bent, method="dormand_prince"), differentiate=("x",)),
    *(
        Law.limit(f"{method}: order {order:g}", given(x=[[1.0, 0.5]]), at=at, order=order, limit=lambda f, x: _fell(x, 1.0),
                  value=lambda f, h, x, method=method: f.solve_fixed(x, _grid(h), falling, method=method))
        for (method, order), at in zip(NAMED.items(), (
            (1 / 16, 1 / 32, 1 / 64), (1 / 16, 1 / 32, 1 / 64), (1 / 4, 1 / 8, 1 / 16), (1 / 4, 1 / 8, 1 / 16)), strict=True)
    ),
    *(
        Law.equal(f"{method}: its steps, one after the other", given(x=X),
                  left=lambda f, x, method=method: f.solve_fixed(x, np.array(FALLING), bent, method=method),
                  right=lambda f, x, method=method: _value(getattr(f, f"{method}_step")(_value(getattr(f, f"{method}_step")(
                      x, np.array(1.0), np.array(-0.3), bent)), np.array(0.7), np.array(-0.6), bent)))
        for method in NAMED
    ),
    Rejects("solve_fixed", "one time", given(x=zeros(4, 3), times=[0.5], velocity_fn=bent), blames="times"),
    Rejects("solve_fixed", "there and back", given(x=zeros(4, 3), times=[0.0, 1.0, 0.5], velocity_fn=bent), blames="times"),
    Rejects("solve_fixed", "a time twice", given(x=zeros(4, 3), times=[0.0, 0.5, 0.5], velocity_fn=bent), blames="times"),
    Rejects("solve_fixed", "another method", given(x=zeros(4, 3), times=[0.0, 1.0], velocity_fn=bent, method="heun"),
            blames="method"),
    Rejects("solve_fixed", "a velocity of another shape", given(x=zeros(4, 3), times=[0.0, 1.0], velocity_fn=flat),
            blames="velocity_fn"),
    # How large the next step may be.
    Agree("error_ratio", "regular", given(error=X, x_before=normal(4, 3), x_after=normal(4, 3), rtol=0.1, atol=0.2),
          smallest_batch=1),
    Agree("error_ratio", "no error", given(error=zeros(2, 3), x_before=normal(2, 3), x_after=normal(2, 3), rtol=0.0, atol=1e-6),
          no_gradient="a root at 0"),
    Anchor("error_ratio", "ratios 1 and -2", given(
        error=[2.0, -5.0], x_before=[5.0, -20.0], x_after=[-15.0, 10.0], rtol=0.1, atol=0.5), gives=2.5**0.5,
           source="by hand", near_misses={"the largest": 2.0, "the square": 2.5, "the sum": 5**0.5, "the mean": 1.5,
                                          "relative to the start": 2.0, "relative to the end": (0.5 + 100 / 9 / 2) ** 0.5,
                                          "signs kept": (2 + 50 / 9) ** 0.5}),
    Rejects("error_ratio", "no entry", given(
        error=zeros(0, 3), x_before=zeros(0, 3), x_after=zeros(0, 3), rtol=0.1, atol=0.1), blames="error"),
    Rejects("error_ratio", "another shape before", given(
        error=zeros(4, 3), x_before=zeros(3), x_after=zeros(4, 3), rtol=0.1, atol=0.1), blames="x_before"),
    Rejects("error_ratio", "another shape after", given(
        error=zeros(4, 3), x_before=zeros(4, 3), x_after=zeros(3), rtol=0.1, atol=0.1), blames="x_after"),
    Rejects("error_ratio", "nothing allowed at 0", given(
        error=zeros(4, 3), x_before=zeros(4, 3), x_after=zeros(4, 3), rtol=0.1, atol=0.0), blames="atol"),
    Rejects("error_ratio", "a negative tolerance", given(
        error=zeros(4, 3), x_before=zeros(4, 3), x_after=zeros(4, 3), rtol=-0.1, atol=0.1), blames="rtol"),
    Agree("next_step_size", "regular", given(step_size=scalar(0.1), ratio=scalar(2.0))),
    Agree("next_step_size", "other bounds", given(
        step_size=scalar(-0.1), ratio=scalar(0.3), order=3, safety=0.8, min_factor=0.5, max_factor=2.0)),
    Agree("next_step_size", "no error", given(step_size=scalar(0.1), ratio=scalar(0.0))),
    *(
        Anchor("next_step_size", f"ratio {ratio:g}", given(step_size=scalar(step), ratio=scalar(ratio)), gives=gives,
               source="by hand", near_misses=others)
        for ratio, step, gives, others in (
            (32.0, 0.1, 0.045, {"exponent -5": 0.02, "exponent 1/5": 0.18, "exponent -1/4": 0.09 * 32**-0.25, "bold": 0.05}),
            (1.0, -2.0, -1.8, {"the sign lost": 1.8, "bold": -2.0}),
            (0.0, 0.1, 1.0, {"not bounded": np.inf}),
            (1e9, 0.1, 0.02, {"not bounded": 0.09 * 1e9**-0.2, "to 0": 0.0}),
            (np.inf, 0.1, 0.02, {"to 0": 0.0}),
        )
    ),
    Rejects("next_step_size", "a ratio for each", given(step_size=scalar(0.1), ratio=zeros(3)), blames="ratio"),
    Rejects("next_step_size", "a step for each", given(step_size=zeros(3), ratio=scalar(0.1)), blames="step_size"),
    Rejects("next_step_size", "a negative ratio", given(step_size=scalar(0.1), ratio=scalar(-1.0)), blames="ratio"),
    *(
        Rejects("next_step_size", case, given(step_size=scalar(0.1), ratio=scalar(1.0), **{name: value}), blames=name)
        for case, name, value in (("order 0", "order", 0), ("no safety", "safety", 0.0), ("to 0", "min_factor", 0.0),
                                  ("bounds exchanged", "max_factor", 0.1))
    ),
    # Steps of a chosen size.
    Agree("solve_adaptive", "every step ten times the last", given(
        x=X, time_start=scalar(0.0), time_end=scalar(0.5), velocity_fn=bent, rtol=9.0, atol=9.0, initial_step=0.01, max_steps=3),
          smallest_batch=1),
    Agree("solve_adaptive", "backward, with a step taken again", given(
        x=IMAGES, time_start=scalar(1.5), time_end=scalar(1.0), velocity_fn=lambda x, time: -stiff(x, time), **LOOSE,
        initial_step=0.4, max_steps=12), no_gradient=HELD),
    Anchor("solve_adaptive", "4 t^3 from 2 to 1", given(
        x=[[16.0, 0.0]], time_start=scalar(2.0), time_end=scalar(1.0), velocity_fn=cubic, initial_step=0.1, max_steps=9),
           gives=[[1.0, -15.0]], source="all methods of order four are exact", near_misses={
               "the sign lost": [[81.0, 65.0]], "half of the way": [[81 / 16, 81 / 16 - 16]], "not moved": [[16.0, 0.0]]}),
    Law.equal("from a time to the same", given(x=X), right=lambda f, x: x,
              left=lambda f, x: f.solve_adaptive(x, np.array(0.5), np.array(0.5), bent, max_steps=1)),
    Rejects("solve_adaptive", "too few steps", given(
        x=zeros(4, 3), time_start=scalar(0.0), time_end=scalar(1.0), velocity_fn=stiff, initial_step=1e-3, max_steps=2),
            blames="max_steps is 2"),
    Rejects("solve_adaptive", "no entry", given(
        x=zeros(0, 3), time_start=scalar(0.0), time_end=scalar(1.0), velocity_fn=bent), blames="x"),
    Rejects("solve_adaptive", "a start for each", given(
        x=zeros(4, 3), time_start=zeros(4), time_end=scalar(1.0), velocity_fn=bent), blames="time_start"),
    Rejects("solve_adaptive", "an end for each", given(
        x=zeros(4, 3), time_start=scalar(0.0), time_end=zeros(4), velocity_fn=bent), blames="time_end"),
    Rejects("solve_adaptive", "a velocity of another shape", given(
        x=zeros(4, 3), time_start=scalar(0.0), time_end=scalar(1.0), velocity_fn=flat), blames="velocity_fn"),
    *(
        Rejects("solve_adaptive", case, given(
            x=zeros(4, 3), time_start=scalar(0.0), time_end=scalar(1.0), velocity_fn=bent, **{name: value}), blames=name)
        for case, name, value in (("no absolute tolerance", "atol", 0.0), ("a negative tolerance", "rtol", -1.0),
                                  ("no first step", "initial_step", 0.0), ("no step", "max_steps", 0))
    ),
)  # fmt: skip
