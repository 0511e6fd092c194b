package emulator

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// op is what a request asks for. shim/ops.h is the same table for C.
type op uint32

// The requests, with their words (each 8 bytes), their data, and the data of the answer.
// From opMemoryInfo on, every request of the driver starts with the context, which is the
// device's ordinal and one; a device is an ordinal among those that the connection sees.
const (
	opHello       op = 1  // kind, protocol, pid, 1 if CUDA_VISIBLE_DEVICES is set; its value
	opInit        op = 2  // flags
	opVersion     op = 3  // 0 -> i32
	opCount       op = 4  // 0 -> i32
	opName        op = 5  // device -> text
	opAttribute   op = 6  // attribute, device -> i32
	opTotalMemory op = 7  // device -> u64
	opUUID        op = 8  // device -> 16 bytes
	opPCI         op = 9  // device -> text
	opRetain      op = 10 // device -> u64 context
	opRelease     op = 11 // device

	opMemoryInfo     op = 12 // context -> u64 free, u64 total
	opAlloc          op = 13 // context, bytes -> u64 address
	opFree           op = 14 // context, address
	opUpload         op = 15 // context, address; bytes
	opUploadAsync    op = 16 // the same
	opDownload       op = 17 // context, address, bytes -> bytes
	opCopy           op = 18 // context, to, from, bytes
	opMemset         op = 19 // context, address, value, elements, bytes an element
	opPin            op = 20 // context, bytes -> u64 id, pid, descriptor: the memory is the file /proc/PID/fd/DESCRIPTOR
	opUnpin          op = 21 // context, id
	opUploadPinned   op = 22 // context, address, id, offset, bytes
	opDownloadPinned op = 23 // the same

	opLoad                 op = 24 // context; image -> u64 module, or on error a text
	opUnload               op = 25 // context, module
	opFunction             op = 26 // context, module; name -> u64 function, of which the low byte is the number of parameters
	opFunctionAttribute    op = 27 // context, function, attribute -> i32
	opSetFunctionAttribute op = 28 // context, function, attribute, value
	opLaunch               op = 29 // context, function, grid x y z, block x y z, shared bytes, parameters
	opSynchronize          op = 30 // context
	opEventCreate          op = 31 // context, flags -> u64 event
	opEventDestroy         op = 32 // context, event
	opEventRecord          op = 33 // context, event
	opEventElapsed         op = 34 // context, from, to -> f32 milliseconds
	opOccupancy            op = 35 // context, function, threads a block, shared bytes -> i32 blocks

	opLtCreate    op = 50 // 0
	opLtHeuristic op = 51 // description (lt.go) -> f32 waves, u32 tile
	opLtMatmul    op = 52 // description, a, b, out

	opNvmlInit          op = 70 // 0
	opNvmlCount         op = 71 // 0 -> u32
	opNvmlFind          op = 72 // ; UUID -> u64 index
	opNvmlUUID          op = 73 // index -> text
	opNvmlName          op = 74 // index -> text
	opNvmlQuery         op = 75 // index, query (nvml.go), argument -> its value
	opNvmlDriverVersion op = 76 // 0 -> text
)

// unanswered are the requests that the library does not wait for; what goes wrong there is
// told by the next one that is answered, as CUDA does.
var unanswered = map[op]bool{
	opUploadAsync: true, opCopy: true, opMemset: true, opUploadPinned: true, opDownloadPinned: true,
	opLaunch: true, opEventRecord: true, opLtMatmul: true,
}

// The kinds of connections: the first word of [opHello].
const (
	kindDriver = 1
	kindNvml   = 2
)

// protocol is the second word of [opHello].
const protocol = 1

// Limits of a request; whatever exceeds them is no request of the shim.
const (
	maxWords = 9 + 255
	maxData  = 1 << 36
	maxText  = 16 << 20 // of data that is not an upload
)

// request is one request as it comes in: a header of u32 op, u32 words, u64 bytes of data, then
// the words (u64), then the data. Everything is little-endian.
type request struct {
	op    op
	words []uint64
	data  *io.LimitedReader // not read yet
}

func readRequest(r *bufio.Reader) (request, error) {
	var header [16]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return request{}, err
	}
	q := request{op: op(binary.LittleEndian.Uint32(header[:]))}
	words, bytes := binary.LittleEndian.Uint32(header[4:]), binary.LittleEndian.Uint64(header[8:])
	if words > maxWords || bytes > maxData {
		return request{}, fmt.Errorf("request %d of %d words and %d bytes of data; at most %d and %d are taken", q.op, words, bytes, maxWords, maxData)
	}
	raw := make([]byte, 8*words)
	if _, err := io.ReadFull(r, raw); err != nil {
		return request{}, err
	}
	q.words = make([]uint64, words)
	for i := range q.words {
		q.words[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	q.data = &io.LimitedReader{R: r, N: int64(bytes)}
	return q, nil
}

// word is word i of the request; 0 where there are fewer.
func (q request) word(i int) uint64 {
	if i < len(q.words) {
		return q.words[i]
	}
	return 0
}

// body is the data whole, as far as it is short enough to be a text.
func (q request) body() ([]byte, error) {
	if q.data.N > maxText {
		return nil, fmt.Errorf("request %d with %d bytes of data; at most %d are taken", q.op, q.data.N, maxText)
	}
	return io.ReadAll(q.data)
}

// answer is a code of the library that was called (0 is success) and data: a header of i32 code,
// u32 zero, u64 bytes, then the data.
type answer struct {
	code int
	data []byte
}

func writeAnswer(w *bufio.Writer, a answer) error {
	var header [16]byte
	binary.LittleEndian.PutUint32(header[:], uint32(int32(a.code)))
	binary.LittleEndian.PutUint64(header[8:], uint64(len(a.data)))
	if _, err := w.Write(header[:]); err != nil {
		return err
	}
	if _, err := w.Write(a.data); err != nil {
		return err
	}
	return w.Flush()
}

// code is an answer without data.
func code(c int) answer { return answer{code: c} }

// value is a success with values one after the other: of int32, uint32, uint64, float32, string.
func value(values ...any) answer {
	var b []byte
	for _, v := range values {
		switch v := v.(type) {
		case string:
			b = append(b, v...)
		case []byte:
			b = append(b, v...)
		default:
			var err error
			if b, err = binary.Append(b, binary.LittleEndian, v); err != nil {
				return code(errUnknown)
			}
		}
	}
	return answer{data: b}
}
