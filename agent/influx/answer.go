package influx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// verdict is what becomes of a batch after a try.
type verdict int

const (
	delivered verdict = iota // taken out of the outbox
	retry                    // kept; tried again after a while
	hold                     // kept; a person must mend something
	smaller                  // kept; sent again in halves, and so are later batches
	blame                    // sent again in halves to find the lines at fault
)

// verdicts says what each status means; see also judge.
var verdicts = map[int]verdict{
	http.StatusNoContent:             delivered,
	http.StatusBadRequest:            blame,
	http.StatusUnprocessableEntity:   blame,
	http.StatusRequestEntityTooLarge: smaller,
	http.StatusRequestTimeout:        retry,
	http.StatusTooManyRequests:       retry,
}

// judge says what becomes of a batch whose try ended with err.
func judge(err error) verdict {
	var r *refusal
	var hopeless holdError
	switch {
	case err == nil:
		return delivered
	case errors.As(err, &hopeless):
		return hold
	case !errors.As(err, &r):
		return retry // the network
	case r.status >= 500:
		return retry
	}
	v, known := verdicts[r.status]
	if !known || v == blame && r.foreign {
		return hold
	}
	return v
}

// holdError is trouble on our side that only a person can mend, such as a missing token file.
type holdError struct{ error }

// refusal is an answer other than 204.
type refusal struct {
	status  int
	message string // the server's, in one line
	after   string // Retry-After
	to      string // Location
	foreign bool   // what answered does not look like InfluxDB
}

// hints say what to look at, by status.
var hints = map[int]string{
	http.StatusUnauthorized: ": check the token",
	http.StatusForbidden:    ": check that the token may write to the bucket",
	http.StatusNotFound:     ": check the URL, the organisation and the bucket",
}

// Error is one sentence that names the status and what the server said.
func (r *refusal) Error() string {
	text := fmt.Sprintf("it answered %d %s", r.status, http.StatusText(r.status))
	switch {
	case r.status < 300:
		return text + " where InfluxDB answers 204: a proxy or a login page may stand at this address"
	case r.status < 400:
		return text + " to " + r.to + ": set the URL to where InfluxDB itself answers"
	case r.foreign && verdicts[r.status] == blame:
		return text + " without a message of InfluxDB's: check the URL and whether it should begin with https"
	}
	text += hints[r.status]
	if r.message != "" {
		text += " (" + r.message + ")"
	}
	return text
}

// maxMessage is how much of an answer is read, in bytes.
const maxMessage = 4096

// newRefusal reads an answer and closes it.
func newRefusal(resp *http.Response) *refusal {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxMessage)) // as much of it as came
	_ = resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	r := &refusal{
		status: resp.StatusCode,
		after:  resp.Header.Get("Retry-After"),
		to:     mask(resp.Header.Get("Location")),
		// A web server's page, or the bare line that Go's HTTPS servers send to plain HTTP.
		foreign: kind == "" || kind == "text/html",
	}
	var document struct{ Message, Error string }
	if kind == "application/json" && json.Unmarshal(body, &document) == nil {
		body = []byte(document.Message)
		if document.Message == "" {
			body = []byte(document.Error)
		}
	}
	if !r.foreign {
		r.message = strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "?")), " ")
	}
	return r
}

// waitAsked is how long Retry-After asks to wait, as seconds or as a date; 0 if it does not.
func (r *refusal) waitAsked(now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(r.after, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(r.after); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// doer sends requests for the client library, which would take any 2xx for success: here only 204 is no error.
type doer struct{ client *http.Client }

func newDoer(timeout time.Duration) doer {
	return doer{&http.Client{
		Timeout: timeout,
		// A redirected POST would become a GET without a body, and its answer count as success.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do sends one request. Its errors are a [*refusal] or tell of the network.
func (d doer) Do(req *http.Request) (*http.Response, error) {
	resp, err := d.client.Do(req)
	if err != nil {
		var network net.Error
		if errors.As(err, &network) && network.Timeout() {
			return nil, fmt.Errorf("no answer within %v", d.client.Timeout)
		}
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its text begins with the URL, which our message names already
		}
		return nil, err
	}
	if resp.StatusCode != http.StatusNoContent {
		return nil, newRefusal(resp)
	}
	return resp, nil
}
