"""Trajectories in ATIF 1.7, made and checked by the models of nvidia-nat-atif 1.9: `python write_trajectories.py FILE`.

Harbor, where the format comes from, is on no registry; NVIDIA's package has the same models. The steps are ours.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from nat.atif import Trajectory

AGENT = {"name": "solver", "version": "1", "model_name": "tiny"}
TOOL = {"type": "function", "function": {"name": "run", "parameters": {"type": "object"}}}
HELPER = {
    "trajectory_id": "helper-1",
    "agent": {"name": "helper", "version": "1"},
    "steps": [
        {"step_id": 1, "source": "user", "message": "What is the shape?"},
        {"step_id": 2, "source": "agent", "message": "4 by 4", "llm_call_count": 1},
    ],
}
WITH_TOOLS = {
    "session_id": "run-1",
    "trajectory_id": "t-1",
    "agent": {**AGENT, "tool_definitions": [TOOL]},
    "extra": {"reward": 1.25, "module_name": "Add"},
    "final_metrics": {"total_prompt_tokens": 90, "total_cost_usd": 0.1},
    "subagent_trajectories": [HELPER],
    "steps": [
        {"step_id": 1, "source": "system", "message": "Write Triton kernels."},
        {"step_id": 2, "source": "user", "message": [{"type": "text", "text": "Write Add."}]},
        {
            "step_id": 3,
            "source": "agent",
            "message": "",
            "reasoning_content": "First the loads.",
            "tool_calls": [
                {"tool_call_id": "a", "function_name": "run", "arguments": {"code": "x = 1", "flags": None}},
                {"tool_call_id": "b", "function_name": "run", "arguments": {}},
            ],
            "observation": {
                "results": [
                    {"source_call_id": "a", "content": "ok"},
                    {"source_call_id": "b", "subagent_trajectory_ref": [{"trajectory_id": "helper-1"}]},
                ]
            },
            "metrics": {"prompt_tokens": 9, "completion_tokens": 3},
        },
        {"step_id": 4, "source": "agent", "message": "<answer>A</answer>"},
    ],
}
WITH_COMMANDS = {
    "session_id": "run-2",
    "agent": AGENT,
    "steps": [
        {"step_id": 1, "source": "user", "message": "Write Sub."},
        {"step_id": 2, "source": "agent", "message": "An old turn.", "is_copied_context": True},
        {
            "step_id": 3,
            "source": "agent",
            "message": "ls",
            "observation": {"results": [{"content": "kernel.py"}]},
        },
        {"step_id": 4, "source": "agent", "message": "done by rule", "llm_call_count": 0},
        {"step_id": 5, "source": "agent", "message": "B"},
    ],
}


def written(content: dict[str, Any]) -> str:
    """The trajectory as the models write it, all their checks passed."""
    return json.dumps(Trajectory.model_validate(content).to_json_dict())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("".join(f"{written(one)}\n" for one in (WITH_TOOLS, WITH_COMMANDS)))
