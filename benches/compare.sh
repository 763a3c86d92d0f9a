#!/usr/bin/env bash
# Trains the same models in mtlc and in PyTorch, in turns, and prints ratios of tokens a second and of
# peak memory. PYTHON names an interpreter with `torch` and `safetensors`; the rest of the arguments go to
# benches/pytorch/compare.py, such as --only slu or --rounds 9.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program() {
  cargo bench --bench "$1" --no-run --message-format=json 2>/dev/null |
    grep -o "\"executable\":\"[^\"]*$1-[^\"]*\"" | tail -1 | cut -d'"' -f4
}
exec "${PYTHON:-python3}" benches/pytorch/compare.py "$(program steps)" "$(program infer)" target/compare "$@"
