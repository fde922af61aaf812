"""The subcommands of ``dan-g``, one file a subject."""
