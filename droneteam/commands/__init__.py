"""The subcommands of the `droneteam` command, one module each."""
