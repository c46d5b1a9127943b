"""Mail: retractions that were decided in other partitions than the swaps that they take out.

A mail takes effect once its swap is in the windows, never before, so that no reader sees less than there was; and not
where the windows begin behind its swap. What has taken effect is saved with the windows, by the id of the last mail.
"""

from collections.abc import Mapping

from aggregator.pipeline.partition import Partition
from swapstats.ports.ledger import MAIL_AT_ONCE, Mailbox


def deliver_mail(partitions: Mapping[int, Partition], mailbox: Mailbox, *, counts_late: bool) -> None:
    """Read what has come, and let take effect what can. Raises StoreUnavailable."""
    after = {number: partition.mail_id for number, partition in partitions.items() if not partition.mail}
    found = mailbox.mail(after)
    for number in after:
        partition, mail = partitions[number], found.get(number, ())
        partition.mail.extend(mail)
        partition.has_more_mail = len(mail) == MAIL_AT_ONCE
    for partition in partitions.values():
        _take_effect(partition, counts_late)


def _take_effect(partition: Partition, counts_late: bool) -> None:
    mail = partition.mail
    while mail and mail[0].offset < partition.next_offset:
        id, offset, is_late, retraction = mail.popleft()
        if offset >= partition.begins_at and (counts_late or not is_late):
            partition.engine.retract(retraction)
        partition.mail_id = id
