package kernels

import (
	"fmt"
	"slices"
	"strings"
)

// Unknown is the error for a name that is not one of those known: it tells the
// nearest real name where one is near, and all of them otherwise.
func Unknown(what, name string, known []string) error {
	if near := Nearest(name, known); near != "" {
		return &UnknownError{fmt.Sprintf("unknown %s %q: did you mean %q?", what, name, near)}
	}
	return &UnknownError{fmt.Sprintf("unknown %s %q: there are %s", what, name, strings.Join(known, ", "))}
}

// UnknownError says that a name given by the user is not one that exists.
type UnknownError struct{ text string }

func (e *UnknownError) Error() string { return e.text }

// Nearest is the known name that begins with name (of at least 3 letters), else the one with the
// smallest edit distance to it, or "" where none is within a third of its length (at least 2) or all
// letters of name would change.
func Nearest(name string, known []string) string {
	letters := len(strings.TrimLeft(name, "-"))
	best, at := "", 0
	for _, k := range known {
		if letters >= 3 && strings.HasPrefix(k, name) {
			return k
		}
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < letters && d <= max(2, len(k)/3) && (best == "" || d < at) {
			best, at = k, d
		}
	}
	return best
}

// distance is Levenshtein's: insertions, deletions and substitutions.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], slices.Min([]int{row[j+1] + 1, row[j] + 1, diagonal + cost})
		}
	}
	return row[len(b)]
}
