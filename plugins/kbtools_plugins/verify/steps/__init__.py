"""The caller's side of each step: what a process is asked, and what its answer means."""
