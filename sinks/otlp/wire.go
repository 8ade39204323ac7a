package otlp

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/lokinames"
)

// The field numbers of OTLP's messages, of which only these are sent. A test decodes with
// OpenTelemetry's own code, encodes again and compares the bytes.
const (
	requestResourceLogs             = 1    // ExportLogsServiceRequest
	logsResource, logsScopeLogs     = 1, 2 // ResourceLogs
	resourceAttributes              = 1    // Resource
	scopeLogsScope, scopeLogsRecord = 1, 2 // ScopeLogs
	scopeName                       = 1    // InstrumentationScope
	recordTime                      = 1    // LogRecord, to recordEventName
	recordSeverity                  = 2
	recordSeverityText              = 3
	recordBody                      = 5
	recordAttributes                = 6
	recordTraceID                   = 9
	recordSpanID                    = 10
	recordObserved                  = 11
	recordEventName                 = 12
	pairKey, pairValue              = 1, 2 // KeyValue
	valueString                     = 1    // AnyValue
)

// Severities of records, by their numbers in OpenTelemetry.
const (
	severityInfo = 9
	severityWarn = 13
)

const (
	// scopeText is the name of the instrumentation scope of each record.
	scopeText = "github.com/paddock-dev/audit"
	// attributeUID is the attribute with the namespace and name of an event. By OpenTelemetry's
	// conventions, records with the same value are duplicates of each other.
	attributeUID = "log.record.uid"
	// attributeService is the attribute of the resource with Options.ServiceName.
	attributeService = "service.name"
	// eventPrefix stands before the kind of an event in the name of its record.
	eventPrefix = "audit."

	// attributeUser and attributeRequest are named as the metadata of sinks/loki. So is
	// attributeTrace, as which most backends show the field of that name too.
	attributeUser, attributeRequest, attributeTrace = "user", "request_id", "trace_id"

	traceIDBytes, spanIDBytes = 16, 8
)

// frame is what all requests of a sink have around their records.
type frame struct {
	resource []byte // the Resource, as it stands in ResourceLogs
	scope    []byte // the scope, as it stands in ScopeLogs
}

func (o *Options) frame() frame {
	attributes := map[string]string{attributeService: o.ServiceName}
	maps.Copy(attributes, o.ResourceAttributes)
	var resource []byte
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		resource = appendAttribute(resource, resourceAttributes, key, attributes[key])
	}
	return frame{
		resource: appendField(nil, logsResource, resource),
		scope:    appendField(nil, scopeLogsScope, appendField(nil, scopeName, scopeText)),
	}
}

// request returns an ExportLogsServiceRequest with these records. All of them are of one
// resource and one scope.
func (f frame) request(records ...[]byte) []byte {
	scopeLogs := len(f.scope)
	for _, r := range records {
		scopeLogs += protowire.SizeTag(scopeLogsRecord) + protowire.SizeBytes(len(r))
	}
	resourceLogs := len(f.resource) + protowire.SizeTag(logsScopeLogs) + protowire.SizeBytes(scopeLogs)
	b := make([]byte, 0, protowire.SizeTag(requestResourceLogs)+protowire.SizeBytes(resourceLogs))
	b = append(appendLength(b, requestResourceLogs, resourceLogs), f.resource...)
	b = append(appendLength(b, logsScopeLogs, scopeLogs), f.scope...)
	for _, r := range records {
		b = appendField(b, scopeLogsRecord, r)
	}
	return b
}

// recordExtra is about what a record has beside its body.
const recordExtra = 384

// recordOf returns the LogRecord of e. Equal events give equal bytes, whatever process
// encodes them.
func recordOf(e *driver.Event) []byte {
	line, exact := e.JSON(), unixNano(e.Time())
	b := make([]byte, 0, len(line)+recordExtra)
	b = appendTime(b, recordTime, exact)
	number, text := uint64(severityWarn), "WARN"
	if e.Decision() == v1alpha1.AuditDecisionGranted {
		number, text = severityInfo, "INFO"
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, recordSeverity, protowire.VarintType), number)
	b = appendField(b, recordSeverityText, text)
	b = appendLength(b, recordBody, fieldSize(line))
	b = appendField(b, valueString, line)
	b = appendAttribute(b, recordAttributes, attributeUID, e.Ref())
	b = appendAttribute(b, recordAttributes, lokinames.Event, e.Name())
	b = appendAttribute(b, recordAttributes, lokinames.Namespace, e.Namespace())
	b = appendAttribute(b, recordAttributes, lokinames.Component, e.Component())
	b = appendAttribute(b, recordAttributes, lokinames.Kind, string(e.Kind()))
	b = appendAttribute(b, recordAttributes, lokinames.Decision, string(e.Decision()))
	b = appendAttribute(b, recordAttributes, lokinames.Run, e.Run())
	if exact == 0 {
		b = appendAttribute(b, recordAttributes, lokinames.EventTime, e.Time().Format(time.RFC3339Nano))
	}
	b = appendFacts(b, e.Spec())
	// The time of sending would be another one in a repeat.
	b = appendTime(b, recordObserved, exact)
	return appendField(b, recordEventName, eventPrefix+string(e.Kind()))
}

// appendFacts appends what a reader looks for first of the request behind a decision. A
// trace that is not one of W3C's is text.
func appendFacts(b []byte, s *v1alpha1.AuditEventSpec) []byte {
	if s.Actor != nil {
		b = appendAttribute(b, recordAttributes, attributeUser, s.Actor.User)
	}
	if s.Request != nil {
		b = appendAttribute(b, recordAttributes, attributeRequest, s.Request.ID)
	}
	if s.Trace == nil {
		return b
	}
	trace, ok := idOf(s.Trace.TraceID, traceIDBytes)
	if !ok {
		return appendAttribute(b, recordAttributes, attributeTrace, s.Trace.TraceID)
	}
	b = appendField(b, recordTraceID, trace)
	if span, ok := idOf(s.Trace.SpanID, spanIDBytes); ok {
		b = appendField(b, recordSpanID, span)
	}
	return b
}

// idOf returns the bytes of an identifier in hexadecimal digits, if it has this many and is
// not all zero, which stands for none.
func idOf(text string, size int) (id []byte, ok bool) {
	id, err := hex.DecodeString(text)
	return id, err == nil && len(id) == size && slices.ContainsFunc(id, func(b byte) bool { return b != 0 })
}

// unixNano returns t in nanoseconds since 1970, or 0, which stands for unknown, for times that
// receivers do not represent.
func unixNano(t time.Time) uint64 {
	if s := t.Unix(); s < 0 || s > math.MaxInt64/int64(time.Second)-1 {
		return 0
	}
	return uint64(t.UnixNano())
}

// appendTime appends a time, and nothing for 0.
func appendTime(b []byte, number protowire.Number, nanoseconds uint64) []byte {
	if nanoseconds == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(protowire.AppendTag(b, number, protowire.Fixed64Type), nanoseconds)
}

// appendAttribute appends a KeyValue of text, and nothing when the text is empty. Protobuf
// carries valid UTF-8 only.
func appendAttribute(b []byte, number protowire.Number, key, text string) []byte {
	if text == "" {
		return b
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	b = appendLength(b, number, fieldSize(key)+protowire.SizeTag(pairValue)+protowire.SizeBytes(fieldSize(text)))
	b = appendField(b, pairKey, key)
	b = appendLength(b, pairValue, fieldSize(text))
	return appendField(b, valueString, text)
}

// appendField appends a field of text or of a message.
func appendField[T string | []byte](b []byte, number protowire.Number, value T) []byte {
	return append(appendLength(b, number, len(value)), value...)
}

// appendLength appends what stands before the bytes of a field.
func appendLength(b []byte, number protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(size))
}

// fieldSize returns the size of a field of text whose number is less than 16.
func fieldSize[T string | []byte](value T) int { return 1 + protowire.SizeBytes(len(value)) }
