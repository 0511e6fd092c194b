#!/bin/sh
# gpu-check.sh [--out FOLDER] [--device UUID] [--bin FOLDER] [--emulate CARD[:SCENARIO]] [--brief]: everything that can be
# proven on one GPU, within nine minutes: each kernel against its oracle, a memory checker where there is
# one, PyTorch beside our engines, and a run. FOLDER/report.md and report.json say what came out.
#
# It needs bin/ (make build), the driver, and python3; PyTorch and compute-sanitizer are used where they are.
# --emulate goes through it without a GPU, and --brief through a few kernels only.
# Exit codes: 0 all goals met, or none to hold against; 1 a step failed; 2 usage; 3 a kernel computes wrong, or a
# goal is missed; 4 no GPU.
set -u
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../bin out='' device='' emulate='' brief=''
while [ $# -gt 0 ]; do
	case $1 in
	--out | --device | --bin | --emulate)
		[ $# -ge 2 ] || { echo "gpu-check: $1 needs a value" >&2; exit 2; }
		case $1 in --out) out=$2 ;; --device) device=$2 ;; --bin) bin=$2 ;; --emulate) emulate=$2 ;; esac
		shift ;;
	--brief) brief=yes ;;
	*) echo "gpu-check: unknown argument $1: want --out, --device, --bin, --emulate or --brief" >&2; exit 2 ;;
	esac
	shift
done
out=${out:-gpu-check-$(date -u +%Y%m%dT%H%M%SZ)}
for program in "$bin/realflops" "$bin/realflops-worker"; do
	[ -x "$program" ] || { echo "gpu-check: $program is missing: make build makes it (it takes gcc)" >&2; exit 2; }
done
command -v python3 >/dev/null || { echo "gpu-check: python3 is missing, which writes the report" >&2; exit 2; }
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
[ -z "$(ls -A "$out")" ] || { echo "gpu-check: $out is not empty: want a folder for this check alone" >&2; exit 2; }

begun=$(date +%s)
seconds_left() { echo $((540 - 10 - $(date +%s) + begun)); }

# note NAME STATUS SECONDS LIMIT CODE WHY COMMAND: a step's line in the table that the report is made of.
note() {
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$out/steps.tsv"
	echo "gpu-check: $1: $2 after $3 s${6:+ ($6)}" >&2
}
skip() { note "$1" skipped 0 0 0 "$2" ''; }

# step NAME LIMIT FILE COMMAND...: runs a step for at most LIMIT seconds, its output in FILE and NAME.log. Not 0 if it failed.
step() {
	name=$1 limit=$2 file=$3
	shift 3
	left=$(seconds_left)
	[ "$left" -ge "$limit" ] || limit=$left
	if [ "$limit" -lt 5 ]; then
		skip "$name" 'no time is left'
		return 1
	fi
	start=$(date +%s)
	timeout --foreground -s INT -k 10 "$limit" "$@" >"$out/$file" 2>"$out/$name.log" </dev/null
	code=$?
	why=$(grep -v '^ *$' "$out/$name.log" | tail -n 1 | tr '\t' ' ')
	why=${why:-exit code $code}
	case $name:$code in
	*:0) status=ok why='' ;;
	*:124) status=cut why="its $limit s were up" ;;
	*:137) status=failed why="it did not end when its $limit s were up, and was killed" ;;
	peers:5) status=skipped ;; # there is no PyTorch
	*) status=failed ;;
	esac
	note "$name" $status $(($(date +%s) - start)) "$limit" $code "$why" "$*"
	return $code
}

# emulator: starts an emulated node, which ends with this script, and has workers use it.
emulator() {
	folder=$(mktemp -d)
	trap 'exec 8>&-; wait; rm -rf "$folder"' EXIT
	mkfifo "$folder/in" "$folder/out"
	"$bin/realflops" emulator "$emulate" --socket "$folder/node.sock" <"$folder/in" >"$folder/out" 2>"$folder/log" &
	exec 8>"$folder/in"
	read -r said <"$folder/out"
	[ "$said" = listening ] || { cat "$folder/log" >&2; exit 2; }
	shim=$bin/realflops-emulated.so
	export REALFLOPS_EMULATOR="$folder/node.sock" REALFLOPS_LIBCUDA="$shim" REALFLOPS_LIBNVML="$shim" REALFLOPS_LIBCUBLASLT="$shim"
}

report() {
	python3 "$here/gpu_report.py" "$out" ${emulate:+--emulated "$emulate"}
	exit $?
}

sanitizer() {
	for s in compute-sanitizer /usr/local/cuda/bin/compute-sanitizer; do
		command -v "$s" && return
	done
}

[ -z "$emulate" ] || emulator
worker=$bin/realflops-worker
real='EMULATED: this needs a GPU'

step doctor 40 doctor.txt "$bin/realflops" doctor || true
step detect 40 detect.json "$bin/realflops" detect --json || true
query=name,uuid,driver_version,vbios_version,pci.bus_id,memory.total,ecc.mode.current,persistence_mode,compute_mode
query=$query,power.limit,clocks.max.sm,clocks.max.mem,clocks.sm,temperature.gpu,utilization.gpu
if [ -n "$emulate" ]; then
	skip nvidia-smi "$real"
elif command -v nvidia-smi >/dev/null; then
	step nvidia-smi 20 nvidia-smi.csv nvidia-smi --query-gpu=$query --format=csv || true
else
	skip nvidia-smi 'nvidia-smi is not in PATH'
fi
step devices 30 devices.txt "$worker" -devices || true
device=${device:-$(grep -o -m 1 'GPU-[0-9a-f-]*' "$out/devices.txt")}
if [ -z "$device" ]; then
	for name in conform conform-ptx memcheck racecheck peers run; do skip $name 'no GPU'; done
	report
fi

thin=${emulate:+-thin}
few=${brief:+'^(gemm_fp16_fp32|relu_fp32|fold_bits_4|mma_fp16_fp32)$'}
step conform 100 conform.json "$worker" -conform "$device" $thin ${few:+-entries "$few"} || true
if [ -n "$emulate" ]; then
	skip conform-ptx 'EMULATED: an emulated GPU takes PTX alone, which conform has checked'
else
	step conform-ptx 40 conform-ptx.json "$worker" -conform "$device" -ptx -thin ${few:+-entries "$few"} || true
fi

# sanitize TOOL ENTRIES OPTION...: the thin conformance once more, under a tool of compute-sanitizer.
sanitize() {
	tool=$1 entries=$2
	shift 2
	if [ -n "$emulate" ]; then
		skip "$tool" "$real"
	elif [ -z "$(sanitizer)" ]; then
		skip "$tool" 'compute-sanitizer is neither in PATH nor in /usr/local/cuda/bin'
	else
		step "$tool" 45 "$tool.json" "$(sanitizer)" --tool "$tool" --error-exitcode 9 "$@" --log-file "$out/$tool.txt" \
			"$worker" -conform "$device" -thin -entries "${few:-$entries}" || true
	fi
}
sanitize memcheck . --report-api-errors no # what the driver refuses is told by the worker
sanitize racecheck 'gemm_|fold_'            # the others share no memory

if [ -n "$emulate" ]; then
	skip peers "$real"
else
	step peers 135 peers.txt python3 "$here/../bench/peers/pytorch.py" --worker "$worker" --device "$device" \
		--out "$out/peers.json" --seconds 110 --cases "${brief:+fp16/fp32 1024x1024x1024}" || true
fi

# The longest is last, with the time that is left; an interrupted run tells what it has.
suite=standard
[ -z "$emulate" ] && [ "$(seconds_left)" -ge 330 ] || suite=quick
if [ -n "$brief" ]; then
	set -- bench gemm --shape 256x256x256 --seconds 0.05
else
	set -- run --suite $suite
fi
if [ -n "$emulate" ]; then
	set -- "$@" --emulate "$emulate"
else
	set -- "$@" --device "$device"
	sleep 3 # a GPU that was at work in the last second counts as busy
fi
step run 330 run.json "$bin/realflops" "$@" --json --state-dir "$out/state" || true
report
