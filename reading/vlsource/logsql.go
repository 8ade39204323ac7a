package vlsource

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/lokinames"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/internal/logserver"
)

// dialect is LogsQL, and the answers of /select/logsql/query.
type dialect struct {
	serviceName string
	labels      map[string]string
}

// Request asks for a page. Sorting with a limit, the server holds no more rows than that.
func (d dialect) Request(q *reading.Query, p logserver.Page) (path string, parameters url.Values) {
	return apiPath, url.Values{"query": {d.query(q, p)}}
}

func (d dialect) query(q *reading.Query, p logserver.Page) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{%s=%s", lokinames.ServiceName, strconv.Quote(d.serviceName))
	for _, name := range slices.Sorted(maps.Keys(d.labels)) {
		fmt.Fprintf(&b, ",%s=%s", name, strconv.Quote(d.labels[name]))
	}
	fmt.Fprintf(&b, "} _time:[%s, %s)", moment(p.From), moment(p.To))
	if p.Late {
		b.WriteString(" " + lokinames.Late + ":*") // any value
	} else {
		b.WriteString(" " + lokinames.Late + `:=""`)
	}
	for _, c := range logserver.Conditions(q) {
		quoted := make([]string, len(c.Values))
		for i, v := range c.Values {
			quoted[i] = strconv.Quote(v)
		}
		fmt.Fprintf(&b, " %s:in(%s)", c.Name, strings.Join(quoted, ","))
	}
	for _, m := range p.Names {
		not := ""
		if m.Not {
			not = "!"
		}
		fmt.Fprintf(&b, " %s%s:~%s", not, lokinames.Event, strconv.Quote(`^(?:`+m.Pattern+`)$`))
	}
	fmt.Fprintf(&b, " | sort by (_time) limit %d | fields _time, _msg, %s", p.Limit, lokinames.Event)
	return b.String()
}

// moment writes a time in nanoseconds since 1970 as a time filter takes it.
func moment(ns int64) string {
	return time.Unix(0, min(ns, math.MaxInt64-1)).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// maxRow bounds a line of the answer, in bytes. The server stores no row over 2 MB, and
// escapes may make six bytes of one.
const maxRow = 16 << 20

// Decode reads an answer, which has a line of JSON for each row.
func (dialect) Decode(body io.Reader) (entries []logserver.Entry, err error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxRow)
	for lines.Scan() {
		var row struct {
			Time  string `json:"_time"`
			Line  string `json:"_msg"`
			Event string `json:"event"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("%w: this is no VictoriaLogs", err)
		}
		at, err := time.Parse(time.RFC3339Nano, row.Time)
		if err != nil {
			return nil, errors.New("a row without a time: this is no VictoriaLogs")
		}
		entries = append(entries, logserver.Entry{Time: at.UnixNano(), Event: row.Event, Line: row.Line})
	}
	return entries, lines.Err()
}

// TooMuch is never so: the server has no limit on rows or bytes.
func (dialect) TooMuch(string) bool { return false }

// TooLong knows -search.maxQueryTimeRange.
func (dialect) TooLong(text string) bool {
	return strings.Contains(text, "too big time range selected")
}
