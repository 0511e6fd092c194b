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
	client := newDoer(o.Timeout).client
	if client.Timeout != 20*time.Second {
		t.Errorf("a request may take %v", client.Timeout)
	}
	if client.Transport != nil { // nil is http.DefaultTransport, which takes the proxy from the environment
		t.Errorf("the transport is %T: the proxy of the environment would be ignored", client.Transport)
	}
	if d := time.Until(o.Now()); d > time.Minute || d < -time.Minute {
		t.Errorf("the clock is off by %v", d)
	}
	if j := o.Jitter(); j < 0 || j >= 1 {
		t.Errorf("jitter %g is not in [0, 1)", j)
	}
}
