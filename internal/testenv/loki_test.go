package testenv_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/testenv"
)

// entry is one entry of a push: [nanoseconds, line, structured metadata].
type entry = [3]any

func newEntry(at time.Time, line string) entry {
	return entry{strconv.FormatInt(at.UnixNano(), 10), line, map[string]string{"kind": "egress-block"}}
}

// push posts entries as one stream and returns the answer's status and text.
func push(t *testing.T, l *testenv.Loki, tenant string, entries ...entry) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"streams": []any{
		map[string]any{"stream": map[string]string{"service_name": "proxy"}, "values": entries},
	}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.URL+"/loki/api/v1/push", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if tenant != "" {
		req.Header.Set("X-Scope-OrgID", tenant)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func mustPush(t *testing.T, l *testenv.Loki, tenant string, entries ...entry) {
	t.Helper()
	if status, text := push(t, l, tenant, entries...); status != http.StatusNoContent {
		t.Fatalf("push answered %d: %s", status, text)
	}
}

func query(t *testing.T, l *testenv.Loki, tenant string, start, end time.Time, limit int) []testenv.Entry {
	t.Helper()
	entries, err := l.Query(t.Context(), tenant, `{service_name="proxy"}`, start, end, limit)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// The tests of other packages run at the same time, so only one of three starts has to be fast.
func TestLokiIsReadyWithinTwoSeconds(t *testing.T) {
	for name, opts := range map[string]testenv.LokiOptions{
		"permissive":        {},
		"tenants":           {Tenants: true},
		"production limits": {ProductionLimits: true},
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				began := time.Now()
				testenv.NewLoki(t, opts)
				took := time.Since(began)
				t.Logf("loki ready after %v", took.Round(time.Millisecond))
				if took < 2*time.Second {
					return
				}
			}
			t.Error("loki was never ready within 2s")
		})
	}
}

func TestQueryReturnsMetadataLabelsAndNanoseconds(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	at := time.Now().Add(-time.Minute).Truncate(time.Second).Add(123456789).UTC()
	mustPush(t, l, "", newEntry(at, "blocked"))

	got := query(t, l, "", at, at.Add(1), 0)
	if len(got) != 1 {
		t.Fatalf("got %d entries, want 1: %v", len(got), got)
	}
	if e := got[0]; !e.Time.Equal(at) || e.Line != "blocked" || e.Labels["service_name"] != "proxy" ||
		e.Labels["kind"] != "" || e.Metadata["kind"] != "egress-block" {
		t.Errorf("got %+v", e)
	}
}

func TestQueryReturnsMoreEntriesThanLokisLimit(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	begin := time.Now().Add(-time.Hour)
	const total = 12_000
	entries := make([]entry, total)
	for i := range entries {
		entries[i] = newEntry(begin.Add(time.Duration(i/3)), strconv.Itoa(i)) // three entries for each timestamp
	}
	mustPush(t, l, "", entries...)

	got := query(t, l, "", begin, begin.Add(total), 0)
	seen := make(map[string]bool, total)
	for i, e := range got {
		if i > 0 && e.Time.Before(got[i-1].Time) {
			t.Fatalf("entry %d is older than the one before it", i)
		}
		seen[e.Line] = true
	}
	if len(got) != total || len(seen) != total {
		t.Errorf("got %d entries, %d of them different; want %d", len(got), len(seen), total)
	}
	if n := len(query(t, l, "", begin, begin.Add(total), 7)); n != 7 {
		t.Errorf("limit 7 returned %d entries", n)
	}
}

func TestQueryReturnsEntriesLargerThanLokisMessages(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	begin := time.Now().Add(-time.Hour)
	const total = 20 // 5 MB; the limit is 4 MiB
	for i := range total {
		mustPush(t, l, "", newEntry(begin.Add(time.Duration(i)), fmt.Sprintf("%0250000d", i)))
	}
	if n := len(query(t, l, "", begin, begin.Add(total), 0)); n != total {
		t.Errorf("got %d entries, want %d", n, total)
	}
}

func TestPermissiveLokiShowsOldEntriesAtOnce(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	for _, age := range []time.Duration{400 * 24 * time.Hour, 8 * 24 * time.Hour, 0, 2 * time.Hour, -time.Hour} {
		at := time.Now().Add(-age)
		mustPush(t, l, "", newEntry(at, age.String()))
		if n := len(query(t, l, "", at, at.Add(1), 0)); n != 1 {
			t.Errorf("an entry of the age %v: read back %d times", age, n)
		}
	}
}

func TestProductionLimitsRefuseWhatLokiRefusesByDefault(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{ProductionLimits: true})
	mustPush(t, l, "", newEntry(time.Now(), "now"))
	for what, at := range map[string]time.Time{
		"eight days old":              time.Now().Add(-8 * 24 * time.Hour),
		"two hours behind its stream": time.Now().Add(-2 * time.Hour),
		"an hour ahead":               time.Now().Add(time.Hour),
	} {
		if status, text := push(t, l, "", newEntry(at, what)); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s, want 400", what, status, text)
		}
	}
}

func TestLimitsChangeWithARestart(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{Limits: map[string]any{"block_ingestion_until": "2100-01-01T00:00:00Z"}})
	if status, text := push(t, l, "", newEntry(time.Now(), "blocked")); status != 260 {
		t.Errorf("a blocked push answered %d %s, want 260", status, text)
	}
	l.Options.Limits = nil
	restart(t, l)
	mustPush(t, l, "", newEntry(time.Now(), "let through"))
}

func TestTenantsAreKeptApart(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{Tenants: true})
	at := time.Now()
	mustPush(t, l, "red", newEntry(at, "for red"))
	if status, _ := push(t, l, "", newEntry(at, "for nobody")); status != http.StatusUnauthorized {
		t.Errorf("a push without a tenant answered %d, want 401", status)
	}
	if n := len(query(t, l, "red", at, at.Add(1), 0)); n != 1 {
		t.Errorf("red reads %d entries, want 1", n)
	}
	if n := len(query(t, l, "blue", at, at.Add(1), 0)); n != 0 {
		t.Errorf("blue reads %d entries, want 0", n)
	}
}

func TestKilledLokiKeepsWhatItConfirmed(t *testing.T) {
	l := testenv.NewLoki(t, testenv.LokiOptions{})
	at := time.Now()
	mustPush(t, l, "", newEntry(at, "confirmed"))
	restart(t, l)
	if n := len(query(t, l, "", at, at.Add(1), 0)); n != 1 {
		t.Errorf("read back %d entries after a SIGKILL, want 1", n)
	}
}

func restart(t *testing.T, l *testenv.Loki) {
	t.Helper()
	if err := l.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := l.Kill(); err == nil {
		t.Error("killing a killed Loki reported no error")
	}
	began := time.Now()
	if err := l.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("loki ready again after %v", time.Since(began).Round(time.Millisecond))
	if err := l.Restart(t.Context()); err == nil {
		t.Error("restarting a running Loki reported no error")
	}
}
