"""What commands share: text for a terminal, tables, progress, completion, signals."""
