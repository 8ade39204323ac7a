package lokitest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest/logql"
)

// offence is a reason to refuse one entry, or all entries of a stream with wrong labels.
type offence struct{ kind, text string }

// labelled is a stream whose labels were parsed.
type labelled struct {
	labels  map[string]string
	text    string // the labels as Loki writes them
	entries []entry
}

// validate returns the good entries, and the offences of the others that do not depend on what is stored. An error
// refuses the whole request.
func validate(limits Limits, streams []pushed, now time.Time) (good []labelled, offences []offence, err error) {
	for _, stream := range streams {
		for i := range stream.entries {
			if err := normalise(&stream.entries[i]); err != nil {
				return nil, nil, err
			}
		}
		labels, wrong := readLabels(stream.labels)
		if wrong != nil {
			for range stream.entries {
				offences = append(offences, *wrong)
			}
			continue
		}
		ok := labelled{labels: labels, text: logql.LabelText(labels)}
		for _, e := range stream.entries {
			if wrong := offenceOf(limits, ok.text, e, now); wrong != nil {
				offences = append(offences, *wrong)
				continue
			}
			if limits.CutLines && limits.MaxLine > 0 && len(e.Line) > limits.MaxLine {
				e.Line = e.Line[:limits.MaxLine]
			}
			ok.entries = append(ok.entries, e)
		}
		if len(ok.entries) > 0 {
			good = append(good, ok)
		}
	}
	return good, offences, nil
}

func offenceOf(limits Limits, stream string, e entry, now time.Time) *offence {
	at := time.Unix(0, e.Time).UTC()
	if oldest := now.Add(-limits.MaxAge); limits.MaxAge > 0 && at.Before(oldest) {
		return &offence{"greater_than_max_sample_age", fmt.Sprintf("entry for stream '%s' has timestamp too old: %s, oldest acceptable timestamp is: %s",
			stream, at.Format(time.RFC3339), oldest.UTC().Format(time.RFC3339))}
	}
	if at.After(now.Add(limits.MaxAhead)) {
		return &offence{"too_far_in_future", fmt.Sprintf("entry for stream '%s' has timestamp too new: %s", stream, at.Format(time.RFC3339))}
	}
	if limits.MaxLine > 0 && len(e.Line) > limits.MaxLine && !limits.CutLines {
		return &offence{"line_too_long", fmt.Sprintf("max entry size '%d' bytes exceeded for stream '%s' while adding an entry with length '%d' bytes",
			limits.MaxLine, stream, len(e.Line))}
	}
	if n := e.size() - len(e.Line); n > maxMetadataSize {
		return &offence{"structured_metadata_too_large", fmt.Sprintf("stream '%s' has structured metadata too large: '%d' bytes, limit: '%d' bytes. "+
			"Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it.", stream, n, maxMetadataSize)}
	}
	if n := len(e.Metadata); n > maxMetadataPairs {
		return &offence{"structured_metadata_too_many", fmt.Sprintf("stream '%s' has too many structured metadata labels: '%d', limit: '%d'. "+
			"Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to increase it.", stream, n, maxMetadataPairs)}
	}
	return nil
}

// readLabels parses the labels of a stream, and adds service_name when it is missing.
func readLabels(text string) (map[string]string, *offence) {
	labels, err := parseLabels(text)
	if err != nil {
		return nil, &offence{"invalid_labels", fmt.Sprintf("error parsing labels '%s' with error: %v", text, err)}
	}
	if len(labels) == 0 {
		return nil, &offence{"missing_labels", "error at least one label pair is required per stream"}
	}
	written := logql.LabelText(labels)
	names := len(labels)
	if _, named := labels[serviceName]; named {
		names--
	} else {
		labels[serviceName] = "unknown_service"
	}
	if names > maxLabels {
		return nil, &offence{"max_label_names_per_series", fmt.Sprintf("entry for stream '%s' has %d label names; limit %d", written, names, maxLabels)}
	}
	for name, value := range labels {
		if len(name) > maxLabelName {
			return nil, &offence{"label_name_too_long", fmt.Sprintf("stream '%s' has label name too long: '%s'", written, name)}
		}
		if len(value) > maxLabelValue {
			return nil, &offence{"label_value_too_long", fmt.Sprintf("stream '%s' has label value too long: '%s'", written, value)}
		}
	}
	return labels, nil
}

const serviceName = "service_name"

// parseLabels parses {a="b", c="d"}. It leaves out labels with an empty value.
func parseLabels(text string) (map[string]string, error) {
	if strings.TrimSpace(text) == "{}" {
		return nil, nil
	}
	matchers, err := logql.ParseLabels(text)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{}
	for _, m := range matchers {
		if m.Op != "=" {
			return nil, fmt.Errorf("label %s: want =, got %s", m.Name, m.Op)
		}
		if _, twice := labels[m.Name]; twice {
			return nil, fmt.Errorf("label %s is there twice", m.Name)
		}
		if m.Value != "" {
			labels[m.Name] = m.Value
		}
	}
	return labels, nil
}

var errMetadataName = errors.New("the name of a piece of structured metadata is empty, or nothing of it can be kept")

// normalise replaces, in names of metadata, all characters that a label's name cannot have. It removes U+FFFD from
// values.
func normalise(e *entry) error {
	for i, p := range e.Metadata {
		name := []byte(p.Name)
		kept := false
		for j, c := range name {
			switch {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
				kept = true
			default:
				name[j] = '_'
			}
		}
		if !kept {
			return fmt.Errorf("%w: %q", errMetadataName, p.Name)
		}
		e.Metadata[i] = pair{Name: string(name), Value: strings.ReplaceAll(p.Value, "\uFFFD", "")}
	}
	return nil
}
