"""What became of a record: every record read ends in exactly one outcome, and outcomes add up to records read."""

from enum import IntEnum


class Outcome(IntEnum):
    """One record's fate. The numbers are stored in the ledger, so they never change their meaning."""

    APPLIED = 1
    """Counted in the windows."""
    LATE = 2
    """Reached the log more than the grace after its event time: archived, not counted (or as the policy says)."""
    DUPLICATE = 3
    """Another record said the same before."""
    CANCELLED = 4
    """Its retraction had come first, so it never counts."""
    RETRACTED = 5
    """A removal that took a counted swap out again."""
    RETRACTED_LATE = 6
    """A removal whose swap was late."""
    PARKED = 7
    """A removal that waits for its swap."""
    DEAD_LETTERED = 8
    """Not a valid swap event; kept in the dead letter topic with its reason."""


ELSEWHERE = 16
"""Added to the number of RETRACTED and RETRACTED_LATE where the swap is not in the windows of the removal's partition:
the record is counted where it was read, and the swap is taken out where it was counted."""
