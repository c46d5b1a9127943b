"""Places in the admin for what stands in no table: see `api/operators`."""

from django.db import models


class Partition(models.Model):
    """A partition of the log with its snapshot; `name` is the log's key, a slash and the number."""

    name = models.CharField(max_length=250, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view", "change")
        verbose_name = "partition"

    def __str__(self) -> str:
        return self.name


class ConsumerGroup(models.Model):
    """The workers as the broker sees them."""

    name = models.CharField(max_length=250, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "consumer group"

    def __str__(self) -> str:
        return self.name


class DeadLetter(models.Model):
    """An invalid record where it is kept; `place` is PARTITION:OFFSET in the topic of dead letters."""

    place = models.CharField(max_length=40, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view", "change")
        verbose_name = "dead letter"

    def __str__(self) -> str:
        return self.place
