"""Which rows hold problems of an evaluation set: the sets (`sources`), what is compared (`codes`) and how (`matching`).

`operators` reads operator sequences from the text, `tracing` from a run on meta tensors inside verify's sandbox. `hits`
are those of a whole dataset, and the stage is `stage`.
"""
