package lokisource

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/paddock-dev/audit/internal/lokinames"
	"github.com/paddock-dev/audit/reading/internal/logserver"
)

var errNoAnswer = errors.New("it has no streams: this is no query_range of a Loki")

// Decode reads an answer, one stream at a time: the whole one takes several times the memory
// of its lines. The structured metadata are among the labels of a stream there: asked to tell
// them apart (categorize-labels), Loki 3.7.8 answers 200 without the entries that it could
// not fetch.
func (dialect) Decode(body io.Reader) (entries []logserver.Entry, err error) {
	d := json.NewDecoder(body)
	var status, kind string
	err = object(d, func(key string) error {
		switch key {
		case "status":
			return d.Decode(&status)
		case "data":
			return object(d, func(key string) error {
				switch key {
				case "resultType":
					return d.Decode(&kind)
				case "result":
					entries, err = streams(d)
					return err
				}
				return d.Decode(&json.RawMessage{})
			})
		}
		return d.Decode(&json.RawMessage{})
	})
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case status != "success" || kind != "streams":
		return nil, errNoAnswer
	}
	return entries, nil
}

// object calls read at the value of each key of an object. read reads the value.
func object(d *json.Decoder, read func(key string) error) error {
	if err := delimiter(d, '{'); err != nil {
		return err
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // the decoder lets nothing else stand there
		if err := read(key); err != nil {
			return err
		}
	}
	return delimiter(d, '}')
}

// streams reads a list of streams.
func streams(d *json.Decoder) (entries []logserver.Entry, err error) {
	if err := delimiter(d, '['); err != nil {
		return nil, err
	}
	for d.More() {
		var s struct {
			Stream map[string]string
			Values []value
		}
		if err := d.Decode(&s); err != nil {
			return nil, err
		}
		for _, v := range s.Values {
			entries = append(entries, logserver.Entry{Time: v.time, Event: s.Stream[lokinames.Event], Line: v.line})
		}
	}
	return entries, delimiter(d, ']')
}

func delimiter(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err == nil && token != want {
		err = errNoAnswer
	}
	return err
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
