"""PTX text to typed instructions. Nothing here knows what an instruction does.

`module.parse(text)` is the door; `statements` cuts text, `operands` reads what stands behind an opcode, `lines` follows
`.loc` through inlined functions.
"""
