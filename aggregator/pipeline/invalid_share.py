"""A few broken records are dead-lettered; a stream that is mostly broken is a broken schema, and stops the worker."""

from collections import deque

from swapstats.domain.errors import TooManyInvalid


class InvalidShare:
    """The share of invalid records among the latest `sample`, taken batch by batch."""

    def __init__(self, most: float, sample: int) -> None:
        self._most = most
        self._sample = sample
        self._batches: deque[tuple[int, int]] = deque()
        self._records = 0
        self._invalid = 0

    def add(self, records: int, invalid: int) -> None:
        """Count a batch. Raises TooManyInvalid when the sample is full and more than the allowed share is invalid."""
        self._batches.append((records, invalid))
        self._records += records
        self._invalid += invalid
        while self._records - self._batches[0][0] >= self._sample:
            old_records, old_invalid = self._batches.popleft()
            self._records -= old_records
            self._invalid -= old_invalid
        if self._records >= self._sample and self._invalid > self._most * self._records:
            raise TooManyInvalid(
                f"{self._invalid} of the latest {self._records} records are no valid swap events, more than the share"
                f" of {self._most:g} that ingest.max_invalid_share allows: the producer or its schema is broken."
                " Nothing was discarded; mend it, or raise that share, and start again"
            )
