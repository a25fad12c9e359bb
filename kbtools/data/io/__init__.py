"""Files of datasets: reading, saving, and where what was read comes from."""
