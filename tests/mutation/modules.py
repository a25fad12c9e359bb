"""Which modules are changed, and the tests that should notice."""

from __future__ import annotations

TESTS = {
    "plugins/kbtools_plugins/code_shape.py": ["tests/plugins/test_dedup.py"],
    "plugins/kbtools_plugins/dedup.py": ["tests/plugins/test_dedup.py"],
    "plugins/kbtools_plugins/split.py": ["tests/plugins/test_split.py", "tests/plugins/leaks/test_near_dedup.py"],
    "plugins/kbtools_plugins/filter/expression.py": ["tests/plugins/test_filter.py"],
    "plugins/kbtools_plugins/filter/functions.py": ["tests/plugins/test_filter.py"],
    "plugins/kbtools_plugins/lengths/distribution.py": ["tests/plugins/test_lengths.py"],
    "plugins/kbtools_plugins/analysis/correlation.py": ["tests/plugins/test_correlate.py"],
    "plugins/kbtools_plugins/verify/reward.py": ["tests/plugins/verify/test_verify_texts.py"],
    "plugins/kbtools_plugins/verify/protocol/tolerance.py": [
        "tests/plugins/verify/test_compare.py",
        "tests/plugins/verify/test_rounding.py",
    ],
    "kbtools/data/conversations/tags.py": ["tests/data/test_reasoning.py", "tests/data/test_reasoning_marks.py"],
    "kbtools/data/diff.py": ["tests/data/test_compare.py"],
    "kbtools/data/io/jsonl.py": [
        "tests/data/test_jsonl.py",
        "tests/data/test_load.py",
        "tests/data/test_parts.py",
        "tests/plugins/rollouts/test_traces.py",
    ],
    "kbtools/data/hub/commit.py": ["tests/hub/test_client.py", "tests/hub/test_faults.py"],
    "kbtools/data/hub/client.py": ["tests/hub/test_client.py", "tests/hub/test_tokens.py"],
    "kbtools/models/engine/retry.py": ["tests/models/test_retry.py"],
    "kbtools/models/engine/limits.py": ["tests/models/test_limits.py", "tests/models/test_run_requests.py"],
    "kbtools/models/engine/budget.py": ["tests/models/test_budget.py"],
    "kbtools/models/engine/online.py": [
        "tests/models/test_run_requests.py",
        "tests/models/test_budget.py",
        "tests/models/test_processes.py",
        "tests/models/test_claims.py",
        "tests/models/test_structured.py",
    ],
    "kbtools/models/engine/attempts.py": ["tests/models/test_run_requests.py", "tests/models/test_faults.py"],
    "kbtools/models/store/responses.py": ["tests/models/test_store.py", "tests/models/test_claims.py"],
    "kbtools/models/store/claims.py": ["tests/models/test_claims.py", "tests/models/test_processes.py"],
    "kbtools/models/store/commit.py": ["tests/models/test_store.py", "tests/models/test_processes.py"],
    "kbtools/models/store/file.py": ["tests/models/test_store.py", "tests/models/test_maintenance.py"],
}
