"""Who answers: HTTP servers, batch files, servers that kbtools starts, and engines in this process.

`http` speaks to servers, in the bodies that `wire` writes and with the faults that `faults` names; `serve` starts one
with `supervise`, which leaves no orphan (`watchdog`). `batch` and `run_batch` go by files of `lines`. `vllm_offline`
and `hf` answer in this process, in the shape that `completion` gives them.
"""
