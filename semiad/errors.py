"""The ways in which a user meets a problem."""


class InputError(ValueError):
    """Something the user gave cannot be used: one sentence that names it, what was expected and what was found."""


class RunFailed(RuntimeError):
    """One run came to nothing (say, a loss that is not finite); the others go on. The message is the reason."""


class WorkerLost(RuntimeError):
    """A process that worked for this one was ended from outside. What is recorded stays, and the rest can go on."""
