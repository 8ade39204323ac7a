package lokitest

import (
	"strconv"

	"github.com/paddock-dev/audit/internal/lokitest/logql"
)

// streamAnswer is one stream of an answer to a log query.
type streamAnswer struct {
	Stream map[string]string `json:"stream"`
	Values [][]any           `json:"values"`
}

// logAnswer groups rows by their labels. With categorized labels these are the labels of the stream, and each line is
// followed by its metadata and its parsed fields. Without, metadata and parsed fields are among the labels.
func logAnswer(rows []*logql.Row, categorized bool) map[string]any {
	var streams []*streamAnswer
	index := map[string]*streamAnswer{}
	for _, row := range rows {
		labels := row.Labels
		if !categorized {
			labels = row.Fields()
		}
		key := logql.LabelText(labels)
		s := index[key]
		if s == nil {
			s = &streamAnswer{Stream: labels}
			index[key] = s
			streams = append(streams, s)
		}
		value := []any{strconv.FormatInt(row.Time, 10), row.Line}
		if categorized {
			extra := map[string]any{}
			if len(row.Metadata) > 0 {
				extra["structuredMetadata"] = row.Metadata
			}
			if len(row.Parsed) > 0 {
				extra["parsed"] = row.Parsed
			}
			value = append(value, extra)
		}
		s.Values = append(s.Values, value)
	}
	if streams == nil {
		streams = []*streamAnswer{}
	}
	answer := map[string]any{"resultType": "streams", "result": streams, "stats": map[string]any{}}
	if categorized {
		answer["encodingFlags"] = []string{"categorize-labels"}
	}
	return answer
}
