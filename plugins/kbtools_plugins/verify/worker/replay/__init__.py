"""The process that runs recorded traces on the inputs that count."""
