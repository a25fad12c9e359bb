"""Is this Triton kernel right, and did the kernel do the work? One (reference, candidate) pair in, one verdict out.

The check is built so that nothing a candidate's Python code does can make a wrong answer pass. Its Python never
computes the answer that is judged, and never sees the inputs that it is judged on:

1. *Read* (own process, no candidate code runs). The candidate's text is parsed. Its `@triton.jit` functions
   and the constants they use are copied into a clean kernel module, provided that they stay inside the Triton
   language (candidate/kernels.py): such code is data, not a program. Static rules (candidate/static_rules.py) name
   known tricks with their line.
2. *Reference* (own process). Runs the reference in float64 and float32 on inputs from secret seeds and sends inputs,
   outputs, parameters, and, from other seeds, *decoy* inputs.
3. *Record* (own process, the only one that runs the candidate's Python). It gets parameters and decoys: values of the
   right shape that tell nothing about the secret ones. Kernels are not run here. Every launch and every torch operator
   that touches an input is written into a trace (worker/record/recorder.py): "allocate S4; launch add_kernel on S0,
   S1, S4; return S4".
4. *Trace rules* (the caller's process). Operators outside the table of allowed work (protocol/operators.py) that reach
   the output are a `fallback`; a trace without a launch is `no_kernel`.
5. *Compile* (the process that has read). Each launch is compiled from the clean module for each target to a cubin.
6. *Replay* (the same, no candidate Python). The trace runs on the secret inputs, with kernels from the clean
   module, compiled to PTX and executed on the CPU: as recorded, and with launches skipped. Fresh memory is filled
   with NaN patterns, and each access is checked against the buffers' bounds.
7. *Compare* (the caller's process, numpy only). Replayed outputs against the reference's; only here can a `pass`
   arise.

What follows from that: a cached answer, a frame walk, a patched `allclose`, a thread, a forged message, numpy or
ctypes can at most produce a trace, and a trace can only say "run these kernels from my source and this allowed data
movement". If that gives the right numbers on inputs chosen after the recording, then the kernels are right. Evidence
gathered inside the candidate's process (audit hook, snapshots) is forgeable and only gives a rejection its name; it
never makes a pass.

| process   | candidate's Python | secret inputs | reference outputs | decides |
|-----------|--------------------|---------------|-------------------|---------|
| caller    | no                 | passes on     | yes               | yes     |
| reference | no                 | yes           | yes               | no      |
| record    | yes                | no            | no                | no      |
| compile   | no (kernel text)   | no            | no                | no      |
| replay    | no (kernel text)   | yes           | no                | no      |

All but the caller are forked from a warm process that has torch and triton imported (worker/zygote.py), one fork for
each job that runs foreign code, and run in a sandbox (host/sandbox.py). Messages have a type for each role
(protocol/roles.py), are length-framed and signed with a key per fork (protocol/wire.py), and hold plain values and
bytes, never pickles. The GPU tier runs the trace on the device (worker/gpu) after a look for accesses out of bounds on
the PTX machine, and times it; the rest is the same.

The folders are the processes: candidate/ reads texts, steps/ is the caller's side of each step, host/ starts and ends
the processes, worker/ is what runs in them, protocol/ is what both sides know. Nothing outside worker/ imports torch.
"""

from kbtools_plugins.verify.check import verify
from kbtools_plugins.verify.settings import VerifySettings
from kbtools_plugins.verify.verdict import Verification

__all__ = ["Verification", "VerifySettings", "verify"]
