package kernels

import "testing"

func TestUnknownNamesTheNearestOrAll(t *testing.T) {
	known := []string{"fma", "gemm", "relu", "sigmoid", "triad", "copy"}
	for _, c := range []struct{ name, want string }{
		{"gem", `unknown kernel "gem": did you mean "gemm"?`},
		{"sigmod", `unknown kernel "sigmod": did you mean "sigmoid"?`},
		{"SIGMOID", `unknown kernel "SIGMOID": did you mean "sigmoid"?`},
		{"relu6", `unknown kernel "relu6": did you mean "relu"?`},
		{"cpoy", `unknown kernel "cpoy": did you mean "copy"?`},
		{"attention", `unknown kernel "attention": there are fma, gemm, relu, sigmoid, triad, copy`},
		{"", `unknown kernel "": there are fma, gemm, relu, sigmoid, triad, copy`},
	} {
		if got := Unknown("kernel", c.name, known).Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestNearestIsNear(t *testing.T) {
	for _, c := range []struct {
		name  string
		known []string
		want  string
	}{
		{"abc", []string{"abd", "abe"}, "abd"},
		{"abe", []string{"abd", "abe"}, "abe"},
		{"abc", nil, ""},
		{"abcdefghij", []string{"abcdefgXYZ"}, "abcdefgXYZ"}, // 3 of 10 are a third
		{"abcdefghij", []string{"abcdefWXYZ"}, ""},           // 4 are not
		{"abc", []string{"axy"}, "axy"},                      // but 2 always are near,
		{"ab", []string{"xy"}, ""},                           // unless no letter stays
		{"--on", []string{"--json"}, ""},
		{"influx.token", []string{"influx.bucket", "influx.token_file"}, "influx.token_file"}, // one that it begins
	} {
		if got := Nearest(c.name, c.known); got != c.want {
			t.Errorf("nearest to %q of %q is %q, want %q", c.name, c.known, got, c.want)
		}
	}
}

func TestDistanceIsLevenshteins(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"kitten", "sitting", 3},
		{"saturday", "sunday", 3},
		{"ab", "ba", 2},
		{"gemm", "gem", 1},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q is %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("%q to %q is %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
