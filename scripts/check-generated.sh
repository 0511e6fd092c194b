#!/bin/sh
# check-generated.sh: run the generators and fail where that changes, adds or removes a
# file. It compares with the files as they lie here, not with a commit: on a clean clone
# that is the same, and work in progress is not held against its author.
set -eu
before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT

sums() { find kernels -type f -exec sha256sum {} + | sort -k 2; }

sums >"$before"
make --no-print-directory generate
sums >"$after"
if ! diff "$before" "$after"; then
	echo "check-generated: the files above are not what their generator makes; run 'make generate' and commit what it changes" >&2
	exit 1
fi
