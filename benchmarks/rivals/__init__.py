"""The same work by other tools: each in its own virtual environment, started as a process that runs one `with_*` script."""
