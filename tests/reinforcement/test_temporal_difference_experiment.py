"""The grid worlds as processes, their exact values, and what the learners make of them."""

import dataclasses

import numpy as np
import pytest
import scipy.optimize
import torch

from practice_torch.experiments.control.grid_world import MAPS, MOVES, GridWorld
from practice_torch.experiments.reinforcement.temporal_difference import RECIPES, build

UP, RIGHT, DOWN, LEFT = range(len(MOVES))


def world(grid="cliff", slip=0.0):
    return GridWorld(**dataclasses.asdict(MAPS[grid]), slip=slip)


def trained(name, steps, seed=0, **changes):
    """The learner after so many steps, and what is measured of it."""
    experiment = build(dataclasses.replace(RECIPES[name], **changes), None)
    experiment.generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _ in range(steps):
            experiment(None, "learn")
    return experiment, experiment.evaluate(None)


def test_the_cliff_is_that_of_sutton_and_barto():
    """From the start: up a row, right into the cliff and back, against the edges; the goal is where everything ends."""
    cliff = world()
    at = {cell: state for state, cell in enumerate(cliff.cells)}
    assert len(at) == 38 and cliff.start == at[3, 0]
    assert cliff.moves[cliff.start].tolist() == [at[2, 0], at[3, 0], at[3, 0], at[3, 0]]
    assert cliff.pays[cliff.start].tolist() == [-1.0, -100.0, -1.0, -1.0]
    assert cliff.moves[at[2, 5], DOWN] == cliff.start and cliff.moves[at[2, 11], DOWN] == at[3, 11]
    assert cliff.ends.nonzero().tolist() == [[at[3, 11]]]
    assert cliff.moves[at[3, 11]].tolist() == [at[3, 11]] * 4 and cliff.pays[at[3, 11]].tolist() == [0.0] * 4


def test_a_wall_is_in_the_way():
    walled = GridWorld(("S#G", "..."), step=-1.0, goal=7.0, fall=0.0, slip=0.0)
    assert walled.cells == [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert walled.moves[0].tolist() == [0, 0, 2, 0] and walled.moves[3].tolist() == [3, 4, 3, 2]
    assert walled.pays[4].tolist() == [7.0, -1.0, -1.0, -1.0]


@pytest.mark.parametrize("slip", [0.0, 0.4])
def test_steps_are_drawn_from_the_process(slip):
    """4000 of each action in each state of the room: frequencies and mean rewards, within five standard errors."""
    room, draws = world("room", slip), 4000
    transition, reward = room.process()
    states, actions = (part.flatten().repeat(draws) for part in torch.meshgrid(torch.arange(9), torch.arange(4), indexing="ij"))
    paid, arrived, ended = room.step(states, actions, torch.Generator().manual_seed(0))
    found = torch.nn.functional.one_hot(arrived, 9).double().view(draws, 9, 4, 9).mean(0)
    assert ((found - transition).abs() <= 5 * (transition * (1 - transition) / draws).sqrt() + 1e-12).all()
    paid = paid.double().view(draws, 9, 4)
    assert ((paid.mean(0) - reward).abs() <= 5 * paid.std(0) / draws**0.5 + 1e-12).all()
    assert torch.equal(ended, room.ends[arrived])


def test_the_best_values_are_the_linear_programs():
    """scipy.optimize.linprog: the smallest v with v >= r + discount P v for every action, on a cliff where moves go astray."""
    cliff = world(slip=0.2)
    transition, reward = (part.numpy() for part in cliff.process())
    above = (0.9 * transition - np.eye(38)[:, None, :]).reshape(-1, 38)
    program = scipy.optimize.linprog(np.ones(38), A_ub=above, b_ub=-reward.ravel(), bounds=(None, None))
    np.testing.assert_allclose(cliff.best_values(discount=0.9).amax(1).numpy(), program.x, rtol=1e-7)


def test_the_best_exploring_values_are_a_fixed_point():
    """q = r + discount P ((1 - epsilon) max q + epsilon mean q), and no exploring policy of 10 random ones has more."""
    cliff, epsilon = world(slip=0.1), 0.3
    transition, reward = cliff.process()
    values = cliff.best_values(discount=0.9, epsilon=epsilon)
    following = (1 - epsilon) * values.amax(1) + epsilon * values.mean(1)
    torch.testing.assert_close(values, reward + 0.9 * transition @ following, rtol=0, atol=1e-9)
    draws = torch.Generator().manual_seed(0)
    for _ in range(10):
        chosen = torch.rand(38, 4, generator=draws).softmax(1).double()
        chosen = (1 - epsilon) * chosen / chosen.sum(1, keepdim=True) + epsilon / 4
        assert (cliff.value_of(chosen, discount=0.9) <= following + 1e-9).all()


def test_q_learning_finds_the_shortest_way_and_sarsa_the_safe_one():
    """13 steps along the cliff; one row farther up, where a random action is no fall: worth less, and more to who explores."""
    along, measured = trained("cliff", 800)
    assert measured["greedy_return"] == pytest.approx(-sum(0.95**k for k in range(13)))
    assert measured["greedy_return"] == pytest.approx(measured["best_greedy_return"])
    assert measured["value_error"] < 1.5
    assert measured["exploring_return"] < measured["best_exploring_return"] - 10
    _, measured = trained("cliff", 1500, method="expected_sarsa")
    assert measured["greedy_return"] == pytest.approx(-sum(0.95**k for k in range(15)))
    assert measured["exploring_return"] == pytest.approx(measured["best_exploring_return"], abs=0.1)
    assert measured["value_error"] < 1.5
    # What Q-learning found is no answer to SARSA's question: the error would be far above both bounds.
    exact = along.world.best_values(discount=0.95, epsilon=0.1)
    assert (along.values[0].double() - exact).square().mean().sqrt() > 3


def test_noise_makes_the_maximum_too_large_and_a_second_table_does_not():
    """Early in the room, where every reward has a standard deviation of 11: the mean of three runs of eight walkers."""
    bias = {
        name: np.mean([trained(name, 300, seed, batch_size=8)[1]["start_bias"] for seed in range(3)])
        for name in ("room", "room_double")
    }
    assert bias["room"] > 1 and bias["room_double"] < 0, bias
