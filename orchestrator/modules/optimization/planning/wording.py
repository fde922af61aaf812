"""Amounts as sentences and tables write them."""


def shown(amount: float) -> str:
    """Whole with thousands set apart, or to four digits where it is below a thousand."""
    return f"{amount:,.0f}" if abs(amount) >= 1000 else f"{amount:,.4g}"
