"""What is remembered of webhooks and deliveries by whoever sends, so that not every request reads them again."""


class Sending:
    """Counts how often all that is remembered became void."""

    def __init__(self) -> None:
        self.era = 0

    def forget(self) -> None:
        """A webhook was changed or is gone, or its deliveries are: they are read again before the next request."""
        self.era += 1
