"""The subcommands of ``psis-bench``, one module each: ``execute(options)`` returns the exit code."""
