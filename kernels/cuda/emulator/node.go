package emulator

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/realflops/realflops/kernels"
)

// Node is a host with emulated GPUs.
type Node struct {
	Cards    []Card
	Scenario Scenario

	// Log gets a sentence where the emulator knows more than the driver may tell: why a launch
	// faulted, why memory ran out. nil discards them. It may be called by several goroutines at once.
	Log func(sentence string)
}

// maxCards is how many GPUs a node has at most.
const maxCards = 16

var count = regexp.MustCompile(`^(.+)x([0-9]+)$`)

// ParseNode reads CARD[xN][:SCENARIO]: a100, rtx4090x2, a100x8:three-of-eight. Without xN there is
// one card, or as many as the scenario needs; without a scenario the node is healthy.
func ParseNode(text string) (Node, error) {
	what, scenario, given := strings.Cut(text, ":")
	var n Node
	var err error
	if !given {
		scenario = "healthy"
	}
	if n.Scenario, err = find("scenario", scenario, Scenarios(), func(s Scenario) string { return s.Name }); err != nil {
		return Node{}, err
	}
	need := max(n.Scenario.Cards, 1)
	name, cards := what, need
	card, err := find("emulated card", name, Cards(), func(c Card) string { return c.Name })
	if m := count.FindStringSubmatch(what); err != nil && m != nil {
		name = m[1]
		if cards, err = strconv.Atoi(m[2]); err != nil || cards < 1 || cards > maxCards {
			return Node{}, fmt.Errorf("%q: %s cards; want 1 to %d", text, m[2], maxCards)
		}
		card, err = find("emulated card", name, Cards(), func(c Card) string { return c.Name })
	}
	if err != nil {
		return Node{}, err
	}
	if cards < need {
		return Node{}, fmt.Errorf("%q: the scenario %s needs %d cards; say %sx%d:%s", text, scenario, need, name, need, scenario)
	}
	for range cards {
		n.Cards = append(n.Cards, card)
	}
	return n, nil
}

func find[T any](kind, name string, all []T, nameOf func(T) string) (T, error) {
	var names []string
	for _, v := range all {
		if nameOf(v) == name {
			return v, nil
		}
		names = append(names, nameOf(v))
	}
	var none T
	return none, kernels.Unknown(kind, name, names)
}

// uuid is of the i-th card of a node: the same in every process, and on no real device, for
// it is a hash (version 8 of RFC 9562, whose meaning is the maker's).
func uuid(c Card, i int) (u [16]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "realflops emulated %s %d", c.Name, i))
	copy(u[:], sum[:])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return u
}

// uuidText is as the driver's tools write it.
func uuidText(u [16]byte) string {
	return fmt.Sprintf("GPU-%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
