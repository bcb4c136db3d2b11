"""Contracts of a replay buffer of persistent chains."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Rejects, given, integers, normal, uniform, zeros

BUFFER, PLACES, FRESH, CHANCES = normal(6, 2), integers(4, high=6), normal(4, 2), uniform(4)
ARRAYS = {"differentiate": ("buffer", "fresh"), "frozen": ("uniforms",)}
TWICE = np.array([2, 0, 2, 5])
FAR = {"buffer": normal(256, 2), "indices": np.array([255, 0, 255, 128])}


def _drawn(**changed):
    return given(**{"buffer": zeros(6, 2), "indices": np.zeros(4, int), "fresh": zeros(4, 2), "uniforms": zeros(4)} | changed)


def _written(**changed):
    return given(**{"buffer": zeros(6, 2), "indices": np.zeros(4, int), "samples": zeros(4, 2)} | changed)


def _rows_of_refusals():
    """Inputs rejected by both drawing and writing."""
    for function, of, batch in (("sample", _drawn, "fresh"), ("update", _written, "samples")):
        yield Rejects(function, "an index behind the last", of(indices=np.array([0, 1, 6, 2])), blames="indices is 6")
        yield Rejects(function, "a negative index", of(indices=np.array([0, -1, 1, 2])), blames="indices is -1")
        yield Rejects(function, "indices that are no integers", of(indices=zeros(4)), blames="indices")
        yield Rejects(function, "a table of indices", of(indices=np.zeros((4, 1), int)), blames="indices")
        yield Rejects(function, "an empty buffer", of(buffer=zeros(0, 2)), blames="buffer")
        yield Rejects(function, "other axes", of(**{batch: zeros(4, 3)}), blames=batch)
        yield Rejects(function, "another batch", of(**{batch: zeros(3, 2)}), blames=batch)


SPEC = (
    Agree("sample", "regular", given(buffer=BUFFER, indices=PLACES, fresh=FRESH, uniforms=CHANCES, reinitialize_probability=0.4),
          **ARRAYS),
    Agree("sample", "images", given(buffer=normal(6, 1, 2, 3), indices=PLACES, fresh=normal(4, 1, 2, 3), uniforms=CHANCES,
                                    reinitialize_probability=0.6), **ARRAYS),
    Agree("sample", "one probability in twenty, if not said", given(buffer=BUFFER, indices=PLACES, fresh=FRESH,
                                                                    uniforms=[0.04, 0.06, 0.9, 0.01]), **ARRAYS),
    Agree("sample", "places beyond 127, and the last twice", given(**FAR, fresh=FRESH, uniforms=CHANCES), **ARRAYS),
    Anchor("sample", "p = 1/4", given(
               buffer=[[1.0], [2.0], [3.0]], indices=np.array([2, 2, 0, 1]), fresh=[[10.0], [20.0], [30.0], [40.0]],
               uniforms=[0.0, 0.25, 0.2421875, 0.875], reinitialize_probability=0.25),
           gives=[[10.0], [3.0], [30.0], [2.0]], source="by hand; a uniform number of exactly p leaves the stored one",
           frozen=("uniforms",),
           near_misses={"not below p": [[3.0], [20.0], [1.0], [40.0]], "up to p": [[10.0], [20.0], [30.0], [2.0]],
                        "one fresh draw for all": [[10.0], [3.0], [10.0], [2.0]], "in order": [[10.0], [2.0], [30.0], [1.0]]}),
    Law.equal("at probability 0 all are stored, at 1 all fresh",
              given(buffer=BUFFER, indices=PLACES, fresh=FRESH, uniforms=[0.0, 0.3, 0.9, 0.999]),
              left=lambda f, *arrays: np.stack([f.sample(*arrays, reinitialize_probability=p) for p in (0.0, 1.0)]),
              right=lambda f, buffer, indices, fresh, uniforms: np.stack([buffer[indices], fresh])),
    Rejects("sample", "uniform numbers for a smaller batch", _drawn(uniforms=zeros(3)), blames="uniforms"),
    Rejects("sample", "a uniform number above 1", _drawn(uniforms=1.5 * np.ones(4)), blames="uniforms"),
    Rejects("sample", "a probability above 1", _drawn(reinitialize_probability=1.5), blames="reinitialize_probability"),
    Rejects("sample", "a probability that is NaN", _drawn(reinitialize_probability=np.nan), blames="reinitialize_probability"),
    # Written back.
    Agree("update", "regular", given(buffer=BUFFER, indices=np.array([4, 0, 3, 1]), samples=FRESH)),
    Agree("update", "one place twice", given(buffer=BUFFER, indices=TWICE, samples=FRESH)),
    Agree("update", "more samples than places", given(buffer=normal(2, 2), indices=np.array([1, 1, 0, 1]), samples=FRESH)),
    Agree("update", "images", given(buffer=normal(6, 1, 2, 3), indices=TWICE, samples=normal(4, 1, 2, 3))),
    Agree("update", "places beyond 127, and the last twice", given(**FAR, samples=FRESH)),
    Anchor("update", "one place twice", given(buffer=[1.0, 2.0, 3.0], indices=np.array([2, 0, 2]), samples=[10.0, 20.0, 30.0]),
           gives=[20.0, 2.0, 30.0], source="by hand",
           near_misses={"the first wins": [20.0, 2.0, 10.0], "added": [21.0, 2.0, 43.0], "their mean": [20.0, 2.0, 20.0],
                        "the largest of all": [20.0, 2.0, 40.0], "nothing written": [1.0, 2.0, 3.0]}),
    Law.equal("what is written is what is drawn", given(buffer=BUFFER, samples=FRESH, fresh=normal(4, 2), uniforms=CHANCES),
              left=lambda f, buffer, samples, fresh, uniforms: f.sample(
                  f.update(buffer, np.array([5, 0, 3, 1]), samples), np.array([5, 0, 3, 1]), fresh, uniforms,
                  reinitialize_probability=0.0),
              right=lambda f, buffer, samples, fresh, uniforms: samples),
    Law.equal("what was drawn and is put back changes nothing", given(buffer=BUFFER, indices=TWICE),
              left=lambda f, buffer, indices: f.update(buffer, indices, buffer[indices]),
              right=lambda f, buffer, indices: buffer),
    *_rows_of_refusals(),
    # How old a chain is.
    Agree("expected_age", "the paper's", given(reinitialize_probability=0.05, chain_length=60)),
    Anchor("expected_age", "60 steps, one in twenty", given(reinitialize_probability=0.05, chain_length=60), gives=1200.0,
           source="60 * 20", near_misses={"before the visit": 1140.0, "fresh above p": 60 / 0.95, "in visits": 20.0, "K p": 3.0}),
    Rejects("expected_age", "never begun anew", given(reinitialize_probability=0.0, chain_length=60),
            blames="reinitialize_probability"),
    Rejects("expected_age", "a probability above 1", given(reinitialize_probability=1.5, chain_length=60),
            blames="reinitialize_probability"),
    Rejects("expected_age", "no step", given(reinitialize_probability=0.05, chain_length=0), blames="chain_length"),
)  # fmt: skip
