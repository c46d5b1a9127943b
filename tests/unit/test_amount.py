"""Amounts: read exactly, rounded half-even, refused beyond what can be real."""

from contextlib import suppress
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.domain.amount import (
    MAX_INTEGER_DIGITS,
    TOKEN_DIGITS,
    USD_DIGITS,
    format_amount,
    format_ratio,
    parse_amount,
)

fraction_digits = st.sampled_from([USD_DIGITS, TOKEN_DIGITS])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1", 1_000_000),
        ("007", 7_000_000),
        ("1.5", 1_500_000),
        ("12345.678900", 12_345_678_900),
        (".5", 500_000),
        ("5.", 5_000_000),
        ("-0", 0),
        ("-0.000", 0),
        ("0e999999999", 0),
        ("-0e-999999999", 0),
        ("1e3", 1_000_000_000),
        ("1.5E-3", 1_500),
        ("25e+1", 250_000_000),
        ("1e-999999999", 0),
        ("9" * MAX_INTEGER_DIGITS, (10**MAX_INTEGER_DIGITS - 1) * 10**6),
        ("1e47", 10**53),
        ("0." + "0" * 5_000 + "1", 0),
        ("0" * 5_000 + "1", 1_000_000),
    ],
)
def test_reads_what_is_written(text: str, expected: int) -> None:
    assert parse_amount(text, USD_DIGITS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0000005", 0),
        ("0.0000015", 2),
        ("0.0000025", 2),
        ("0.00000250000000000000000000001", 3),
        ("0.0000024999999999999999999999", 2),
        ("5e-7", 0),
        ("15e-7", 2),
        ("0.9999999", 1_000_000),
        ("999999.9999995", 1_000_000_000_000),
    ],
)
def test_rounds_half_even(text: str, expected: int) -> None:
    assert parse_amount(text, USD_DIGITS) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "e5", "1e", "--1", "+1", "1 ", " 1", "1_000", "1,5", "0x10", "١٢", "１"),
        *("NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf"),
        *("-1", "-0.0000001", "-1e-300"),
        *("1" + "0" * MAX_INTEGER_DIGITS, "1e48", "1e400", "9e999999999", "1e9999999999"),
    ],
)
def test_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_amount(text, USD_DIGITS)


@given(st.decimals(0, 10**MAX_INTEGER_DIGITS - 1, allow_nan=False, allow_infinity=False), fraction_digits)
def test_agrees_with_decimal(value: Decimal, digits: int) -> None:
    with localcontext(prec=400):
        expected = int(value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN).scaleb(digits))
    for text in (str(value), f"{value:f}", f"{value:E}"):
        assert parse_amount(text, digits) == expected


@given(st.integers(0, 10**60), st.integers(-80, 40), fraction_digits)
def test_agrees_with_fractions_on_exponents(coefficient: int, exponent: int, digits: int) -> None:
    value = Fraction(coefficient) * Fraction(10) ** exponent
    text = f"{coefficient}e{exponent}"
    if value >= 10**MAX_INTEGER_DIGITS:
        with pytest.raises(ValueError, match="expected a number below"):
            parse_amount(text, digits)
    else:
        assert parse_amount(text, digits) == round(value * 10**digits)


@given(st.text(max_size=30))
def test_never_fails_but_by_refusing(text: str) -> None:
    with suppress(ValueError):
        assert parse_amount(text, USD_DIGITS) >= 0


@given(st.integers(-(10**70), 10**70), fraction_digits)
def test_formats_exactly(value: int, digits: int) -> None:
    text = format_amount(value, digits)
    assert Fraction(text) * 10**digits == value
    assert len(text.partition(".")[2]) == digits
    if 0 <= value < 10 ** (MAX_INTEGER_DIGITS + digits):
        assert parse_amount(text, digits) == value


@given(
    st.integers(-(10**40), 10**40),
    st.integers(-(10**40), 10**40).filter(bool),
    st.integers(1, 12),
    st.integers(1, 10),
)
def test_ratios_are_rounded_half_even_to_enough_digits(
    numerator: int, denominator: int, decimals: int, significant: int
) -> None:
    text = format_ratio(numerator, denominator, decimals, significant)
    places = len(text.partition(".")[2])
    exact = Fraction(numerator, denominator)
    assert places >= decimals
    assert Fraction(text) == Fraction(round(exact * 10**places), 10**places)
    if exact and places > decimals:
        assert 10 ** (significant - 1) <= abs(exact) * 10**places < 10**significant
    elif exact:
        assert abs(exact) * 10**places >= 10 ** (significant - 1)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ((1, 3, 6, 8), "0.33333333"),
        ((2, 1, 6, 8), "2.0000000"),
        ((123_456_789, 1, 6, 8), "123456789.000000"),
        ((1, 3_000_000, 6, 8), "0.00000033333333"),
        ((-1, 8, 2, 0), "-0.12"),
        ((3, 8, 2, 0), "0.38"),
        ((0, 5, 2, 8), "0.00"),
        ((-1, 1000, 2, 0), "0.00"),
    ],
)
def test_ratios_as_people_read_them(ratio: tuple[int, int, int, int], expected: str) -> None:
    assert format_ratio(*ratio) == expected
