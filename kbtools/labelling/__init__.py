"""Labelling by hand: a page on this machine that shows a row at a time, and the server behind it."""
