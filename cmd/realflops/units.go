package main

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// si writes v with three significant digits and a decimal prefix: "104 GFLOP/s".
func si(v float64, unit string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "n/a"
	}
	prefixes := []struct {
		factor float64
		name   string
	}{{1e18, "E"}, {1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}
	for _, p := range prefixes {
		// 0.9995 rounds to 1.00 of this prefix, not to 1000 of the one below.
		if math.Abs(v) >= p.factor*0.9995 {
			return digits(v/p.factor) + " " + p.name + unit
		}
	}
	return digits(v) + " " + unit
}

// siOr is si, or "n/a" for what is not known.
func siOr(v *float64, unit string) string {
	if v == nil {
		return "n/a"
	}
	return si(*v, unit)
}

// digits writes v with three significant digits and no exponent from 0.001 to 9999.
func digits(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a < 0.0995:
		return fmt.Sprintf("%.3g", v)
	case a < 9.995:
		return fmt.Sprintf("%.2f", v)
	case a < 99.95:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// binary writes a count of bytes with a binary prefix: "32 KiB".
func binary(bytes float64) string {
	for i, name := range []string{"EiB", "PiB", "TiB", "GiB", "MiB", "KiB"} {
		if factor := math.Pow(1024, float64(6-i)); bytes >= factor {
			return digits(bytes/factor) + " " + name
		}
	}
	return fmt.Sprintf("%.0f B", bytes)
}

// seconds writes a time in the unit that suits it: "48 s", "1.32 ms", "2 h 05 min".
func seconds(s float64) string {
	switch a := math.Abs(s); {
	case a >= 365.25*86400:
		return digits(s/(365.25*86400)) + " years"
	case a >= 2*86400:
		return digits(s/86400) + " days"
	case a >= 3600:
		d := time.Duration(s * float64(time.Second)).Round(time.Minute)
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	case a >= 120:
		d := time.Duration(s * float64(time.Second)).Round(time.Second)
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	case a >= 1:
		return digits(s) + " s"
	case a >= 1e-3:
		return digits(s*1e3) + " ms"
	case a >= 1e-6:
		return digits(s*1e6) + " us"
	case a == 0:
		return "0 s"
	default:
		return digits(s*1e9) + " ns"
	}
}

// grouped writes a whole number with a comma every three digits: "124,439,808".
func grouped(v int64) string {
	s := fmt.Sprint(v)
	sign := ""
	if v < 0 {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// percent writes a share of one: "93%", or "n/a".
func percent(share *float64) string {
	if share == nil {
		return "n/a"
	}
	return fmt.Sprintf("%.0f%%", *share*100)
}

// plusMinus writes half the width of an interval as a share of its value: "±0.4%".
func plusMinus(value, lo, hi float64) string {
	if value == 0 {
		return ""
	}
	return fmt.Sprintf("±%.1f%%", (hi-lo)/2/math.Abs(value)*100)
}

// plural writes a count with its noun: "1 result", "46 results".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
