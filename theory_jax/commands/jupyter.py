"""What IPython shows of derivations. It is told names, so that importing theory_jax imports neither JAX nor SymPy."""

SHOWN = {"lecture": ("Derivation",), "chains": ("Chain", "Valley")}  # by their modules in theory_jax/derivation


def register(shell):
    """Let a notebook show a derivation as its page, and a chain as what the page shows of it, both executed."""
    for kind, form in FORMS.items():
        formatter = shell.display_formatter.formatters[kind]
        for module, names in SHOWN.items():
            for name in names:
                formatter.for_type_by_name(f"theory_jax.derivation.{module}", name, form)


def _html(thing):
    from theory_jax.commands.notebook import framed, shown

    return str(framed(shown(thing).html))


def _text(thing, printer, cycle):
    from theory_jax.commands.notebook import shown

    printer.text(repr(shown(thing)))


FORMS = {"text/html": _html, "text/plain": _text}
