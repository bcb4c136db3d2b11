"""Grid worlds: maps with a start, a goal, walls and a cliff, as finite decision processes, and one random step in them."""

from dataclasses import dataclass

import torch
from torch import nn

from practice_torch.reinforcement.markov_decision import action_value, policy_value

WORDS = {"#": "", "C": "cliff", "G": "goal"}  # on the cells in which nothing is chosen
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left: (rows, columns)


@dataclass(frozen=True)
class Map:
    """rows: S the start, G the goal, # a wall, C the cliff. Rewards: of a step, of the one into the goal, of a fall.

    A move against a wall or the edge leaves everything where it is. The goal ends the episode; a fall leads back to the start.
    """

    rows: tuple[str, ...]
    step: float = -1.0
    goal: float = -1.0
    fall: float = -100.0


MAPS = {
    # Sutton & Barto 2018, example 6.6
    "cliff": Map(("............", "............", "............", "SCCCCCCCCCCG")),
    # van Hasselt 2010, section 4.2, with noisy rewards
    "room": Map(("..G", "...", "S.."), goal=5.0),
}


class GridWorld(nn.Module):
    """A map in which a move goes astray with probability `slip`: then it is one of all four, at random.

    The states are the open cells in row-major order, the actions those of MOVES.

    moves [S, A]: the state to which a move leads. pays [S, A]: its reward. ends [S]: where the goal is.
    """

    def __init__(self, rows, *, step, goal, fall, slip):
        super().__init__()
        self.rows, self.slip = rows, slip
        sorts = {(y, x): sort for y, row in enumerate(rows) for x, sort in enumerate(row)}
        self.cells = [cell for cell, sort in sorts.items() if sort not in "#C"]
        self.names = {cell: WORDS[sort] for cell, sort in sorts.items() if sort in WORDS}
        index = {cell: state for state, cell in enumerate(self.cells)}
        self.start = next(state for cell, state in index.items() if sorts[cell] == "S")
        moves, pays = [], []
        for (y, x), state in index.items():
            goal_here = sorts[y, x] == "G"
            reached = [(y, x) if goal_here else (y + down, x + right) for down, right in MOVES]
            met = [sorts.get(cell, "#") for cell in reached]
            stays_or_falls = {"#": state, "C": self.start}
            moves.append([stays_or_falls.get(sort, index.get(cell)) for sort, cell in zip(met, reached, strict=True)])
            pays.append([0.0 if goal_here else {"C": fall, "G": goal}.get(sort, step) for sort in met])
        # They follow from the recipe, so a checkpoint does not hold them.
        self.register_buffer("moves", torch.tensor(moves), persistent=False)
        self.register_buffer("pays", torch.tensor(pays), persistent=False)
        self.register_buffer("ends", torch.tensor([sorts[cell] == "G" for cell in self.cells]), persistent=False)

    def step(self, state, action, generator):
        """One step of each walker, [W]: reward, next state, and whether the episode ended there."""
        astray, other = torch.rand(2, *state.shape, generator=generator, device=state.device)
        taken = torch.where(astray < self.slip, (other * len(MOVES)).long(), action)
        arrived = self.moves[state, taken]
        return self.pays[state, taken], arrived, self.ends[arrived]

    def process(self, epsilon=0.0):
        """(transition [S, A, S], reward [S, A]) in float64 on the CPU; epsilon: another probability that a move goes astray."""
        kept = (1 - self.slip) * (1 - epsilon)
        moves = nn.functional.one_hot(self.moves.cpu(), len(self.cells)).double()
        pays = self.pays.cpu().double()
        return tuple(kept * part + (1 - kept) * part.mean(1, keepdim=True) for part in (moves, pays))

    def best_values(self, *, discount, epsilon=0.0):
        """The exact action values [S, A] of the best policy that takes a random action with probability epsilon.

        Such a policy is the optimal one of a process with a higher rate of random moves. Found by policy
        iteration.
        """
        transition, reward = self.process(epsilon)
        policy, value = torch.zeros(len(self.cells), dtype=torch.int64), None
        for _ in range(len(self.cells) * len(MOVES)):
            log_probs = nn.functional.one_hot(policy, len(MOVES)).double().log()
            before, value = value, policy_value(transition, reward, log_probs, discount=discount)
            if before is not None and not (value > before + 1e-9).any():
                break
            policy = action_value(value, transition, reward, discount=discount).argmax(1)
        return action_value(value, *self.process(), discount=discount)

    def value_of(self, policy, *, discount):
        """The exact values [S] of a policy [S, A], probabilities."""
        return policy_value(*self.process(), policy.double().cpu().log(), discount=discount)
