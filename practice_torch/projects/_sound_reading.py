"""What the table of sound generation says: sentences and assertions from its numbers alone."""

from practice_torch.projects.runner import Expectation, Reading

WAVENET, S4D, VQ_VAE, WAVEGAN = "WaveNet", "S4D", "VQ-VAE", "WaveGAN"
DIFFUSION, FLOW = "diffusion", "flow matching"
MODELS = (WAVENET, S4D, VQ_VAE, WAVEGAN, DIFFUSION, FLOW)
GIVEN_A_CLASS = tuple(name for name in MODELS if name != WAVEGAN)
NOISE, INDEPENDENT, REAL = "noise", "independent samples", "real sounds"
COUNTS = (1, 2, 5, 10, 20)  # steps of DDIM and of Euler's method: each calls the network once
FEW, MANY = 5, 20


def title(name, count):
    """The row of a model and a number of steps."""
    return f"{name}, {count} step{'s' if count > 1 else ''}"


def read(rows):
    """Findings from the numbers of both tables."""
    kinds, steps = of_kinds(rows), of_steps(rows)
    return Reading(kinds.sentences + steps.sentences, kinds.expectations + steps.expectations)


def of_kinds(rows):
    """Findings about the six models."""
    of = lambda name, column: value_of(rows[name].cells[column])  # noqa: E731
    distance = {name: of(name, "frechet_audio_distance") for name in rows if "frechet_audio_distance" in rows[name].cells}
    order = ", ".join(f"{name} {distance[name]:.0f}" for name in sorted(MODELS, key=distance.get))
    bits = {name: of(name, "bits_per_sample") for name in (WAVENET, S4D, INDEPENDENT)}
    sentences = [
        f"The Frechet audio distances to real sounds are, from the nearest: {order}. Other real sounds have "
        f"{distance[REAL]:.0f}, samples that are drawn independently of each other {distance[INDEPENDENT]:.0f}, and noise "
        f"{distance[NOISE]:.0f}.",
        f"Two models give the likelihood of the codes: WaveNet needs {bits[WAVENET]:.2f} bits a sample and S4D {bits[S4D]:.2f}, "
        f"the best model without context {bits[INDEPENDENT]:.2f}.",
    ]
    expectations = [
        Expectation(
            "Every model is nearer to real sounds than independent samples are",
            max(distance[name] for name in MODELS) < distance[INDEPENDENT],
        ),
        Expectation(
            "WaveNet and S4D need at most 0.6 of the bits of the best model without context",
            max(bits[WAVENET], bits[S4D]) <= 0.6 * bits[INDEPENDENT],
        ),
    ]
    if "class_accuracy" in rows[REAL].cells:
        right = {name: of(name, "class_accuracy") for name in (*GIVEN_A_CLASS, NOISE, REAL)}
        order = ", ".join(f"{right[name]:.0%} ({name})" for name in sorted(GIVEN_A_CLASS, key=right.get, reverse=True))
        sentences.append(
            f"A support vector machine takes the sounds for the requested class in {order} of the cases, real ones in "
            f"{right[REAL]:.0%} and noise in {right[NOISE]:.0%}. WaveGAN is given no class: its sounds are taken for as "
            f"many classes as {of(WAVEGAN, 'classes'):.1f} alike would be, real ones for {of(REAL, 'classes'):.1f}."
        )
        expectations += [
            Expectation(
                "Every model that is given a class has it in 40% of its sounds or more",
                min(right[name] for name in GIVEN_A_CLASS) >= 0.4,
            ),
            Expectation(
                "WaveGAN, which is given no class, is taken for fewer classes than any other model",
                of(WAVEGAN, "classes") < min(of(name, "classes") for name in GIVEN_A_CLASS),
            ),
        ]
    return Reading(tuple(sentences), tuple(expectations))


def of_steps(rows):
    """Findings about diffusion and flow matching in fewer and more steps."""

    def of(name, count, column):
        return value_of(rows[title(name, count)].cells[column])

    distance = {name: {count: of(name, count, "frechet_distance") for count in COUNTS} for name in (DIFFUSION, FLOW)}
    best, noise = {name: min(COUNTS, key=distance[name].get) for name in distance}, rows[NOISE].cells["frechet_distance"]
    sentences = [
        f"The Frechet distance to held-out sounds is least in {best[FLOW]} steps of flow matching, "
        f"{distance[FLOW][best[FLOW]]:.0f}, and in {best[DIFFUSION]} steps of diffusion, "
        f"{distance[DIFFUSION][best[DIFFUSION]]:.0f}; in {MANY} steps it is {distance[FLOW][MANY]:.0f} and "
        f"{distance[DIFFUSION][MANY]:.0f}. Noise has {noise:.0f}."
    ]
    expectations = [
        Expectation(
            f"In {FEW} steps or more, flow matching is nearer to held-out sounds than diffusion in as many",
            all(distance[FLOW][count] < distance[DIFFUSION][count] for count in COUNTS if count >= FEW),
        ),
        Expectation(
            "Every distance is less than a fifth of the noise's",
            all(value < noise / 5 for values in distance.values() for value in values.values()),
        ),
    ]
    if "class_accuracy" in rows[REAL].cells:
        right = {name: {count: of(name, count, "class_accuracy") for count in COUNTS} for name in distance}
        most = max(COUNTS, key=right[DIFFUSION].get)
        sentences.append(
            f"A support vector machine takes {right[FLOW][FEW]:.0%} of the sounds that flow matching draws in {FEW} steps for "
            f"the requested class, {right[FLOW][2]:.0%} of those in 2 and {right[FLOW][1]:.0%} of those in one; of "
            f"diffusion's {right[DIFFUSION][FEW]:.0%}, {right[DIFFUSION][2]:.0%} and {right[DIFFUSION][1]:.0%}, at most "
            f"{right[DIFFUSION][most]:.0%}, and {value_of(rows[REAL].cells['class_accuracy']):.0%} of held-out ones."
        )
        expectations.append(
            Expectation(
                f"Flow matching has the requested class in {FEW} steps more often than diffusion in any number",
                right[FLOW][FEW] > right[DIFFUSION][most],
            )
        )
    if "semitone" in rows[REAL].cells:
        near = {name: of(name, 1, "semitone") for name in distance}
        sentences.append(
            f"Already in one step, the strongest frequency of {near[FLOW]:.0%} and {near[DIFFUSION]:.0%} of the sounds is "
            f"within a semitone of the requested note, where noise has it in {value_of(rows[NOISE].cells['semitone']):.0%}: more "
            "steps tell neighboring notes apart."
        )
    return Reading(tuple(sentences), tuple(expectations))


def value_of(cell):
    return getattr(cell, "value", cell)
