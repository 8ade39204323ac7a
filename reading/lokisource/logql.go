package lokisource

import (
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

// TooMuch knows max_entries_limit_per_query, and the limit of 4 MiB of gRPC between Loki's
// parts.
func (dialect) TooMuch(text string) bool {
	return strings.Contains(text, "max entries limit per query exceeded") || strings.Contains(text, "larger than max")
}

// TooLong knows max_query_length.
func (dialect) TooLong(text string) bool {
	return strings.Contains(text, "query time range exceeds the limit")
}
