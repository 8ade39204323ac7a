package logserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/reading"
)

// plain is a dialect whose server holds entries in memory.
type plain struct{}

func (plain) Request(_ *reading.Query, p Page) (string, url.Values) {
	data, _ := json.Marshal(p)
	return "/", url.Values{"page": {string(data)}}
}

func (plain) Decode(body io.Reader) (entries []Entry, err error) {
	err = json.NewDecoder(body).Decode(&entries)
	return entries, err
}

func (plain) TooMuch(text string) bool { return strings.Contains(text, "too much") }
func (plain) TooLong(string) bool      { return false }

// serve returns a source of entries whose server answers at most maxPage of them, and at
// most maxBytes bytes of lines.
func serve(t *testing.T, entries []Entry, maxPage, maxBytes int) *Source {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p Page
		if err := json.Unmarshal([]byte(r.FormValue("page")), &p); err != nil {
			t.Error(err)
		}
		names := make([]*regexp.Regexp, len(p.Names))
		for i, m := range p.Names {
			names[i] = regexp.MustCompile(`^(?:` + m.Pattern + `)$`)
		}
		takes := func(name string) bool {
			for i, m := range p.Names {
				if names[i].MatchString(name) == m.Not {
					return false
				}
			}
			return true
		}
		found := []Entry{}
		size := 0
		for _, e := range entries {
			if len(found) == p.Limit || e.Time < p.From || e.Time >= p.To || p.Late || !takes(e.Event) {
				continue
			}
			found = append(found, e)
			size += len(e.Line)
		}
		if p.Limit > maxPage || size > maxBytes {
			http.Error(w, "too much", http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(found)
	}))
	t.Cleanup(server.Close)
	s, err := New(Config{
		Name: "plain", Client: "plain", Address: server.URL, Header: http.Header{}, PageSize: maxPage, MaxPage: 2 * maxPage,
		Timeout: 10 * time.Second, Retention: time.Hour, Ahead: time.Hour,
	}, plain{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// scanned returns how often each entry was handed on.
func scanned(t *testing.T, s *Source) (map[Entry]int, error) {
	t.Helper()
	got := map[Entry]int{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := s.scan(ctx, &reading.Query{}, window{from: 0, to: 1000}, func(e Entry) error {
		got[e]++
		return nil
	})
	return got, err
}

func TestAnyNamesOfOneTimeAreDividedUntilTheyFit(t *testing.T) {
	hostile := []string{"", "a", "a.", "a*", "a\\", "a[b", "a\n", "ü", "ü€", "日本", "a\U0010FFFF", "\x00", "a|b", "^a$", "(?i)A"}
	for round := range 20 {
		var entries []Entry
		for range 1 + rand.IntN(400) {
			name := fmt.Sprintf("ae-01m8b898%016x-proxy", rand.Uint64()>>rand.IntN(60))
			if rand.IntN(4) == 0 {
				name = strings.Repeat(hostile[rand.IntN(len(hostile))], rand.IntN(4)) + hostile[rand.IntN(len(hostile))]
			}
			if e := (Entry{Time: int64(rand.IntN(3)), Event: name, Line: strings.Repeat("x", rand.IntN(50))}); !slices.ContainsFunc(entries, func(other Entry) bool { return other.Event == name }) {
				entries = append(entries, e)
			}
		}
		slices.SortStableFunc(entries, func(a, b Entry) int { return int(a.Time - b.Time) })
		s := serve(t, entries, 2+rand.IntN(20), 1000)
		got, err := scanned(t, s)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if len(got) != len(entries) {
			t.Fatalf("round %d: %d entries, want %d", round, len(got), len(entries))
		}
		for e, n := range got {
			if n != 1 {
				t.Errorf("%q came %d times", e.Event, n)
			}
		}
	}
}

func TestMoreOfOneNameThanAPageHoldsIsAnError(t *testing.T) {
	var entries []Entry
	for i := range 10 {
		entries = append(entries, Entry{Time: 5, Event: "ae-1", Line: fmt.Sprint(i)})
	}
	_, err := scanned(t, serve(t, entries, 3, 1<<20))
	if err == nil || !errors.Is(err, errTooMuch) {
		t.Errorf("over the limit of the server: %v", err)
	}
	s := serve(t, entries, 6, 1<<20)
	s.MaxPage = 6
	if _, err := scanned(t, s); err == nil || !strings.Contains(err.Error(), "the one name ae-1") {
		t.Errorf("over our limit: %v", err)
	}
	if got, err := scanned(t, serve(t, entries, 11, 1<<20)); err != nil || len(got) != len(entries) {
		t.Errorf("%d entries, want %d: %v", len(got), len(entries), err)
	}
	_, err = scanned(t, serve(t, []Entry{{Time: 5, Event: "ae-1", Line: strings.Repeat("x", 100)}}, 3, 50))
	if !errors.Is(err, errTooMuch) {
		t.Errorf("an entry that is too large: %v", err)
	}
}
