"""What can go wrong with a device or its provider: named after *what we do next*.

    ProviderError
    ├ Offline                 wait; the device's own state, not the code's or the command's fault
    ├ NotAuthorized           stop the device (or account), ask the owner to log in again
    ├ Unsupported             say so; try rarely, in case the device changes
    ├ Refused                 retry with back-off, counted
    │ ├ DoubtfulAnswer        believe nothing of it; read again later
    │ ├ CodeRejected          say why on the code; try rarely
    │ ├ DuplicateCode         say which one, if known
    │ ├ NoRoom                try again when a code leaves
    │ └ NotOurs               leave it alone
    ├ AskAgain                a person must say one more thing, at login
    └ OutcomeUnknown          the line broke after sending: read back before anything else; a command ends here

None carries a secret, a PIN or a response body.
"""


class ProviderError(Exception):
    """The device or its provider could not do it."""

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message or self.__doc__ or "")
        self.message = str(self)
        """A whole sentence for a person: what happened and, where we know, what to do."""
        self.code = code
        """The vendor's own code, for diagnosis."""
        self.more: tuple[str, ...] = ()
        """Further sentences, where several things are wrong at once."""


class Offline(ProviderError):
    """The device did not answer."""


class AccountDisconnected(Offline):
    """The connected account is disconnected. Connect it again, and log in."""


class NotAuthorized(ProviderError):
    """The device refused the login."""

    def __init__(self, message: str = "", *, code: str | None = None, missing: str | None = None) -> None:
        super().__init__(message, code=code)
        self.missing = missing
        """The privilege the account lacks, when the login itself was right."""


class AskAgain(ProviderError):
    """A person has to confirm something before the login goes on."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field
        """Name of the `confirm` field that is to be shown."""


class Unsupported(ProviderError):
    """The device cannot do this."""


class Refused(ProviderError):
    """The device refused."""


class DoubtfulAnswer(Refused):
    """The device's answer is older than what it told before, or was cut short."""


class CodeRejected(Refused):
    """The device does not accept this access code."""


class DuplicateCode(Refused):
    """The device already has a code with this PIN."""

    def __init__(self, message: str = "", *, code: str | None = None, ref: str | None = None) -> None:
        super().__init__(message, code=code)
        self.ref = ref
        """The handle of the code that has it."""


class NoRoom(Refused):
    """The device's memory for codes is full."""


class NotOurs(Refused):
    """What is to be written belongs to somebody else, or is gone; it was left alone."""


class OutcomeUnknown(ProviderError):
    """The connection broke after the request was sent: it may or may not have been carried out."""
