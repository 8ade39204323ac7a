package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Entry is one log line in an answer of Loki.
type Entry struct {
	Time     time.Time // to the nanosecond, UTC
	Line     string
	Labels   map[string]string // of the stream
	Metadata map[string]string // structured metadata; nil when there is none
}

// pageSize is the number of entries in a page. Loki's default limit is 5,000. When a page has too many bytes, it is
// queried again with a quarter of the entries.
const pageSize = 2000

// Query returns the entries with start <= time < end that a LogQL log query selects, oldest first. limit is the largest
// number of entries; 0 is no limit. tenant is "" unless LokiOptions.Tenants is set. Entries with the same timestamp are in
// no particular order.
func (l *Loki) Query(ctx context.Context, tenant, logql string, start, end time.Time, limit int) ([]Entry, error) {
	var entries []Entry
	for size := pageSize; limit <= 0 || len(entries) < limit; {
		page, err := l.checkedPage(ctx, tenant, logql, start, end, size)
		if tooLarge(err) && size > 4 {
			size /= 4
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("testenv: query Loki at %s for %s: %w", l.URL, logql, err)
		}
		if len(page) < size {
			entries = append(entries, page...)
			break
		}
		// A full page may end between entries with the same timestamp. Those are left to the next page, which begins
		// with all entries of that time. So no entry is missed, and none is returned twice that Loki holds once.
		last := page[len(page)-1].Time
		whole := len(page)
		for whole > 0 && page[whole-1].Time.Equal(last) {
			whole--
		}
		if whole == 0 {
			return nil, fmt.Errorf("testenv: query Loki at %s for %s: over %d entries of the one time %s: narrow the query",
				l.URL, logql, size, last.Format(time.RFC3339Nano))
		}
		entries = append(entries, page[:whole]...)
		start = last
	}
	if limit > 0 && len(entries) > limit {
		entries = entries[:limit]
	}
	return entries, nil
}

// checkedPage queries a page twice. With categorized labels, Loki 3.7.8 answers 200 and leaves out entries that it could
// not fetch (its categorizeLabelsIterator reports only its own error). Without categorized labels it answers the error.
// When there is none, that answer says how many entries there are.
func (l *Loki) checkedPage(ctx context.Context, tenant, logql string, start, end time.Time, size int) ([]Entry, error) {
	plain, err := l.queryPage(ctx, tenant, logql, start, end, size, "")
	if err != nil {
		return nil, err
	}
	page, err := l.queryPage(ctx, tenant, logql, start, end, size, "categorize-labels")
	if err == nil && len(page) < len(plain) {
		err = errIncomplete
	}
	return page, err
}

// errIncomplete is an answer from which Loki left out entries without saying so.
var errIncomplete = errors.New("the answer is incomplete")

// statusError is an answer other than 200, with Loki's own words.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d: %s", e.code, e.text) }

// tooLarge reports whether Loki refused the query because the answer is over its gRPC message limit of 4 MiB.
func tooLarge(err error) bool {
	var refused *statusError
	return errors.Is(err, errIncomplete) || errors.As(err, &refused) && strings.Contains(refused.text, "larger than max")
}

func (l *Loki) queryPage(ctx context.Context, tenant, logql string, start, end time.Time, limit int, flags string) ([]Entry, error) {
	query := url.Values{
		"query":     {logql},
		"start":     {strconv.FormatInt(start.UnixNano(), 10)},
		"end":       {strconv.FormatInt(end.UnixNano(), 10)},
		"limit":     {strconv.Itoa(limit)},
		"direction": {"forward"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL+"/loki/api/v1/query_range?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	if flags != "" { // without categorize-labels, the structured metadata is among the stream's labels
		req.Header.Set("X-Loki-Response-Encoding-Flags", flags)
	}
	if tenant != "" {
		req.Header.Set("X-Scope-OrgID", tenant)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &statusError{code: resp.StatusCode, text: strings.TrimSpace(string(body))}
	}
	return decodeStreams(body)
}
