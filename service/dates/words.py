"""Expression to words."""

from service.dates.expression import Expression


def describe(expression: Expression) -> str:
    """Say in English when an expression is."""
    return f"at {expression.edtf}"
