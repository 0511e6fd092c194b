package bench

import "fmt"

// The warning codes of measurements and runs. docs/warnings.md explains each; a test holds the two together.
const (
	FewSamples      = "few_samples"
	Noisy           = "noisy"
	NotPlateaued    = "not_plateaued"
	Uneven          = "uneven"
	Preempted       = "preempted"
	ClockUnknown    = "clock_unknown"
	CacheResident   = "cache_resident"
	ShapeSkipped    = "shape_skipped"
	WrongResult     = "wrong_result"
	Interrupted     = "interrupted"
	Throttled       = "throttled"
	ShapeReduced    = "shape_reduced"
	Lost            = "lost"
	TimedOut        = "timed_out"
	Quarantined     = "quarantined"
	Busy            = "busy"
	JIT             = "jit"
	HeldUp          = "held_up"
	Emulated        = "emulated"
	SlowerThanPeers = "slower_than_peers"
	Unsupported     = "unsupported"
	NoLibrary       = "no_library" // of a run
	NoProfile       = "no_profile" // of a run
)

// WarningCode is one row of the table of warnings.
type WarningCode struct {
	Code    string
	Meaning string // one line: what was seen and what it does to the figure
}

var warningCodes = []WarningCode{
	{FewSamples, "fewer than 6 samples: the interval is the smallest and the largest sample, not a 95% interval"},
	{Noisy, "the 95% interval is wider than 3% of the median on either side"},
	{NotPlateaued, "the rate was still drifting when the time was over; the figure is the median of the second half"},
	{Uneven, "the mean rate of the samples lies more than 5% below the median that is shown: the work came in bursts"},
	{Preempted, "others took more than 5% of the threads' CPU time, in more than 20 involuntary switches a second and thread"},
	{ClockUnknown, "the core clock could not be measured beside the samples"},
	{CacheResident, "the working set meant for memory is smaller than twice the last-level cache, because memory or the suite bounds it"},
	{ShapeSkipped, "shapes were not run because they need more memory than this process may use, or one pass would take too long"},
	{WrongResult, "the device computed something wrong: it is faulty, and the result has no figures"},
	{Interrupted, "measuring was interrupted; the figure is of the samples made until then"},
	{Throttled, "in some of the samples the device's power, thermal or other protection held its clock down"},
	{ShapeReduced, "the shape did not fit into the device's memory: a smaller one, made by halving its largest dimension, was measured"},
	{Lost, "the device, its driver or the worker process failed: measured by a new worker, or, where the result failed, not at all"},
	{TimedOut, "the device or its driver did not answer in time: measured by a new worker, or, where the result failed, not at all"},
	{Quarantined, "a worker on this device could not be ended even by SIGKILL: nothing more is measured on it until the next boot"},
	{Busy, "the device is in use by others, cut into parts, or closed to other processes"},
	{JIT, "the kernels were not compiled for this device beforehand: its driver compiled them"},
	{HeldUp, "sampling took ten times as long by this machine's clock as the device says it worked, and was ended"},
	{Emulated, "the device is emulated: the figures are those of a cost model, nothing was measured"},
	{SlowerThanPeers, "the figure lies more than 10% below the median of the run's other devices of the same model"},
	{Unsupported, "the device is of an architecture that this version, or its driver, has no kernels for"},
	{NoLibrary, "the vendor's library for matrix products, which frameworks use, was not found: gemm is by own kernels alone"},
	{NoProfile, "no result of the run could be used for calibration"},
}

// WarningCodes lists these codes with its meaning, in the order of docs/warnings.md.
func WarningCodes() []WarningCode { return append([]WarningCode(nil), warningCodes...) }

// Warn makes a warning; the text is one sentence with the figures.
func Warn(code, format string, args ...any) Warning {
	return Warning{Code: code, Text: fmt.Sprintf(format, args...)}
}
