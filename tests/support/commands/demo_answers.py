"""A stand-in for the demo's commands: `python -m tests.support.commands.demo_answers NAME [EXIT_CODE]` answers as they do."""

import json
import sys

CLAIM = {
    "number": 1,
    "part": "step",
    "title": "",
    "central": False,
    "kind": "enumerated",
    "claim": r"\mathrm{KL}(p \,\|\, q) \ge \log \tfrac12 < 3",
    "because": "It is so, for p < q & r.",
    "words": "enumerated, 1.5e-16 <= 1e-12",
    "passed": True,
    "error": "",
    "residual": 1.5e-16,
    "tolerance": 1e-12,
}
DERIVATION = {
    "topic": "foundations/jensen",
    "title": "Jensen's inequality",
    "lectures": [5],
    "sources": ["Jensen 1906"],
    "question": "",
    "setting": [],
    "symbols": [],
    "answer": "",
    "result": "",
    "limits": [],
    "summary": "1 line derived, 1 claim enumerated",
    "passed": True,
    "seconds": 0.5,
    "error": "",
    "claims": [CLAIM, CLAIM | {"claim": r"\notacommand{x} = y", "kind": "derived", "words": "derived for all $x > 0$"}],
}
DERIVATIONS = {"derivations": [DERIVATION]}
RESULT = {
    "topic": "foundations/jensen",
    "word": "Agree",
    "function": "jensen_gap",
    "case": "regular",
    "backend": "jax",
    "precision": "float64",
    "quantity": "value",
    "ratio": 0.25,
    "passed": True,
    "message": "",
}
CONTRACTS = {
    "schema": 1,
    "passed": True,
    "seconds": 1.0,
    "topics": [
        {"topic": "foundations/jensen", "rows": 1, "cases": 1, "worst_float64": 0.25, "worst_float32": 0.5, "passed": True}
    ],
    "results": [
        RESULT,
        RESULT | {"backend": "torch"},
        RESULT | {"precision": "float32", "ratio": 0.5},
        RESULT | {"word": "Rejects", "case": "shapes differ", "ratio": 0.0},
    ],
}

if __name__ == "__main__":
    name, *exit_code = sys.argv[1:]
    print(f"progress of {name}", file=sys.stderr)
    if name == "training":
        print("δ of a training")  # what the locale of the demo may not be able to write
    answer = {"derivations": DERIVATIONS, "contracts": CONTRACTS}.get(name)
    print(json.dumps(answer) if answer else f"no answer for {name}")
    sys.exit(int(exit_code[0]) if exit_code else 0)
