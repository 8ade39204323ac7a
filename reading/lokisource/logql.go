package lokisource

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/paddock-dev/audit/internal/lokinames"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/internal/logserver"
)

// dialect is LogQL, and the answers of query_range.
type dialect struct {
	serviceName string
	labels      map[string]string
}

// Request asks for a page.
func (d dialect) Request(q *reading.Query, p logserver.Page) (path string, parameters url.Values) {
	return apiPath, url.Values{
		"query":     {d.query(q, p)},
		"start":     {strconv.FormatInt(p.From, 10)},
		"end":       {strconv.FormatInt(p.To, 10)},
		"limit":     {strconv.Itoa(p.Limit)},
		"direction": {"forward"},
	}
}

func (d dialect) query(q *reading.Query, p logserver.Page) string {
	late := "="
	if p.Late {
		late = "!="
	}
	stream := []string{
		lokinames.ServiceName + "=" + strconv.Quote(d.serviceName),
		lokinames.Late + late + `""`,
	}
	for _, name := range slices.Sorted(maps.Keys(d.labels)) {
		stream = append(stream, name+"="+strconv.Quote(d.labels[name]))
	}
	var filters strings.Builder
	for _, c := range logserver.Conditions(q) {
		text := c.Name + "=~" + strconv.Quote(anyOf(c.Values))
		if c.Label {
			stream = append(stream, text)
		} else {
			filters.WriteString(" | " + text)
		}
	}
	for _, m := range p.Names {
		op := "=~"
		if m.Not {
			op = "!~"
		}
		filters.WriteString(" | " + lokinames.Event + op + strconv.Quote(m.Pattern))
	}
	return "{" + strings.Join(stream, ", ") + "}" + filters.String()
}

// anyOf returns a regular expression for these texts. Loki matches whole values.
func anyOf(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = regexp.QuoteMeta(v)
	}
	return strings.Join(quoted, "|")
}

// Decode reads an answer. The structured metadata are among the labels of a stream there:
// asked to tell them apart (categorize-labels), Loki 3.7.8 answers 200 without the entries
// that it could not fetch.
func (dialect) Decode(body io.Reader) (entries []logserver.Entry, err error) {
	var a struct {
		Status string
		Data   struct {
			ResultType string
			Result     []struct {
				Stream map[string]string
				Values []value
			}
		}
	}
	if err := json.NewDecoder(body).Decode(&a); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if a.Status != "success" || a.Data.ResultType != "streams" {
		return nil, errors.New("it has no streams: this is no query_range of a Loki")
	}
	for _, s := range a.Data.Result {
		for _, v := range s.Values {
			entries = append(entries, logserver.Entry{Time: v.time, Event: s.Stream[lokinames.Event], Line: v.line})
		}
	}
	return entries, nil
}

// value is one entry: [nanoseconds, line].
type value struct {
	time int64
	line string
}

// UnmarshalJSON reads the two texts.
func (v *value) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) < 2 {
		return fmt.Errorf("an entry of %d parts", len(parts))
	}
	var at string
	if err := errors.Join(json.Unmarshal(parts[0], &at), json.Unmarshal(parts[1], &v.line)); err != nil {
		return err
	}
	var err error
	v.time, err = strconv.ParseInt(at, 10, 64)
	return err
}

// TooMuch knows max_entries_limit_per_query, and the limit of 4 MiB of gRPC between Loki's
// parts.
func (dialect) TooMuch(text string) bool {
	return strings.Contains(text, "max entries limit per query exceeded") || strings.Contains(text, "larger than max")
}

// TooLong knows max_query_length.
func (dialect) TooLong(text string) bool {
	return strings.Contains(text, "query time range exceeds the limit")
}
