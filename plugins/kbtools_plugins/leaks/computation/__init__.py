"""Which modules compute the same: run in verify's sandbox on the same inputs, with the same parameters.

`sandboxes` runs jobs, `probes` look at each module once, `proposals` name the few pairs that may be the same, and
`agreement` decides on a pair. `classes` does so for all codes of a dataset, best first.
"""
