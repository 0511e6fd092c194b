package cpu

import "fmt"

// AllocOn is [Alloc] with every page on one memory node. The pages are taken there and then, so
// that a node without the room is an error now. Where the system refuses to place pages (a container
// without CAP_SYS_NICE, or no Linux) so does AllocOn; pages of Alloc lie on the node of the CPU that
// first touches them.
func AllocOn[T any](node, n int) (data []T, free func(), err error) { return allocOn[T](node, n, true) }

func allocOn[T any](node, n int, huge bool) (data []T, free func(), err error) {
	data, free, err = alloc[T](n, huge)
	if err != nil || n == 0 {
		return data, free, err
	}
	if err := bindPages(raw(data), node); err != nil {
		free()
		return nil, nil, fmt.Errorf("cannot place %d elements on memory node %d: %w", n, node, err)
	}
	return data, free, nil
}

// NodeOf is the memory node that the page of data's first element lies on. It touches that page.
func NodeOf[T any](data []T) (int, error) {
	if len(data) == 0 {
		return 0, fmt.Errorf("no element: the memory node of nothing is unknown")
	}
	return nodeOfPage(raw(data))
}
