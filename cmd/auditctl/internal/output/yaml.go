package output

import (
	"bytes"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/paddock-dev/audit/internal/texts"
)

// documents is the writer of one YAML document for each value.
type documents struct {
	to    io.Writer
	begun bool
}

// Write implements Writer.
func (d *documents) Write(r Row) error {
	text, err := yamlOf(r.JSON)
	if err != nil {
		return err
	}
	if d.begun {
		text = "---\n" + text
	}
	d.begun = true
	_, err = io.WriteString(d.to, text)
	return err
}

// Close implements Writer.
func (d *documents) Close() error { return nil }

// yamlOf returns the YAML of a JSON value, with its keys in the same order.
func yamlOf(value []byte) (string, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(value, &node); err != nil {
		return "", fmt.Errorf("making YAML: %w", err)
	}
	restyle(&node)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return "", fmt.Errorf("making YAML: %w", err)
	}
	return visibleLines(b.String()), nil
}

// restyle turns the style of JSON into that of YAML. Texts with characters that are escaped
// stay in double quotes: there an escape stands for its character.
func restyle(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && texts.Visible(n.Value) != n.Value {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		restyle(child)
	}
}
