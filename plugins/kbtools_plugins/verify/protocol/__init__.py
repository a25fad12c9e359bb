"""What travels between the processes of a check, and how outputs are compared: plain values and numpy."""
