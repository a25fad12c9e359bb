"""What each instruction does, by family; `table.FAMILIES` lists them all.

A family is a function that gets the builder and the instruction and emits steps. Most are lane by lane: they name the
types of results and sources and a function on raw bits (`lanewise`). What is uninitialised is carried along by a
shadow (`shadows`), which runs only when there is any.
"""
