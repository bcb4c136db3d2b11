"""The rule that a folder holds few enough files to be read as a list."""

from tests.support.house.rules import THREE, families

MOST = 22  # Python files
OF_THEORY = ("theory_jax/lectures", "theory_jax/exercises", "theory_jax/experiments")
# where every family of the syllabus has a folder
OF_TOPICS = (*THREE, *OF_THEORY, "practice_torch/experiments", "tests")


def crowded_folders(root):
    """No folder has more than MOST Python files, except a family's, which has those of its topics."""
    of_families = {root / place / family for place in OF_TOPICS for family in families(root)}
    files = [path for top in (*THREE, "book", "demo", "notebooks", "benchmarks", "tests") for path in (root / top).rglob("*.py")]
    for folder in sorted({path.parent for path in files} - of_families):
        count = sum(path.parent == folder for path in files)
        if count > MOST:
            yield f"{folder.relative_to(root)} has {count} Python files, and {MOST} are the most: group them in folders"
