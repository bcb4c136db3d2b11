"""A string drawn bit by bit, and what short conditionals miss: the second figure of the lecture on the chain rule."""

import numpy as np

JOINT = np.array([0.30, 0.05, 0.05, 0.15, 0.02, 0.18, 0.20, 0.05]).reshape(2, 2, 2)  # of three bits


def missed(seen):
    """KL of each bit's conditional from that which sees only the `seen` bits before it, averaged over the pasts: [3]."""
    found = []
    for bit in range(3):
        joint = JOINT.sum(axis=tuple(range(bit + 1, 3)))
        given_all = joint / joint.sum(axis=-1, keepdims=True)
        hidden = tuple(range(max(bit - seen, 0)))
        shorter = joint.sum(axis=hidden, keepdims=True)
        found.append(np.sum(joint * np.log(given_all / (shorter / shorter.sum(axis=-1, keepdims=True)))))
    return np.array(found)


def draw_bits(tree, bars):
    """Left: the unit interval, cut by the conditionals of three bits. Right: divergences of the conditionals of three models."""
    for bit in range(3):
        joint = JOINT.sum(axis=tuple(range(bit + 1, 3))).ravel()
        starts = np.cumsum(joint) - joint
        tree.barh(np.full(len(joint), bit), joint, left=starts, height=0.9, color=["0.85", "C0"] * 2**bit, edgecolor="white")
        for string, (start, width) in enumerate(zip(starts, joint, strict=True)):
            if width > 0.1:
                shown = format(string, f"0{bit + 1}b")
                tree.text(start + width / 2, bit, shown, ha="center", va="center", color="white" if string % 2 else "black")
    tree.invert_yaxis()
    tree.set(xlabel="probability", yticks=range(3), yticklabels=["$x_1$", "$x_2$", "$x_3$"], ylabel="bit")
    below = np.zeros(3)
    divergences = np.stack([missed(seen) for seen in (0, 1, 2)])
    for bit in (1, 2):
        bars.bar(range(3), divergences[:, bit], bottom=below, width=0.6, color=f"C{bit}", label=f"$x_{bit + 1}$")
        below = below + divergences[:, bit]
    bars.set(
        xticks=range(3), xticklabels=["none", "one", "all"], xlabel="earlier bits seen", ylabel="divergence, nats", ylim=(0, 0.36)
    )
    bars.legend(title="of the conditional of")
