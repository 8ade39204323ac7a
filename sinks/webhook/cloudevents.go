package webhook

import (
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// The media types of the modes. The charset is that of JSON.
const (
	mediaBatch      = "application/cloudevents-batch+json; charset=UTF-8"
	mediaStructured = "application/cloudevents+json; charset=UTF-8"
	mediaData       = "application/json"
)

// Parts of the attributes.
const (
	specVersion = "1.0"
	typePrefix  = "dev.paddock.audit."
)

var typeSuffix = "." + v1alpha1.GroupVersion.Version

// attribute is a context attribute of a CloudEvent, other than datacontenttype. The CloudEvent
// lacks it when the value is empty.
type attribute struct{ name, value string }

// attributesOf returns the context attributes of e, with the extensions component and decision
// at the end. Equal events give equal attributes.
func attributesOf(e *driver.Event, source string) [8]attribute {
	return [...]attribute{
		{"specversion", specVersion},
		{"id", e.Name()},
		{"source", sourceOf(e, source)},
		{"type", typePrefix + string(e.Kind()) + typeSuffix},
		{"subject", clean(e.Run())},
		{"time", e.Time().Format(time.RFC3339Nano)},
		{"component", e.Component()},
		{"decision", string(e.Decision())},
	}
}

// sourceOf returns the source of e, within which its name is unique: events that a program
// names itself may have the same name in two namespaces.
func sourceOf(e *driver.Event, source string) string {
	if namespace := e.Namespace(); namespace != "" {
		source += "/namespaces/" + namespace
	}
	if component := e.Component(); component != "" {
		source += "/components/" + component
	}
	return source
}

// clean replaces what a text of a CloudEvent must not hold: control characters, what is not
// UTF-8, and the code points that Unicode calls noncharacters. The data has the text as it is.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r >= 0xFDD0 && r <= 0xFDEF || r&0xFFFE == 0xFFFE {
			return utf8.RuneError
		}
		return r
	}, text)
}

// appendEvent appends e as a CloudEvent in the JSON format.
func appendEvent(dst []byte, e *driver.Event, source string) []byte {
	dst = append(dst, '{')
	for _, a := range attributesOf(e, source) {
		if a.value != "" {
			dst = append(append(append(dst, '"'), a.name...), `":`...)
			dst = append(eventjson.AppendText(dst, a.value), ',')
		}
	}
	dst = append(dst, `"datacontenttype":"`+mediaData+`","data":`...)
	return append(e.AppendJSON(dst), '}')
}

// setHeader sets the attributes of e as headers, for the binary mode.
func setHeader(h http.Header, e *driver.Event, source string) {
	for _, a := range attributesOf(e, source) {
		if a.value != "" {
			h[textproto.CanonicalMIMEHeaderKey("ce-"+a.name)] = []string{percentEncoded(a.value)}
		}
	}
}

// percentEncoded returns the value of a header for the value of an attribute: with spaces,
// quotes, percent signs and all that is not printable ASCII percent-encoded, byte by byte.
func percentEncoded(value string) string {
	if !strings.ContainsFunc(value, encoded) {
		return value
	}
	var b strings.Builder
	for _, c := range []byte(value) {
		if encoded(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func encoded(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '%' }
