package httpdriver_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

func TestEachStatusHasItsVerdict(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		fmt.Fprint(w, "some \x1b[31mtext\n")
	})
	patient := open(t, address, httpdriver.Options{})
	strict := open(t, address, httpdriver.Options{RefusalGrace: -1})
	for _, c := range []struct {
		statuses []int
		verdict  httpdriver.Verdict
		class    auditing.Class
		text     string
	}{
		{[]int{200, 201, 204}, httpdriver.Stored, "", ""},
		{[]int{202, 203, 205, 206, 207, 226, 260, 299}, httpdriver.Unclear, auditing.ClassTransient, "only 200, 201 and 204"},
		{[]int{400, 422}, httpdriver.Refused, auditing.ClassPermanent, "refused: "},
		{[]int{413}, httpdriver.Refused, auditing.ClassPermanent, "raise the limit"},
		{[]int{408, 429, 500, 501, 502, 503, 504, 505, 507, 599}, httpdriver.Unclear, auditing.ClassTransient, "outcome is unknown"},
		{[]int{300, 301, 302, 303, 304, 307, 308}, httpdriver.NotStored, auditing.ClassTransient, "use the URL that it redirects to"},
		{[]int{401, 403}, httpdriver.NotStored, auditing.ClassTransient, "check the credentials in Options.HTTP"},
		{[]int{407}, httpdriver.NotStored, auditing.ClassTransient, "credentials of the proxy"},
		{[]int{404, 405}, httpdriver.NotStored, auditing.ClassTransient, "check the URL"},
		{[]int{402, 406, 409, 410, 411, 415, 421, 425, 431, 451, 499}, httpdriver.NotStored, auditing.ClassTransient, "transient until"},
		{[]int{600, 999}, httpdriver.Unclear, auditing.ClassTransient, "outcome is unknown"},
	} {
		for _, code := range c.statuses {
			status.Store(int64(code))
			a := post(t, patient)
			if a.Status != code {
				t.Fatalf("status %d, want %d: %v", a.Status, code, a.Err)
			}
			if c.verdict == httpdriver.Stored {
				if a.Verdict != c.verdict || a.Err != nil || a.Cause != nil {
					t.Errorf("%d: %q: %v", code, a.Verdict, a.Err)
				}
				continue
			}
			expect(t, a, c.verdict, c.class, c.text, strconv.Itoa(code), "POST "+address)
			if code != 204 && code != 205 && code != 304 { // which have no body
				contains(t, a.Err, `some \u001b[31mtext`)
			}
			if c.verdict == httpdriver.NotStored {
				expect(t, post(t, strict), httpdriver.Refused, auditing.ClassPermanent, strconv.Itoa(code))
			}
		}
	}
}

// replies is a transport without a network, for tests with a clock of their own.
type replies struct{ status atomic.Int64 }

func (r *replies) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(r.status.Load()), Header: http.Header{}, Body: http.NoBody}, nil
}

func (r *replies) wrap(http.RoundTripper) http.RoundTripper { return r }

func TestGraceEndsOnceAndBeginsAgainAfterAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const grace = time.Minute
		server := &replies{}
		c := open(t, "http://server.example", httpdriver.Options{RefusalGrace: grace, Wrap: server.wrap})
		says := func(status int, verdict httpdriver.Verdict) {
			t.Helper()
			server.status.Store(int64(status))
			if a := post(t, c); a.Verdict != verdict {
				t.Errorf("%d is %q, want %q: %v", status, a.Verdict, verdict, a.Err)
			}
		}
		for _, letsIn := range []int{204, 400, 413} {
			says(401, httpdriver.NotStored)
			time.Sleep(grace - 1)
			says(404, httpdriver.NotStored)
			says(503, httpdriver.Unclear) // neither lets the sender in nor refuses it
			time.Sleep(1)
			says(302, httpdriver.Refused)
			says(401, httpdriver.Refused) // and goes on to
			verdict := httpdriver.Refused
			if letsIn == 204 {
				verdict = httpdriver.Stored
			}
			says(letsIn, verdict)
		}
	})
}

func TestJudgeDecidesWithVerdictAndAdvice(t *testing.T) {
	t.Parallel()
	judge := func(a *httpdriver.Answer) {
		switch {
		case a.Status == 202 && string(a.Body) == "kept":
			a.Verdict = httpdriver.Stored
		case a.Status == 500:
			a.Verdict, a.Advice = httpdriver.Refused, "look into the log of the server"
		case a.Status == 400:
			a.Verdict = httpdriver.RefusedSender
		case a.Status == 200:
			a.Verdict, a.Advice = httpdriver.NotStored, "this is another server"
		}
	}
	for _, c := range []struct {
		status  int
		body    string
		verdict httpdriver.Verdict
		class   auditing.Class
		text    string
	}{
		{202, "lost", httpdriver.Unclear, auditing.ClassTransient, "answered: 202: lost"},
		{500, "oh", httpdriver.Refused, auditing.ClassPermanent, "refused: 500: oh: look into the log of the server"},
		{400, "oh", httpdriver.NotStored, auditing.ClassTransient, "transient until"},
		{200, "", httpdriver.NotStored, auditing.ClassTransient, "nothing was stored: POST "},
		{200, "", httpdriver.NotStored, auditing.ClassTransient, "answered: 200: OK: this is another server"},
		{503, "oh", httpdriver.Unclear, auditing.ClassTransient, "refused: 503: oh"},
	} {
		expect(t, post(t, open(t, answering(t, c.status, c.body), httpdriver.Options{Judge: judge})), c.verdict, c.class, c.text)
	}
	if a := post(t, open(t, answering(t, 202, "kept"), httpdriver.Options{Judge: judge})); a.Err != nil || a.Verdict != httpdriver.Stored {
		t.Errorf("%q: %v", a.Verdict, a.Err)
	}
}

func TestRetryAfterIsThePauseOfTransientErrors(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range []struct {
		status      int
		value       string
		least, most time.Duration
	}{
		{429, "7", 7 * time.Second, 7 * time.Second},
		{503, "40", 40 * time.Second, 40 * time.Second},
		{401, "3", 3 * time.Second, 3 * time.Second}, // within the grace
		{202, "3", 3 * time.Second, 3 * time.Second},
		{503, in(time.Hour), time.Hour - time.Minute, time.Hour},
		{429, in(-time.Hour), 0, 0},
		{429, "-7", 0, 0},
		{429, "soon", 0, 0},
		{429, "", 0, 0},
		{429, "99999999999999999999", 24 * time.Hour, 24 * time.Hour},
		{503, in(1e6 * time.Hour), 24 * time.Hour, 24 * time.Hour},
		{400, "7", 0, 0}, // no pause would mend it
	} {
		a := post(t, open(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.value)
			w.WriteHeader(c.status)
		}), httpdriver.Options{}))
		_, pause := driver.ClassOf(a.Err)
		if pause < c.least || pause > c.most {
			t.Errorf("%d with %q: a pause of %s, want %s to %s", c.status, c.value, pause, c.least, c.most)
		}
		if asks := strings.Contains(fmt.Sprint(a.Err), "asks to wait"); asks != (pause > 0) {
			t.Errorf("%d with %q: %v", c.status, c.value, a.Err)
		}
	}
}

func TestHeadersOfEachRequestAndOfOne(t *testing.T) {
	t.Parallel()
	got := make(chan http.Header, 2)
	c := open(t, serve(t, func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }), httpdriver.Options{
		TenantID: "team-a", Header: http.Header{"x-fixed": {"1", "2"}, "X-Both": {"fixed"}},
	})
	if a := c.Post(shortly(t), nil, http.Header{"x-both": {"own"}, "Content-Type": {"text/plain"}}); a.Err != nil {
		t.Fatal(a.Err)
	}
	if a := post(t, c); a.Err != nil {
		t.Fatal(a.Err)
	}
	for _, want := range []map[string]string{
		{"X-Fixed": "1,2", "X-Both": "own", "Content-Type": "text/plain", "X-Scope-Orgid": "team-a", "User-Agent": "paddock-audit"},
		{"X-Fixed": "1,2", "X-Both": "fixed", "Content-Type": "", "X-Scope-Orgid": "team-a"},
	} {
		header := soon(t, got)
		for name, values := range want {
			if is := strings.Join(header[name], ","); is != values {
				t.Errorf("%s is %q, want %q", name, is, values)
			}
		}
	}
	a := c.Post(shortly(t), nil, http.Header{"X-Name": {"a\r\nX-Injected: b"}})
	expect(t, a, httpdriver.Refused, auditing.ClassPermanent, "not sent", "X-Name")
}
