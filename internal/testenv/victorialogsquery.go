package testenv

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Row is one log entry in an answer of VictoriaLogs.
type Row struct {
	Time   time.Time // to the nanosecond, UTC; zero for a row of statistics
	Line   string    // the field _msg
	Fields map[string]string
}

// maxRow is the largest size of a line of an answer, in bytes. The server stores no row over 2 MB. Escapes may double that.
const maxRow = 8 << 20

// Query returns the rows with start <= time <= end that a LogsQL query selects, ordered by time and then by their field
// event. It finds all rows that the server has confirmed, because it first makes the server's buffers searchable, which
// writes nothing to the disk. tenant is "", or numbers such as "12" or "12:34".
func (v *VictoriaLogs) Query(ctx context.Context, tenant, logsql string, start, end time.Time) ([]Row, error) {
	flush, err := v.ask(ctx, "", "/internal/force_flush", nil)
	if err != nil {
		return nil, err
	}
	_ = flush.Close() // it has no content
	body, err := v.ask(ctx, tenant, "/select/logsql/query", url.Values{
		"query": {logsql}, "start": {start.UTC().Format(time.RFC3339Nano)}, "end": {end.UTC().Format(time.RFC3339Nano)},
	})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var rows []Row
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxRow)
	for lines.Scan() {
		row := Row{}
		if err := json.Unmarshal(lines.Bytes(), &row.Fields); err != nil {
			return nil, fmt.Errorf("testenv: VictoriaLogs answers a row that is no JSON object of texts: %w", err)
		}
		if at, ok := row.Fields["_time"]; ok {
			if row.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
				return nil, fmt.Errorf("testenv: VictoriaLogs answers a row without a time: %w", err)
			}
		}
		row.Line = row.Fields["_msg"]
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("testenv: read VictoriaLogs' answer to %s: %w", logsql, err)
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Fields["event"], b.Fields["event"])
	})
	return rows, nil
}

// Metrics returns the server's own metrics in Prometheus' text format.
func (v *VictoriaLogs) Metrics(ctx context.Context) (string, error) {
	body, err := v.ask(ctx, "", "/metrics", nil)
	if err != nil {
		return "", err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	return string(text), err
}

// ask returns the body of the answer to a GET, which the caller closes.
func (v *VictoriaLogs) ask(ctx context.Context, tenant, path string, query url.Values) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.URL+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("testenv: ask VictoriaLogs for %s: %w", path, err)
	}
	if tenant != "" {
		account, project, _ := strings.Cut(tenant, ":")
		req.Header.Set("AccountID", account)
		if project != "" {
			req.Header.Set("ProjectID", project)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("testenv: ask VictoriaLogs for %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the status is enough when the text cannot be read
		_ = resp.Body.Close()
		return nil, fmt.Errorf("testenv: VictoriaLogs answers %s to %s: %s", resp.Status, path, strings.TrimSpace(string(text)))
	}
	return resp.Body, nil
}
