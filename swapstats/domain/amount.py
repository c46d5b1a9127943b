"""Amounts as fixed-point integers, so that what a retraction takes away is exactly what was added.

USD amounts are integers of 10^-6 dollars, token amounts integers of 10^-18 tokens. More fraction digits than
that are rounded half-even, as CONTRACT §1 says.
"""

import re
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

USD_DIGITS = 6
TOKEN_DIGITS = 18
MAX_INTEGER_DIGITS = 48
"""An amount of 10^48 or more is refused: it cannot be real, and sums of a day must fit the archive's 256 bits."""

_DECIMAL = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,9})?")


def parse_amount(text: str, digits: int) -> int:
    """The fixed-point integer with `digits` fraction digits that `text`, a decimal numeral, stands for.

    Raises ValueError, saying what was expected, for anything but a finite number from 0 to below 10^48.
    """
    whole, _, fraction = text.partition(".")
    number, missing = (whole + fraction).encode(), digits - len(fraction)
    if 0 < len(whole) <= MAX_INTEGER_DIGITS and missing >= 0 and number.isdigit():
        return int(number) * 10**missing if missing else int(number)
    return _parse_unusual(text, digits)


def _parse_unusual(text: str, digits: int) -> int:
    """Exponents, excess fraction digits and everything that has to be refused."""
    if not text.isascii() or not _DECIMAL.fullmatch(text):
        raise ValueError(f"expected a finite decimal number, got {text[:40]!r}")
    value = Decimal(text)
    if value and value < 0:
        raise ValueError(f"expected a number of at least 0, got {text[:40]!r}")
    if value and value.adjusted() >= MAX_INTEGER_DIGITS:
        raise ValueError(f"expected a number below 10^{MAX_INTEGER_DIGITS}, got {text[:40]!r}")
    with localcontext(prec=MAX_INTEGER_DIGITS + digits + 2, Emin=-2_000_000_000, Emax=2_000_000_000):
        return int(value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN).scaleb(digits))


def format_amount(value: int, digits: int) -> str:
    """The decimal string of a fixed-point integer, always with all its fraction digits: 1500000, 6 → "1.500000"."""
    if value < 0:
        return f"-{format_amount(-value, digits)}"
    text = str(value)
    if len(text) <= digits:
        text = text.zfill(digits + 1)
    return f"{text[:-digits]}.{text[-digits:]}"


def format_ratio(numerator: int, denominator: int, decimals: int, significant: int = 0) -> str:
    """numerator / denominator rounded half-even to `decimals` fraction digits, or to as many more as show
    `significant` digits of a small number. `denominator` is not 0."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    size, places = abs(numerator), decimals
    quotient, rest = divmod(size * 10**places, denominator)
    if significant and size and quotient < 10 ** (significant - 1):
        known = len(str(quotient)) if quotient else 0
        places = places + significant - known if known else _places_for(size, denominator, significant)
        quotient, rest = divmod(size * 10**places, denominator)
    quotient += 2 * rest > denominator or (2 * rest == denominator and quotient & 1)
    return format_amount(-quotient if numerator < 0 else quotient, places)


def _places_for(numerator: int, denominator: int, significant: int) -> int:
    """Fraction digits that `significant` digits of numerator / denominator need."""
    exponent = len(str(numerator)) - len(str(denominator))
    if numerator * 10 ** max(0, -exponent) < denominator * 10 ** max(0, exponent):
        exponent -= 1
    return significant - 1 - exponent
