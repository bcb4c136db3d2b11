"""The process in which a user's reward function runs: a line of JSON for each batch comes in, a line of rewards goes out.

    python reward_worker.py FILE FUNCTION ANSWERS    # ANSWERS: the descriptor to which the rewards are written

Only the standard library, so that it starts at once. What the function prints goes to the process's own output, which the
parent has directed to a log.
"""

import importlib.util
import inspect
import json
import os
import sys
import traceback


def main(path, name, answers):
    """Answers until the questions end."""
    with open(int(answers), "w", encoding="utf-8") as out:

        def say(**answer):
            out.write(json.dumps(answer) + "\n")
            out.flush()

        try:
            function = _loaded(path, name)
        except BaseException as error:  # sys.exit() at import, too
            return say(error=_described(error, path))
        say(ready=True)
        takes = _taken(function)
        for line in sys.stdin:
            given = {key: value for key, value in json.loads(line).items() if takes is None or key in takes}
            try:
                answer = _answer(function(**given))
            except KeyboardInterrupt:
                return None
            except BaseException as error:
                answer = {"error": f"raised {_described(error, path)}", "example": _at_fault(function, given)}
            sys.stdout.flush()
            say(**answer)
    return None


def _loaded(path, name):
    """The function, from a file that may import its neighbors."""
    sys.path[0] = os.path.dirname(os.path.abspath(path))  # in place of this file's folder
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise AttributeError(f"the file has no function {name!r}; it has {', '.join(known) or 'none'}")
    return function


def _taken(function):
    """The names of the arguments that the function takes; None for any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return None if anything else {parameter.name for parameter in parameters}


def _answer(rewards):
    """The rewards as numbers, None where the function does not apply; or what is wrong with the first that is neither."""
    if isinstance(rewards, (str, bytes, dict)) or not hasattr(rewards, "__iter__"):
        return {"error": f"returned {_short(rewards)}; it must return a list of numbers"}
    numbers = []
    for number, reward in enumerate(rewards):
        if reward is None:
            numbers.append(None)
            continue
        try:
            if isinstance(reward, (str, bytes)):  # float("1") would take it
                raise TypeError
            numbers.append(float(reward))
        except (TypeError, ValueError, RuntimeError):
            return {"error": f"returned {_short(reward)} where a number belongs", "example": number}
    return {"rewards": numbers}


def _at_fault(function, given):
    """The number of the first example at which the function raises when it gets one at a time; None if it then does not."""
    for number in range(len(next(iter(given.values()), ()))):
        try:
            function(**{key: values[number : number + 1] for key, values in given.items()})
        except BaseException:
            return number
    return None


def _short(value):
    return f"{type(value).__name__} {repr(value)[:60]}"


def _described(error, path):
    """TypeError: the first line of its message, and the line of the file where it arose."""
    said = (str(error).strip().splitlines() or [""])[0][:300]
    here = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = error.lineno if isinstance(error, SyntaxError) else here[-1] if here else None
    kind = type(error).__name__
    return (f"{kind}: {said}" if said else kind) + (f" (line {line})" if line and "line" not in said else "")


if __name__ == "__main__":
    main(*sys.argv[1:])
