#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs each fuzz target for FUZZ_SECONDS (3) from its corpus. What it finds is left in the build folder, ./crash-*.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${top_builddir:-.}/tests/fuzz
scratch=$(mktemp -d "${TMPDIR:-/tmp}/osm-fuzz.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
failed=0

for name in frames client server extents bitmap lists zstd agent xfs; do
  mkdir "$scratch/$name"
  # New inputs go to the first folder.
  if "$build/fuzz-$name" -max_total_time="${FUZZ_SECONDS:-3}" -max_len=4096 -timeout=10 \
    -rss_limit_mb=1024 -print_final_stats=0 "$scratch/$name" "$here/corpus/$name" \
    > "$scratch/log" 2>&1; then
    echo "fuzz-$name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "$scratch/log")"
  else
    tail -n 60 "$scratch/log"
    echo "fuzz-$name: FAILED"
    failed=1
  fi
done
exit $failed
