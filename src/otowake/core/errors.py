"""What may go wrong at a door: one sentence that names what came, where, and what to try."""


class OtowakeError(Exception):
    """A request that cannot be carried out.  Its text is for the user; the command line prints it and exits with 2."""


class AudioRefused(OtowakeError):
    """A file or an array that is not taken in.

    Args:
        code: a short stable word for programs ("missing", "not-audio", "too-long", "non-finite", ...).
        message: the sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
