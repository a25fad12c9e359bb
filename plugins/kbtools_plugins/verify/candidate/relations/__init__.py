"""How a launch's numbers and blocks stand to each other, as its kernel uses them."""
