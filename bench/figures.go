package bench

// Work is what one pass does, counted by the kernel's conventions; 0 is none of it.
type Work struct{ FLOP, Elements, Bytes float64 }

// SetRates turns the passes a second of s into the rates of the result; those of which a pass
// does nothing stay nil.
func (r *Result) SetRates(s Summary, w Work) {
	r.FlopPerS, r.FlopPerSLo, r.FlopPerSHi, r.FlopPerSBurst = rates(s, w.FLOP)
	r.ElementsPerS, r.ElementsPerSLo, r.ElementsPerSHi, r.ElementsPerSBurst = rates(s, w.Elements)
	r.BytesPerS, r.BytesPerSLo, r.BytesPerSHi, r.BytesPerSBurst = rates(s, w.Bytes)
}

// rates are those of what one pass does; nil if it does none of it.
func rates(s Summary, perPass float64) (value, lo, hi, burst *float64) {
	if perPass == 0 {
		return nil, nil, nil, nil
	}
	of := func(passesPerS float64) *float64 {
		rate := perPass * passesPerS
		return &rate
	}
	return of(s.Sustained.Median), of(s.Sustained.Lo), of(s.Sustained.Hi), of(s.Burst)
}
