"""The same work by other tools, each in its own environment and process: `with_*` are the scripts they run."""
