package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	yamlLine   = regexp.MustCompile(`line (\d+)`)
	yamlAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
	yamlPrefix = regexp.MustCompile(`^yaml: (?:(?:unmarshal errors:\s*)?line \d+: )?`)
)

// read returns the root of the only document. Without one it reports why, and returns
// nil.
func (d *decoder) read(data []byte) (root *yaml.Node) {
	if len(data) > maxFileSize {
		d.problem(0, "", "is larger than 1 MiB, which is what a ConfigMap can hold: is it the right file?")
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := guarded(dec.Decode, &doc)
	empty := errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0
	if err == nil {
		err = guarded(dec.Decode, &more)
	}
	switch {
	case empty:
		d.problem(0, "", "is empty: want %s", d.ifEmpty)
	case err == nil:
		d.problem(more.Line, "", "begins a second document: want one file with one configuration")
	case !errors.Is(err, io.EOF):
		d.syntax(err, data)
	default:
		d.lines[""] = doc.Content[0].Line
		return doc.Content[0]
	}
	return nil
}

// guarded turns a panic into an error, of the YAML library or of a type that reads
// itself: a file must not crash its component.
func guarded(decode func(any) error, into any) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: it cannot be read")
		}
	}()
	return decode(into)
}

// syntax reports the error of the YAML library. An error that may quote the file is
// replaced by a hint.
func (d *decoder) syntax(err error, data []byte) {
	line, text := 0, err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
	} else if m := yamlAnchor.FindStringSubmatch(text); m != nil {
		before, _, _ := strings.Cut(string(data), "*"+m[1])
		line = 1 + strings.Count(before, "\n")
	}
	text = yamlPrefix.ReplaceAllString(text, "")
	if strings.ContainsAny(text, "'\"`\n") {
		text = "look at the indentation, the quotes and the brackets here"
		if yamlAnchor.MatchString(err.Error()) {
			text = "a value begins with *, which YAML takes for an alias: put it in quotes"
		}
	}
	d.problem(line, "", "is not YAML: %s", text)
}
