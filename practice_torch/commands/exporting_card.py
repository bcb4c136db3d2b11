"""README.md of an exported model: a model card with what the run folder knows, and a line for the license."""

import json

LICENSE = "<!-- Fill in: the license under which you give these weights away; it must agree with that of the data. -->"


def model_card(run, recipe, step, precision, tokenizer, parameters):
    """The text of a run's card."""
    from practice_torch.engine.costs.environment import commit

    asked = run.asked
    lines = ["---", "license: other", "---", "", f"# {asked['topic']} {asked['recipe']}", "", LICENSE, ""]
    lines += [f"{parameters:,} parameters in {precision}, of step {step}. Tokenizer: {tokenizer}."]
    lines += ["", "## Where the weights come from", "", *_origin(asked, recipe, step), "", "## Data", ""]
    kept = ("name", "count", "tokens", "vocabulary", "sha256")
    known = {name: asked["data"][name] for name in kept if asked["data"].get(name) not in (None, "", "none")}
    lines += [f"- {name}: {fact}" for name, fact in known.items()] or ["No data were given."]
    lines += ["", "## Metrics", "", *_metrics(run), "", "## Recipe", ""]
    lines += ["```json", json.dumps(asked["fields"], indent=1), "```", ""]
    lines += [f"Written by `python -m practice_torch export`, commit {commit() or 'unknown'}.", ""]
    return "\n".join(lines)


def _origin(asked, recipe, step):
    if source := asked.get("imported"):
        files = [f"- {name}: SHA-256 {digest}" for name, digest in source["files"].items()]
        return [f"Imported from {source['folder']} ({source['model_type']}, {source['dtype']}), not trained further.", *files]
    begun = asked.get("from")
    trained = f"Trained for {step} of {recipe.steps} steps with Diptych"
    if not begun:
        return [f"{trained}, from random weights."]
    source = f"{begun['topic']} {begun['recipe']}, step {begun['step']}"
    return [f"{trained}, from the weights of {source} (SHA-256 {begun['sha256']})."]


def _metrics(run):
    """Of evaluation.json, if there is one."""
    try:
        found = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ["Not evaluated."]
    explained = found.get("explains", {})
    lines = []
    for name, value in found["metrics"].items():
        about = explained.get(name, {})
        unit = f" {about['unit']}" if about else ""
        meaning = f": {about['meaning']}" if about else ""
        lines.append(f"- {name}: {value:.5g}{unit}{meaning}")
    return [f"On held-out data, at step {found['step']}:", "", *lines]
