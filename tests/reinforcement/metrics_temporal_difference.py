"""Walkers on a grid, one after another; exact values by iterating Bellman's equation over all cells."""

import math

import torch

from tests.support.metrics import mean


def policy(e, epsilon):
    """Probabilities [S][A]: the action with the largest mean value, or any with probability epsilon."""
    rows = []
    for values in e.values.mean(0).tolist():
        best = values.index(max(values))
        rows.append([(1 - epsilon) * (a == best) + epsilon / 4 for a in range(4)])
    return rows


def learned(e):
    """(rewards, the table after a step), of the walkers as they are."""
    world, recipe, table = e.world, e.recipe, e.values.clone()
    count = len(e.state)
    astray, other = torch.rand(2, count, generator=e.generator).tolist()
    taken = [int(4 * o) if a < recipe.slip else int(move) for a, o, move in zip(astray, other, e.action, strict=True)]
    arrived = [int(world.moves[s, a]) for s, a in zip(e.state, taken, strict=True)]
    extra = torch.randn(count, generator=e.generator).tolist()
    rewards = [float(world.pays[s, a]) + recipe.noise * x for s, a, x in zip(e.state, taken, extra, strict=True)]
    ended = [bool(world.ends[s]) for s in arrived]
    onward = [world.start if end else s for s, end in zip(arrived, ended, strict=True)]
    uniforms, chances = torch.rand(count, 1, generator=e.generator)[:, 0].tolist(), policy(e, recipe.epsilon)
    reached = [[sum(chances[s][: a + 1]) >= u for a in range(3)] for s, u in zip(onward, uniforms, strict=True)]
    following = [[*row, True].index(True) for row in reached]
    which = torch.randint(e.tables, (count,), generator=e.generator).tolist()
    met = {}
    for k in range(count):
        ahead, others = e.values[which[k], arrived[k]].tolist(), e.values[e.tables - 1 - which[k], arrived[k]].tolist()
        match recipe.method:
            case "q_learning":
                value = max(ahead)
            case "double_q":
                value = others[ahead.index(max(ahead))]
            case "sarsa":
                value = ahead[following[k]]
            case "expected_sarsa":
                value = sum(p * v for p, v in zip(chances[arrived[k]], ahead, strict=True))
        target = rewards[k] + (0.0 if ended[k] else recipe.discount * value)
        place = which[k], int(e.state[k]), int(e.action[k])
        met.setdefault(place, []).append(target - float(e.values[place]))
    for place, errors in met.items():
        table[place] += (int(e.updates[place]) + 2) ** -recipe.decay * mean(errors)
    return rewards, table


def logs(e, batch, phase):
    rewards, table = learned(e)
    return {"reward": mean(rewards), "value_of_start": max(table[:, e.world.start].mean(0).tolist())}


def process(e):
    """(P(s' | s, a), mean reward), [S, A, S] and [S, A], with moves that go astray."""
    world, slip = e.world, e.recipe.slip
    states = len(world.cells)
    onward, pays = torch.zeros(states, 4, states), torch.zeros(states, 4)
    for s in range(states):
        for a in range(4):
            for taken in range(4):
                share = (1 - slip) * (a == taken) + slip / 4
                onward[s, a, world.moves[s, taken]] += share
                pays[s, a] += share * world.pays[s, taken]
    return onward, pays


def best_values(e, epsilon):
    """Q of the best policy that explores as much: Q = r + discount P ((1 - epsilon) max Q + epsilon mean Q)."""
    onward, pays = process(e)
    values = torch.zeros_like(pays)
    for _ in range(400):
        values = pays + e.recipe.discount * onward @ ((1 - epsilon) * values.amax(1) + epsilon * values.mean(1))
    return values


def value_of(e, chances):
    onward, pays = process(e)
    chances, value = torch.tensor(chances), torch.zeros(len(e.world.cells))
    for _ in range(400):
        value = (chances * (pays + e.recipe.discount * onward @ value)).sum(1)
    return float(value[e.world.start])


def evaluate(e, data):
    start, epsilon = e.world.start, e.recipe.epsilon
    table, visits = e.values.mean(0), e.updates.sum(0)
    exact = best_values(e, epsilon if "sarsa" in e.recipe.method else 0.0)
    errors = sum(float(n) * float(a - b) ** 2 for n, a, b in zip(visits.flatten(), table.flatten(), exact.flatten(), strict=True))
    exploring = best_values(e, epsilon)[start]
    return {
        "value_error": math.sqrt(errors / max(int(visits.sum()), 1)),
        "start_bias": max(table[start]) - max(exact[start]),
        "greedy_return": value_of(e, policy(e, 0.0)),
        "best_greedy_return": max(best_values(e, 0.0)[start]),
        "exploring_return": value_of(e, policy(e, epsilon)),
        "best_exploring_return": (1 - epsilon) * max(exploring) + epsilon * mean(exploring),
    }


def preview(e, data):
    """Cells with the largest value of their actions, of both tables; the others, and the goal, are gray."""
    exact = best_values(e, e.recipe.epsilon if "sarsa" in e.recipe.method else 0.0)
    height, width = len(e.world.rows), len(e.world.rows[0])
    in_a_row = width < 2 * height
    shape = (height + 1, 2 * width + 1) if in_a_row else (2 * height + 2, width)
    values, gray = torch.full(shape, torch.nan), torch.full(shape, torch.nan)
    for number, table in enumerate((e.values.mean(0), exact)):
        top, left = (1, number * (width + 1)) if in_a_row else (number * (height + 1) + 1, 0)
        for cell, row in zip(e.world.cells, table.tolist(), strict=True):
            if cell not in e.world.names:
                values[top + cell[0], left + cell[1]] = max(row)
        for y, x in e.world.names:
            gray[top + y, left + x] = 0.3
    return {"values": [("imshow", gray), ("imshow", values)]}


def study(e, data):
    """Every method, from the beginning: what walkers were paid so far on average, and the start's value less the exact one."""
    from dataclasses import replace
    from typing import get_args

    from practice_torch.experiments.reinforcement.temporal_difference import GridExperiment, Method

    paid, biases, steps = [], [], range(1, e.recipe.steps + 1)
    for method in get_args(Method):
        walkers, sums, each = GridExperiment(replace(e.recipe, method=method)), 0.0, []
        walkers.generator = e.generator
        exact, averages = best_values(walkers, e.recipe.epsilon if "sarsa" in method else 0.0), []
        for step in steps:
            state = e.generator.get_state()
            rewards, table = learned(walkers)
            e.generator.set_state(state)
            walkers(None, "learn")
            sums += mean(rewards)
            averages.append(sums / step)
            each.append(max(table[:, e.world.start].mean(0).tolist()) - float(max(exact[e.world.start])))
        paid.append(("plot", steps, averages, {"label": method}))
        biases.append(("plot", steps, each, {"label": method}))
    return {"rewards": [*paid, ("axhline", 0)], "biases": [*biases, ("axhline", 0)]}
