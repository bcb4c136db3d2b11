"""python -m practice_torch list: trainable topics, and their cost."""

from practice_torch.commands.loading.examples import examples
from practice_torch.commands.options import PROGRAM
from practice_torch.commands.recipes import has_study, module_of, published_of, recipe_names, topic_of
from shared_specs.commands.output import print_json
from shared_specs.syllabus import load


def list_recipes(command):
    """The command; returns the exit code."""
    chosen = {topic_of(text) for text in command.topics}
    rows = [
        {"topic": topic.path, "recipes": names, "title": topic.title, "study": has_study(topic.path)}
        for topic in load().topics.values()
        if (names := recipe_names(topic.path)) and (topic.path in chosen or not chosen)
    ]
    if command.sizes:
        return _list_sizes([(row["topic"], name) for row in rows for name in row["recipes"]], command.json)
    if command.json:
        print_json({"topics": rows, "examples": examples()})
        return 0
    from rich.table import Table

    from shared_specs.terminal import print_table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("topic", "recipes"):
        table.add_column(column, no_wrap=True)
    for row in rows:
        lines = [row["topic"], f"[dim]{row['title']}[/]", *["[dim]has a study[/]"] * row["study"]]
        table.add_row("\n".join(lines), "\n".join(row["recipes"]))
    print_table(table)
    print(f"\n{PROGRAM} train TOPIC RECIPE; add --help for the recipe's fields")
    print(f"{PROGRAM} prepare MODALITY SOURCES... --out DIR, for data larger than memory: then train with --data DIR")
    print(f"{PROGRAM} evaluate RUN --study, where there is a study: measurements that take longer than an evaluation")
    there = ", ".join(f"{name} ({example['topic']})" for name, example in examples().items())
    print(f"{PROGRAM} sample NAME draws from a trained model that comes with the package: {there}")
    return 0


def _list_sizes(recipes, as_json):
    """A line for each of these (topic, recipe), as soon as it is measured."""
    from practice_torch.engine.costs.sizes import ASSUMPTION, HEADER, facts_of, line, sizes

    if as_json:
        found = [(path, name, module_of(path).RECIPES[name], published_of(path, name)) for path, name in recipes]
        rows = [
            {"topic": path, "recipe": name} | facts_of(recipe, sizes(module_of(path), name), published)
            for path, name, recipe, published in found
        ]
        print_json({"recipes": rows, "assumption": ASSUMPTION})
        return 0
    print(HEADER)
    for path, name in recipes:
        print(line(f"{path} {name}", module_of(path).RECIPES[name], sizes(module_of(path), name)), flush=True)
        if published := published_of(path, name):
            print(*(f"    {line}" for line in published.lines()), sep="\n")
    print(f"\n{ASSUMPTION}")
    return 0
