package eventjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Torn reports that data is the begin of a JSON object whose end is missing, as a write leaves
// it that a crash ended: valid as far as it goes, and without a key that stands twice.
func Torn(data []byte) bool {
	if len(data) == 0 || data[0] != '{' {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var open []*tornValue
	for {
		token, err := d.Token()
		if err != nil {
			return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && len(open) > 0
		}
		if len(open) > 0 && !open[len(open)-1].take(token) {
			return false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &tornValue{keys: map[string]bool{}})
		case json.Delim('['):
			open = append(open, &tornValue{})
		case json.Delim('}'), json.Delim(']'):
			if open = open[:len(open)-1]; len(open) == 0 {
				return false // it has its end
			}
		}
	}
}

// tornValue is an object or an array whose end was not seen yet.
type tornValue struct {
	keys  map[string]bool // those of an object; nil for an array
	value bool            // a key was taken, and its value follows
}

// take takes the next token within. It reports false for a key that stands twice.
func (v *tornValue) take(token json.Token) bool {
	if v.keys == nil {
		return true
	}
	key, isText := token.(string)
	if v.value || !isText { // a value, or the end
		v.value = false
		return true
	}
	v.value = true
	known := v.keys[key]
	v.keys[key] = true
	return !known
}
