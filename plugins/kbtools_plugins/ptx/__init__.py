"""A machine that executes PTX on the CPU, one instruction over all threads of many programs at once.

It could be a package of its own: numpy, ml_dtypes and the standard library, no torch, no triton, no kbtools (only
`compile.py`, which turns a Triton kernel into PTX without a GPU, imports triton, inside its functions).

How a launch runs
    text/          PTX text to typed instructions, each with its source line
    decode/        instructions to basic blocks and registers to slots
    instructions/  one table: what each family does, by opcode
    numerics/      IEEE arithmetic on raw bits: what `add.rn.ftz.f32` gives; its docstring is the interface
    memory/        buffers with made-up addresses, shared memory, and who touched which byte
    machine/       registers, control flow, barriers, limits
    launch.py      the door: `launch(text, grid, arguments) -> LaunchReport`
    faults.py      what goes wrong, with source line, program and thread

Registers hold raw bits
    A register is an unsigned numpy array of the register's width (uint8, 16, 32, 64; predicates are bool). Its shape
    broadcasts to (programs, threads): (1, 1) is uniform, (programs, 1) differs per program, (1, threads) per thread.
    No register is ever a Python number or a float array. A function must not write into its operands.

Types are named as PTX names them: "f64", "f32", "tf32", "f16", "bf16", "e4m3", "e5m2", "s32", "u8"; packed ones
("f16x2", "bf16x2", "e4m3x2") are the bits of the packed register. What the machine does not execute raises
`Unsupported`.
"""
