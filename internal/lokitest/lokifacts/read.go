package lokifacts

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// found is one line of an answer.
type found struct {
	ns       int64
	text     string
	labels   map[string]string
	metadata map[string]string // with categorized labels only
}

var categorized = http.Header{"X-Loki-Response-Encoding-Flags": {"categorize-labels"}}

// wide is a range of time that contains all entries that facts write.
func wide() (start, end string) {
	const day = 24 * time.Hour
	return nanoseconds(time.Now().Add(-25 * day)), nanoseconds(time.Now().Add(2 * day))
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// queryRange queries log lines of all times, with further parameters in pairs of name and value.
func (c *conn) queryRange(query string, header http.Header, parameters ...string) ([]found, error) {
	start, end := wide()
	r, err := c.do(http.MethodGet, "/loki/api/v1/query_range?"+encodeQuery(append([]string{
		"query", query, "start", start, "end", end, "limit", "5000", "direction", "forward",
	}, parameters...)), header, nil)
	if err == nil {
		err = r.is(http.StatusOK)
	}
	if err != nil {
		return nil, err
	}
	return decode(r.text)
}

func decode(body string) (all []found, err error) {
	var answer struct {
		Status string
		Data   struct {
			ResultType string
			Result     []struct {
				Stream map[string]string
				Values [][]json.RawMessage
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return nil, fmt.Errorf("decode the answer: %w", err)
	}
	if answer.Status != "success" || answer.Data.ResultType != "streams" {
		return nil, fmt.Errorf("it answers a %s of %s, want a success of streams", answer.Status, answer.Data.ResultType)
	}
	for _, s := range answer.Data.Result {
		for _, v := range s.Values {
			f := found{labels: s.Stream}
			if len(v) < 2 {
				return nil, fmt.Errorf("a line of %d parts, want 2 or 3", len(v))
			}
			var ns string
			var extra struct{ StructuredMetadata map[string]string }
			if err := json.Unmarshal(v[0], &ns); err != nil {
				return nil, err
			}
			if f.ns, err = strconv.ParseInt(ns, 10, 64); err != nil {
				return nil, err
			}
			if err := json.Unmarshal(v[1], &f.text); err != nil {
				return nil, err
			}
			if len(v) > 2 {
				if err := json.Unmarshal(v[2], &extra); err != nil {
					return nil, err
				}
				f.metadata = extra.StructuredMetadata
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// lines returns the lines that a query finds, sorted by their text.
func (c *conn) lines(query string, parameters ...string) ([]string, error) {
	all, err := c.queryRange(query, nil, parameters...)
	var texts []string
	for _, f := range all {
		texts = append(texts, f.text)
	}
	slices.Sort(texts)
	return texts, err
}

// holds returns an error unless the streams of this conn hold exactly these lines, in any order.
func (c *conn) holds(want ...string) error { return c.finds(c.selector(), want...) }

// finds returns an error unless a query finds exactly these lines, in any order.
func (c *conn) finds(query string, want ...string) error {
	got, err := c.lines(query)
	if err != nil {
		return err
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%.300s finds %d lines %.300q, want %d %.300q", query, len(got), got, len(want), want)
	}
	return nil
}

// only returns the line in this conn's streams, with its metadata. It is an error when there is not exactly one line.
func (c *conn) only() (found, error) {
	all, err := c.queryRange(c.selector(), categorized)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("it holds %d lines, want 1", len(all))
	}
	if err != nil {
		return found{}, err
	}
	return all[0], nil
}
