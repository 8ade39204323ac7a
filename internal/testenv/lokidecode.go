package testenv

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// answer is the answer of query_range to a log query.
type answer struct {
	Data struct {
		ResultType string
		Result     []struct {
			Stream map[string]string
			Values []value
		}
	}
}

// value is one entry as JSON: [nanoseconds, line] or [nanoseconds, line, {"structuredMetadata": {...}}].
type value struct {
	time     time.Time
	line     string
	metadata map[string]string
}

func (v *value) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) < 2 {
		return fmt.Errorf("an entry of %d parts, want 2 or 3", len(parts))
	}
	var nanoseconds string
	if err := json.Unmarshal(parts[0], &nanoseconds); err != nil {
		return err
	}
	ns, err := strconv.ParseInt(nanoseconds, 10, 64)
	if err != nil {
		return fmt.Errorf("an entry's timestamp: %w", err)
	}
	v.time = time.Unix(0, ns).UTC()
	if err := json.Unmarshal(parts[1], &v.line); err != nil {
		return err
	}
	if len(parts) == 2 {
		return nil
	}
	var extra struct {
		StructuredMetadata map[string]string `json:"structuredMetadata"`
	}
	if err := json.Unmarshal(parts[2], &extra); err != nil {
		return err
	}
	v.metadata = extra.StructuredMetadata
	return nil
}

// decodeStreams returns the entries of all streams of an answer, oldest first.
func decodeStreams(body []byte) ([]Entry, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("decode the answer: %w", err)
	}
	if a.Data.ResultType != "streams" {
		return nil, fmt.Errorf("the answer is a %q, not log lines: give a log query", a.Data.ResultType)
	}
	var entries []Entry
	for _, stream := range a.Data.Result {
		for _, v := range stream.Values {
			entries = append(entries, Entry{Time: v.time, Line: v.line, Labels: stream.Stream, Metadata: v.metadata})
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return entries, nil
}
