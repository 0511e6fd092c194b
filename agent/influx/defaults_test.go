package influx

import (
	"testing"
	"time"
)

func TestTheZeroOptionsAreThoseOfTheEndOfARun(t *testing.T) {
	o := Options{}.withDefaults()
	if o.Wait || o.MaxElapsed != 30*time.Second || o.Timeout != 20*time.Second || o.BatchSize != 500 {
		t.Errorf("%+v", o)
	}
	if client := newDoer(o.Timeout).client; client.Timeout != 20*time.Second {
		t.Errorf("a request may take %v", client.Timeout)
	}
	if d := time.Until(o.Now()); d > time.Minute || d < -time.Minute {
		t.Errorf("the clock is off by %v", d)
	}
	if j := o.Jitter(); j < 0 || j >= 1 {
		t.Errorf("jitter %g is not in [0, 1)", j)
	}
}
