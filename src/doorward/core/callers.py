"""What is remembered of callers, so that not every request looks its credential up."""


class Callers:
    """Counts how often all that is remembered became void."""

    def __init__(self) -> None:
        self.era = 0

    def forget(self) -> None:
        """A credential has changed: from now on all of them are looked up again."""
        self.era += 1
