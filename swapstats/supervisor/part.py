"""What the supervisor asks of each process it runs.

To add a part, write a subclass here or beside it and name it in `plan.py`, after what it needs and before what
needs it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from swapstats.adapters.system.child_process import ChildProcess

Environment = dict[str, str]
OnLine = Callable[[str], None]


class Part(ABC):
    """One process. Parts start in order, each with what those before it have added to the environment."""

    name: str
    ready_seconds: float = 120
    stop_seconds: float = 10

    def check(self) -> None:  # noqa: B027 - most need none
        """Asked of all before any is started.

        Raises:
            PartError: it could not start anyway.
        """

    @abstractmethod
    def start(self, environment: Environment, on_line: OnLine) -> ChildProcess:
        """Starts it, and adds to the environment where those that come later find it.

        Raises:
            PartError: it cannot be started.
        """

    def is_ready(self) -> bool:
        """Asked again and again, once all have been started."""
        return True

    def missing(self) -> str:
        """What it still lacked when it was last asked, for the message that says so."""
        return "it did not say why"
