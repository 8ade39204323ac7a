package httpclient_test

import (
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/httpclient"
)

func TestRetryAfterTakesSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 4, 25, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"Sat, 25 Apr 2026 12:00:30 GMT": 30 * time.Second, "Sat, 25 Apr 2026 11:00:00 GMT": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "": 0,
		"Saturday, 25-Apr-26 12:00:30 GMT": 30 * time.Second, "Sat Apr 25 12:00:30 2026": 30 * time.Second, // the old forms
		"Sat, 25 Apr 2026 12:00:30 CET": 0, "7.5": 0, "7s": 0, "+7": 0, "0x7": 0, "0": 0,
		"86400": httpclient.LongestRetryAfter, "86401": httpclient.LongestRetryAfter, "99999999999999999999999": httpclient.LongestRetryAfter,
		"Sat, 25 Apr 9999 12:00:30 GMT": httpclient.LongestRetryAfter, "-99999999999999999999999": 0,
	} {
		if got := httpclient.RetryAfter(value, now); got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}
