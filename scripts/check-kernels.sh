#!/bin/sh
# check-kernels.sh PYTHON: fail where the compiled GPU kernels and their table are not what the sources
# give. It compiles into a folder of its own and compares image by image, unpacked; the table is
# compared as a file, and writing it holds every measured loop to what its source claims.
set -eu
python=$1
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
export PYTHONDONTWRITEBYTECODE=1

bad=0
"$python" kernels/cuda/_build/build.py compile "$built" >/dev/null
"$python" kernels/cuda/_build/build.py compare "$built" kernels/cuda/compiled || bad=1
"$python" kernels/cuda/_build/build.py table "$built" "$built/gpu-kernels.md" || bad=1
if ! diff -u docs/gpu-kernels.md "$built/gpu-kernels.md"; then
	echo "check-kernels: docs/gpu-kernels.md is not the table of these kernels; run 'make kernels' and commit what it changes" >&2
	bad=1
fi
exit $bad
