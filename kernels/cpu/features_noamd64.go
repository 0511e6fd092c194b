//go:build !amd64

package cpu

// processor knows nothing where the operating system names only what it has enabled.
type processor struct{}

var host processor

func (processor) lacking(string) (why string, known bool) { return "", false }
