#!/usr/bin/env bash
# Trains programs of this folder on real data and prints what each seed reaches on test, the mean and the spread.
#
#     MTLC_DATA=FOLDER tests/programs/run.sh [--seeds "1 2 3"] [--out FOLDER] NAME…
#     MTLC_DATA=FOLDER tests/programs/run.sh all
#
# NAME is a program here without `.mtl`; `all` is those of docs/results.md. MTLC_DATA holds the data sets as their
# sources give them (docs/results.md says which); what `prepare.py` makes of them is put beside the runs. A run that is
# there already is not trained again.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"

seeds="1 2 3"
out="$root/runs/programs"
names=()
while [ $# -gt 0 ]; do
  case "$1" in
    --seeds) seeds="$2"; shift 2 ;;
    --out) mkdir -p "$2"; out="$(cd "$2" && pwd)"; shift 2 ;;
    all) names+=($("$here/table.py" --names)); shift ;;
    -*) echo "run.sh: there is no option '$1'" >&2; exit 2 ;;
    *) names+=("$1"); shift ;;
  esac
done
if [ ${#names[@]} -eq 0 ]; then sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; fi
if [ ! -d "${MTLC_DATA:-}" ]; then echo "run.sh: MTLC_DATA names no folder with the data" >&2; exit 2; fi
for name in "${names[@]}"; do
  if [ ! -f "$here/$name.mtl" ]; then echo "run.sh: there is no program '$name.mtl' in $here" >&2; exit 2; fi
done

mtlc="${MTLC:-$root/target/release/mtlc}"
if [ ! -x "$mtlc" ]; then (cd "$root" && cargo build --release); fi

# The data as it is, with what is made of it.
data="$out/data"
mkdir -p "$data"
for folder in "$(cd "$MTLC_DATA" && pwd)"/*/; do ln -sfn "${folder%/}" "$data/$(basename "$folder")"; done
python3 "$here/prepare.py" "$MTLC_DATA" "$data"

# A teacher comes before the program that uses its run.
trained() {
  local name="$1" seed="$2" run="$out/$1-$2"
  if [ -f "$run/results.json" ]; then return; fi
  echo "== $name, seed $seed" >&2
  local program="$here/$name.mtl" teacher
  teacher="$(sed -n 's/^use run "\([^"]*\)".*/\1/p' "$program")"
  if [ -n "$teacher" ]; then
    trained "$teacher" "$seed"
    mkdir -p "$out/programs-$seed"
    cp "$program" "$out/programs-$seed/"
    ln -sfn "$out/$teacher-$seed" "$out/programs-$seed/$teacher"
    program="$out/programs-$seed/$name.mtl"
  fi
  local begin=$SECONDS
  rm -rf "$run"
  "$mtlc" run "$program" --data "$data" --seed "$seed" --out "$run" > "$run.log" 2>&1 || { tail -n 20 "$run.log" >&2; exit 1; }
  echo $((SECONDS - begin)) > "$run/seconds"
}

for name in "${names[@]}"; do
  for seed in $seeds; do trained "$name" "$seed"; done
done
"$here/table.py" "$out" "$seeds" "${names[@]}"
