"""What happens to a test whose part this machine does not have."""

import os
from typing import NoReturn

import pytest


class PartMissing(Exception):  # noqa: N818 - reads as the state it names
    """Says what is missing and what to do about it."""


def skip_or_fail(reason: str) -> NoReturn:
    """Skips with reason and remedy; in CI, where everything must be there, fails instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
