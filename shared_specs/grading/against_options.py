"""Validates the options of `check --against` and converts them to shared_specs.grading.foreign.Terms."""

from typing import TYPE_CHECKING, Any

from shared_specs.commands.errors import UsageError

if TYPE_CHECKING:
    from shared_specs.grading.foreign import Terms


def only_with_against(command: Any) -> str | None:
    """The first option given that is valid with --against only."""
    names = ("strict", "rename", "precision", "values_only", "without_gradient", "memory_mib", "recorded")
    return next((f"--{name.replace('_', '-')}" for name in names if getattr(command, name) not in ((), None, False)), None)


def terms(command: Any) -> "Terms":
    """The options as Terms.  Raises UsageError, in one line, for a value that is none."""
    from shared_specs.grading.foreign import Terms, can_limit_memory
    from shared_specs.grading.recorded_answers import judges_by_record

    renamed = {}
    for text in command.rename:
        ours, _, yours = text.partition("=")
        if not (ours.isidentifier() and yours.isidentifier()):
            raise UsageError(f"--rename {text}: give OURS=YOURS, two names, such as q=query")
        if renamed.setdefault(ours, yours) != yours:
            raise UsageError(f"--rename {text}: {ours} is renamed to {renamed[ours]} already")
    if command.memory_mib is not None and command.memory_mib <= 0:
        raise UsageError(f"--memory-mib {command.memory_mib}: it must be positive")
    if command.memory_mib is not None and not can_limit_memory():
        raise UsageError("--memory-mib works on Linux only")
    recorded = judges_by_record(command.recorded)
    return Terms(
        renamed=renamed,
        precisions=(command.precision,) if command.precision else ("float64", "float32"),
        values_only=command.values_only or recorded,
        constant=command.without_gradient,
        memory=None if command.memory_mib is None else command.memory_mib * 2**20,
        recorded=recorded,
    )
