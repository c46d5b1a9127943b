"""Passwords are not to be guessed."""

from typing import Protocol


class LoginAttempts(Protocol):
    """Shared by all web processes. Without its store nothing is counted, and that is logged."""

    def are_too_many(self, address: str, name: str) -> bool:
        """Counts an attempt to log in as `name` from `address`; whether there were too many of either lately."""
