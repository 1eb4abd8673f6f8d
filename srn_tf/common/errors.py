"""The two ways in which a command fails; `srn_tf.common.cli` maps them to exit statuses."""


class InputError(ValueError):
    """Bad usage or input (exit status 2): the message names the file or value and the remedy."""


class RunError(RuntimeError):
    """A job that failed while running, or some of whose files failed (exit status 1)."""
