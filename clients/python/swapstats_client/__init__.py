"""Follow live statistics of swapstats: see `SwapStats`."""

from swapstats_client.client import SwapStats
from swapstats_client.credentials import Credentials, Ticket, Token
from swapstats_client.merge_patch import merge_patch
from swapstats_client.subscription import Refused, Subscription, Update

__all__ = ["Credentials", "Refused", "Subscription", "SwapStats", "Ticket", "Token", "Update", "merge_patch"]
