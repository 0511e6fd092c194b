#!/bin/sh
# peers.sh [NAME...]: install the libraries that `make bench-peers` times beside ours, each at its pin, under
# .tools/peers, and compile a server of each (bench/peers/server) to .tools/peers/bin. Without names all of them. One that
# cannot be had is named at the end with the reason, and the others go on; where all are there, it touches no network.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$here/.tools"
root=$(cd "$here/.tools" && pwd -P)/peers
src=$here/bench/peers/server
mkdir -p "$root/bin"
tmp=$(mktemp -d "$root/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# Nothing of the caller's may slow a library down or choose another one.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE PIP_REQUIREMENT PIP_CONSTRAINT 2>/dev/null || true

python=${PYTHON:-python3}
CC=${CC:-gcc} CXX=${CXX:-g++}
fast='-O3 -march=native -ffast-math -fopenmp'

# wheel NAME==VERSION SHA256: unpack a wheel in $tmp/NAME.
wheel() {
	name=${1%%=*}
	echo "$1 --hash=sha256:$2" >"$tmp/$name.txt"
	tags=
	for tag in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014 manylinux1; do tags="$tags --platform ${tag}_x86_64"; done
	# shellcheck disable=SC2086 # a list of words
	"$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 --implementation cp $tags \
		--require-hashes -d "$tmp/$name.d" -r "$tmp/$name.txt"
	"$python" -m zipfile -e "$tmp/$name.d"/*.whl "$tmp/$name"
}

# install NAME VERSION COMMAND: run COMMAND in a new folder that becomes $root/NAME-VERSION, unless it is there. Sets $dir.
install() {
	dir=$root/$1-$2
	[ -d "$dir" ] && return
	rm -rf "$root/$1"-* "$tmp/out"
	mkdir "$tmp/out"
	echo "installing $1 $2" >&2
	(cd "$tmp/out" && "$3")
	mv "$tmp/out" "$dir"
}

# server NAME COMMAND...: compile a server where its source, the protocol or the library is newer than it.
server() {
	out=$root/bin/$1
	[ -n "$(find "$src" "$dir" "$0" -maxdepth 1 -newer "$out" 2>/dev/null || echo new)" ] || return 0
	shift
	"$@" -Wall -Wextra -o "$out.new"
	mv "$out.new" "$out"
}

openblas() { # the build that SciPy's and NumPy's wheels take, its symbols prefixed
	install openblas 0.3.34.481.3 openblas_files
	server openblas "$CC" -O2 -DOPENBLAS -I"$dir/include" "$src/cblas.c" "$dir/lib/libscipy_openblas.so" -Wl,-rpath,"$dir/lib" -lm
}
openblas_files() {
	wheel scipy-openblas32==0.3.34.481.3 0595f94cd58c1f8a0d90c975621f4587337a003916b1979e834ebdf2cb5d9504
	mv "$tmp/scipy-openblas32/scipy_openblas32/include" "$tmp/scipy-openblas32/scipy_openblas32/lib" .
}

onednn() { # 3.6.2 on libgomp is the newest with OpenMP that a registry has: it lies in PaddlePaddle's wheel; the headers are oneAPI's of 3.6
	install onednn 3.6.2 onednn_files
	server onednn "$CXX" -O2 -std=c++17 -I"$dir/include" "$src/onednn.cpp" "$dir/lib/libdnnl.so.3" -Wl,-rpath,"$dir/lib"
}
onednn_files() {
	wheel onednn-devel==2025.0.0 21e2a1a60f6c9bc436652ab527abf90e0eb0d4642b58df79a02252d4e0f4a305
	wheel paddlepaddle==3.3.1 bb22396233d807f6957d9c4a6a1edc76693fb589c4ee3d17caf7e39113ca4047
	mkdir lib
	mv "$tmp"/onednn-devel/*/data/include .
	mv "$tmp/paddlepaddle/paddle/libs/libdnnl.so.3" lib/
}

mkl() { # through its C interface, on libgomp
	install mkl 2026.2.0 mkl_files
	server mkl "$CC" -O2 -DMKL -I"$dir/include" "$src/cblas.c" -Wl,--no-as-needed "$dir/lib/libmkl_intel_lp64.so.3" "$dir/lib/libmkl_gnu_thread.so.3" "$dir/lib/libmkl_core.so.3" \
		-Wl,-rpath,"$dir/lib" -lgomp -lpthread -lm -ldl
}
mkl_files() {
	wheel mkl-include==2026.2.0 889cc72057a1671fee1e9a8beb2fc4e0d222ba78c08b6d69584dae03fbec4822
	wheel mkl==2026.2.0 eaab1875ce9f47ab3c66d5632cef06baf768c05781f2f28847bdbc4343500ed7
	mkdir lib
	mv "$tmp"/mkl-include/*/data/include .
	for l in intel_lp64 gnu_thread core def avx2 avx512; do mv "$tmp"/mkl/*/data/lib/libmkl_$l.so.* lib/; done
}

blis() { # Debian's is built for all x86-64 CPUs; which kernels run, BLIS_ARCH_TYPE tells it (cblas.c)
	sh "$here/scripts/packages.sh" libblis-openmp-dev
	dir=$src
	server blis "$CC" -O2 -DBLIS -isystem /usr/include/x86_64-linux-gnu/blis-openmp "$src/cblas.c" -L/usr/lib/x86_64-linux-gnu/blis-openmp -Wl,-rpath,/usr/lib/x86_64-linux-gnu/blis-openmp -lblis -lm
}

ggml() { # the CPU kernels of llama.cpp, compiled for this CPU from the sources in llama-cpp-python's archive
	install ggml 0.3.36 ggml_files
	server ggml "$CC" -O2 -I"$dir/include" "$src/ggml.c" -L"$dir/lib" -Wl,-rpath,"$dir/lib" -lggml -lggml-base -lggml-cpu -lm
}
ggml_files() {
	echo "llama-cpp-python==0.3.36 --hash=sha256:832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e" >"$tmp/ggml.txt"
	"$python" -m pip download -q --disable-pip-version-check --no-deps --no-binary llama-cpp-python --require-hashes -d "$tmp/ggml.d" -r "$tmp/ggml.txt"
	tar xzf "$tmp"/ggml.d/*.tar.gz -C "$tmp" --wildcards '*/vendor/llama.cpp/ggml/*'
	touch "$tmp"/llama_cpp_python-0.3.36/vendor/llama.cpp/ggml/ggml.pc.in # which the archive lacks
	cmake -S "$tmp"/llama_cpp_python-0.3.36/vendor/llama.cpp/ggml -B "$tmp/ggml" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DGGML_OPENMP=ON -DGGML_LLAMAFILE=ON \
		-DGGML_BUILD_TESTS=OFF -DGGML_BUILD_EXAMPLES=OFF -DCMAKE_INSTALL_PREFIX="$PWD" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_INSTALL_RPATH='$ORIGIN' >"$tmp/log" 2>&1 &&
		cmake --build "$tmp/ggml" -j "$(nproc)" --target install >>"$tmp/log" 2>&1 || { tail -20 "$tmp/log" >&2; return 1; }
}

pytorch() { # the CPU build of 2.7.1, as the JVM's Deep Java Library packs it; called through AOTInductor's C interface
	command -v mvn >/dev/null || { echo "pytorch: it takes mvn (apt-get install maven)" >&2; return 1; }
	install pytorch 2.7.1 pytorch_files
	server pytorch "$CC" -O2 "$src/pytorch.c" -Wl,--no-as-needed "$dir/lib/libtorch.so" "$dir/lib/libtorch_cpu.so" -Wl,-rpath,"$dir/lib" -lm
}
pytorch_files() {
	mvn -q -B dependency:copy -Dartifact=ai.djl.pytorch:pytorch-native-cpu:2.7.1:jar:linux-x86_64 -DoutputDirectory="$tmp/jar" >&2
	echo "1769928feaaa2389b4aa68390e7787ce1707290258b167d016a200fced4b8c39  $tmp/jar/pytorch-native-cpu-2.7.1-linux-x86_64.jar" | sha256sum -c --quiet
	"$python" -m zipfile -e "$tmp"/jar/*.jar "$tmp/jar/x"
	mv "$tmp/jar/x/pytorch/cpu/linux-x86_64" lib
	chmod +x lib/*
}

libmvec() { # of glibc, by gcc's vectoriser
	dir=$src
	# shellcheck disable=SC2086 # a list of words
	server libmvec "$CC" $fast "$src/libmvec.c" -lmvec -lm
}

stream() {
	dir=$src
	# shellcheck disable=SC2086 # a list of words
	server stream "$CC" $fast "$src/stream.c" -lm
}

[ $# -gt 0 ] || set -- openblas onednn mkl blis ggml pytorch libmvec stream
[ "$(uname -sm)" = 'Linux x86_64' ] || { echo "peers.sh: the peers are built for x86-64 Linux, this is $(uname -sm)" >&2; exit 1; }
sh "$here/scripts/packages.sh" gcc g++ libc6-dev libgomp1 cmake make python3 >&2
failed=
for peer; do
	("$peer") & # set -e would not hold within a condition
	wait $! || failed="$failed $peer"
done
[ -z "$failed" ] || { echo "peers.sh: not installed:$failed (the reasons are above)" >&2; exit 1; }
