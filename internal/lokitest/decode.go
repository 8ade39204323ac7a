package lokitest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/klauspost/compress/s2"

	"github.com/paddock-dev/audit/internal/lokitest/logql"
)

// entry is one log line.
type entry struct {
	Time     int64 // in nanoseconds since 1970
	Line     string
	Metadata []pair
}

// pair is one piece of structured metadata.
type pair struct{ Name, Value string }

// pushed is one stream of a push.
type pushed struct {
	labels  string // as text: {a="b"}
	entries []entry
}

var errTooLarge = errors.New("the request is larger than distributor.max_recv_msg_size")

// decode reads the body of a push: JSON, or protobuf with snappy.
func decode(r *http.Request) ([]pushed, error) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // a push without a type is protobuf
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		body = unzipped
	}
	raw, err := io.ReadAll(io.LimitReader(body, maxReceived+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxReceived {
		return nil, errTooLarge
	}
	if mediaType == "application/json" {
		return decodeJSON(raw)
	}
	size, err := s2.DecodedLen(raw)
	if err != nil {
		return nil, fmt.Errorf("snappy: %w", err)
	}
	if size > maxReceived {
		return nil, errTooLarge
	}
	if raw, err = s2.Decode(nil, raw); err != nil {
		return nil, fmt.Errorf("snappy: %w", err)
	}
	return decodeProto(raw)
}

func decodeJSON(raw []byte) ([]pushed, error) {
	var request struct {
		Streams []struct {
			Stream map[string]string
			Values []jsonEntry
		}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&request); err != nil {
		return nil, err
	}
	streams := make([]pushed, len(request.Streams))
	for i, s := range request.Streams {
		streams[i].labels = logql.LabelText(s.Stream)
		for _, e := range s.Values {
			streams[i].entries = append(streams[i].entries, entry(e))
		}
	}
	return streams, nil
}

// jsonEntry is [nanoseconds, line] or [nanoseconds, line, {name: value}].
type jsonEntry entry

func (e *jsonEntry) UnmarshalJSON(data []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return err
	}
	if len(parts) < 2 || len(parts) > 3 {
		return fmt.Errorf("an entry of %d parts, want 2 or 3", len(parts))
	}
	var nanoseconds string
	if err := json.Unmarshal(parts[0], &nanoseconds); err != nil {
		return err
	}
	var err error
	if e.Time, err = strconv.ParseInt(nanoseconds, 10, 64); err != nil {
		return fmt.Errorf("an entry's timestamp: %w", err)
	}
	if err := json.Unmarshal(parts[1], &e.Line); err != nil {
		return err
	}
	if len(parts) == 2 {
		return nil
	}
	var metadata map[string]string
	if err := json.Unmarshal(parts[2], &metadata); err != nil {
		return err
	}
	for name, value := range metadata {
		e.Metadata = append(e.Metadata, pair{name, value})
	}
	return nil
}
