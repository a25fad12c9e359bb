"""Jobs on modules that are held against each other; each process runs one module only."""
