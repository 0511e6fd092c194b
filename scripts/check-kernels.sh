#!/bin/sh
# check-kernels.sh PYTHON: fail where the compiled GPU kernels and their table are not what the sources
# give. It compiles into a folder of its own and compares image by image, unpacked; writing the
# table holds every measured loop to what its source claims, and the table is compared as a file.
# The tests of that gate run first.
set -eu
python=$1
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
export PYTHONDONTWRITEBYTECODE=1
build() { "$python" kernels/cuda/_build/build.py "$@"; }

bad=0
"$python" -m unittest discover -q -s kernels/cuda/_build -p 'test_*.py'
build compile "$built" >/dev/null
build compare "$built" kernels/cuda/compiled || bad=1
build table "$built" "$built/gpu-kernels.md" || bad=1
if [ $bad -eq 0 ] && ! diff -u docs/gpu-kernels.md "$built/gpu-kernels.md"; then
	echo "check-kernels: docs/gpu-kernels.md is not the table of these kernels; run 'make kernels' and commit what it changes" >&2
	bad=1
fi
exit $bad
