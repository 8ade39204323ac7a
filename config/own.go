package config

import (
	"fmt"
	"reflect"

	"github.com/paddock-dev/audit/internal/options"
)

// Decode reads a file of a program's own into the struct that into points to,
// as strictly as this package reads its own: its fields are keys, with the tags
// that Type.New describes; unknown and duplicate keys and values out of range
// are refused; then into's Validate is asked, where it is a Validator. name
// stands for the file in messages, and hint is what to write into an empty one.
//
// A bad file is a *FileError with everything that is wrong. Fields that the file
// does not name keep the values that they have, or get the defaults of their tags.
func Decode(name string, data []byte, into any, hint string) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("config: Decode needs a pointer to a struct, not %T", into)
	}
	if err := supported(v.Elem().Type(), nil); err != nil {
		return fmt.Errorf("config: Decode into %T: %w", into, err)
	}
	d := &decoder{file: name, lines: map[string]int{}, ifEmpty: hint, ifAlias: "write the value out"}
	if root := d.read(data); root != nil {
		d.lines[""] = root.Line
		if v, ok := into.(Validator); d.fill(root, reflect.ValueOf(into).Elem(), "", options.Field{}) && ok {
			for _, e := range options.Split(v.Validate()) {
				d.problemAt(e.Key, "%s", e.Err)
			}
		}
	}
	if len(d.problems) == 0 {
		return nil
	}
	sortProblems(d.problems)
	return &FileError{Problems: d.problems}
}
