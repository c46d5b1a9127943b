"""The clients of the API; and places in the admin for what stands in no table: see `api/operators`."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

LEAST_REFILL, MOST_REFILL = 0.01, 1_000_000
MOST_BURST = 10_000_000
_SUBJECT = re.compile(r"(?!user:)[A-Za-z][\w.@:-]*", re.ASCII)


def is_subject(subject: str) -> None:
    """Those of people who log in begin otherwise. Raises ValidationError."""
    if not _SUBJECT.fullmatch(subject):
        raise ValidationError("Begin with a letter, not with `user:`; use letters, digits and . _ @ : - only.")


class ApiClient(models.Model):
    """A machine that reads the API, by the `sub` of its tokens, which themselves are kept nowhere.

    What of it matters to a request is read by every web process in the background: ports/client_registry.py.
    """

    subject = models.CharField(
        "name", max_length=100, unique=True, validators=[is_subject], help_text="The sub of its tokens."
    )
    purpose = models.CharField(max_length=200, blank=True, help_text="Whose it is, and what for.")
    refill_per_sec = models.FloatField(
        "requests a second",
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_REFILL), MaxValueValidator(MOST_REFILL)],
        help_text="In the long run. Everybody's limits hold where none are given.",
    )
    burst = models.PositiveIntegerField(
        "requests at once", null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MOST_BURST)]
    )
    created_at = models.DateTimeField("created", auto_now_add=True)
    token_expires_at = models.DateTimeField("last token expires", null=True, editable=False)
    refused_before = models.BigIntegerField(default=0, editable=False)
    """Epoch seconds: tokens that were issued earlier are refused."""
    revoked_at = models.DateTimeField("revoked", null=True, editable=False)

    class Meta:
        default_permissions = ("add", "view", "change")
        ordering = ("subject",)
        verbose_name = "API client"

    def __str__(self) -> str:
        return self.subject

    def clean(self) -> None:
        if (self.refill_per_sec is None) != (self.burst is None):
            raise ValidationError("Give both limits, or none.")

    def revoke(self) -> None:
        """For good: all its tokens are refused from now on, whoever issues them."""
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])


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


class Refusal(models.Model):
    """Who was refused lately, and why."""

    who = models.CharField(max_length=300, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name = "refused caller"

    def __str__(self) -> str:
        return self.who


class DeadLetter(models.Model):
    """An invalid record where it is kept; `place` is PARTITION:OFFSET in the topic of dead letters."""

    place = models.CharField(max_length=40, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view", "change")
        verbose_name = "dead letter"

    def __str__(self) -> str:
        return self.place
