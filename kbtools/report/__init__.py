"""The report: one HTML file about a dataset that opens without a network and holds every row.

`summary` finds what there is to say, `charts` are its figures as data, `svg` and `plots` draw them, `rows` packs the
rows for the browser, and `page` puts everything into the file. The command is
`kbtools.cli.commands.report`.
"""
