"""Walks of the policy: from each cell, the next ones are as frequent as the policy and the slips of the world say."""

import torch

from practice_torch.experiments.control.grid_world import GridWorld
from practice_torch.experiments.reinforcement.temporal_difference import LONGEST, GridExperiment
from tests.support.samplers import built, require_same, require_shares, shown

WALKS = 100


def walks_by_the_policy():
    """On the map of nine cells; half of the actions are random, and of ten moves three go astray."""
    experiment = built("reinforcement/temporal_difference", "room", epsilon=0.5, slip=0.3)
    world, draws = experiment.world, torch.Generator().manual_seed(1)
    experiment.values.copy_(torch.randn(experiment.values.shape, generator=draws))
    best = experiment.values.mean(0).argmax(1)
    policy = 0.5 / 4 + 0.5 * torch.nn.functional.one_hot(best, 4)
    ways = 0.3 * torch.full((9, 4), 1 / 4) + 0.7 * policy  # what is done after all
    law = torch.zeros(9, 9).scatter_add(1, world.moves, ways)
    _, paths = shown(experiment.sample(WALKS)["walks"])
    paths = paths[::2]  # behind each its crosses
    assert len(paths) == WALKS
    jitter = 0.15 * torch.randn(WALKS, 2, generator=torch.Generator().manual_seed(0))
    leaves, arrives = [], []
    for path, shift in zip(paths, jitter, strict=True):
        cells = (path.flip(1) - shift).round().long()
        require_same(path.flip(1), cells + shift)
        states = 3 * cells[:, 0] + cells[:, 1]
        assert states[0] == world.start
        ended = world.ends[states]
        assert not ended[:-1].any() and (ended[-1] or len(states) == LONGEST + 1)
        leaves.append(states[:-1])
        arrives.append(states[1:])
    leaves, arrives = torch.cat(leaves), torch.cat(arrives)
    for state in leaves.unique().tolist():
        require_shares(arrives[leaves == state], law[state])


def learns_from_where_it_walks():
    """The walkers of a step of learning go on by the same policy, and begin again at the start behind the goal."""
    experiment = built("reinforcement/temporal_difference", "room", epsilon=1.0, slip=0.0, batch_size=2000)
    world = experiment.world
    before, action = torch.randint(9, (2000,), generator=torch.Generator().manual_seed(2)), torch.zeros(2000, dtype=torch.int64)
    experiment.state, experiment.action = before.clone(), action
    experiment(None, "learn")
    arrived = world.moves[before, 0]
    require_same(experiment.state, torch.where(world.ends[arrived], world.start, arrived))
    require_shares(experiment.action, torch.full((4,), 0.25))


SAMPLERS = {
    walks_by_the_policy: {
        "never at random": (GridExperiment._policy, "epsilon / len(MOVES)", "0 * epsilon"),
        "never astray": (GridWorld.step, "astray < self.slip", "astray < 0"),
        "the least valuable action": (GridExperiment._policy, "self.values.mean(0).max(1)", "self.values.mean(0).min(1)"),
        "beyond the goal": (GridExperiment.sample, "(~self.world.ends.cpu()[walked]).sum(1) + 1", "(walked >= 0).sum(1)"),
        "the action before": (GridExperiment._act, "cumsum(1)[:, :-1] < drawn", "cumsum(1)[:, 1:] < drawn"),
        "rows for columns": (GridExperiment.sample, "(cells[walk[:length]] + shift)", "(cells[walk[:length]].flip(1) + shift)"),
    },
    learns_from_where_it_walks: {
        "no new episode": (GridExperiment.forward, "torch.where(ended, self.world.start, arrived)", "arrived"),
        "the same action again": (GridExperiment.forward, "self.action.copy_(following)", "self.action"),
    },
}
