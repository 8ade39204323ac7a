package loki

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
)

// The field numbers of Loki's push.proto. A test decodes with Grafana's own code.
const (
	requestStreams                           = 1       // PushRequest
	streamLabels, streamEntries              = 1, 2    // StreamAdapter
	entryTimestamp, entryLine, entryMetadata = 1, 2, 3 // EntryAdapter
	pairName, pairValue                      = 1, 2    // LabelPairAdapter
)

// The names of metadata: plain snake_case, which Loki leaves as they are. It
// answers 500 to a whole request with a name that it cannot normalise.
const (
	metadataKind      = "kind"
	metadataDecision  = "decision"
	metadataEvent     = "event"
	metadataRun       = "run"
	metadataEventTime = "event_time"
)

// labelsOf returns the labels of a stream in the form that Loki parses and stores:
// sorted, and quoted as Go quotes. Empty values are left out, for to Loki they are the
// same as none.
func (o Options) labelsOf(key streamKey) string {
	labels := map[string]string{
		labelServiceName: o.ServiceName, labelComponent: key.component, labelNamespace: key.namespace, labelLate: key.late,
	}
	maps.Copy(labels, o.Labels)
	set := model.LabelSet{}
	for name, value := range labels {
		if value = clean(value); value != "" {
			set[model.LabelName(name)] = model.LabelValue(value)
		}
	}
	return set.String()
}

// clean replaces what is not UTF-8, which protobuf does not carry, and U+FFFD
// itself, which Loki removes from metadata.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\uFFFD", "?")
}

const (
	annotationOmitted = "paddock.dev/omitted" // says what was left out of metadata
	detailOmitted     = "audit.omitted"       // the same for spec.detail, as package driver has it
)

// lineOf returns the line of e: its JSON, or that of a shortened copy when it has more
// than limit bytes. Equal events give equal bytes.
func lineOf(e *driver.Event, limit int) []byte {
	line := e.JSON()
	for step := 0; len(line) > limit && step < len(shortenings); step++ {
		line = eventjson.Append(nil, shortenings[step].of(e))
	}
	return line
}

// shortening is one way to make a line shorter. Limits are in bytes, 0 for none.
type shortening struct {
	annotations  int
	omitMetadata bool
	spec         int
	omitDetail   bool
}

// shortenings bring a line under the limit, the least loss first: metadata of the
// caller's goes before what was decided, and long text before whole entries. After
// the last one a line is shorter than the least value of Options.MaxLineBytes.
var shortenings = []shortening{
	{annotations: 1024},
	{annotations: 128},
	{omitMetadata: true},
	{omitMetadata: true, spec: 512},
	{omitMetadata: true, spec: 128},
	{omitMetadata: true, spec: 128, omitDetail: true},
	{omitMetadata: true, spec: 64, omitDetail: true},
}

// of returns a shortened copy. Each starts from the whole event, so that the
// mark in a text tells of the whole text.
func (s shortening) of(e *driver.Event) *v1alpha1.AuditEvent {
	ae := e.Object()
	if s.annotations > 0 {
		shortenAll(ae.Annotations, s.annotations)
	}
	if s.omitMetadata {
		omitMetadata(ae)
	}
	if n := len(ae.Spec.Detail); s.omitDetail && n > 0 {
		ae.Spec.Detail = map[string]string{detailOmitted: fmt.Sprintf("all %d entries left out: the line would be too long", n)}
	} else if s.spec > 0 {
		shortenAll(ae.Spec.Detail, s.spec)
	}
	if s.spec > 0 {
		ae.Spec.Reason = driver.Shorten(ae.Spec.Reason, s.spec)
		for text := range eventjson.Names(&ae.Spec) {
			*text = driver.Shorten(*text, s.spec)
		}
	}
	return ae
}

func shortenAll(texts map[string]string, limit int) {
	for k, v := range texts {
		texts[k] = driver.Shorten(v, limit)
	}
}

// omitMetadata leaves only what this project sets itself, and says so.
func omitMetadata(ae *v1alpha1.AuditEvent) {
	before := len(ae.Annotations) + len(ae.Labels)
	own := []string{v1alpha1.AnnotationTimestamp, v1alpha1.LabelRun, v1alpha1.LabelDecision, v1alpha1.LabelKind, v1alpha1.LabelComponent}
	foreign := func(key, _ string) bool { return !slices.Contains(own, key) }
	maps.DeleteFunc(ae.Annotations, foreign)
	maps.DeleteFunc(ae.Labels, foreign)
	omitted := before - len(ae.Annotations) - len(ae.Labels) + len(ae.OwnerReferences) + len(ae.Finalizers)
	ae.OwnerReferences, ae.Finalizers = nil, nil
	if omitted > 0 {
		metav1.SetMetaDataAnnotation(&ae.ObjectMeta, annotationOmitted,
			strconv.Itoa(omitted)+" labels, annotations, owners and finalizers left out: the line would be too long")
	}
}

// entryExtra is at most what an entry takes in a request beside its line and the texts
// of the event: the time, the names of metadata, and what protobuf puts before each.
const entryExtra = 160

// setSize sets the size of e in a request, or slightly more.
func (e *entry) setSize() {
	e.size = len(e.line) + len(e.event.Kind()) + len(e.event.Name()) + len(e.event.Run()) + entryExtra
}

// buffer holds the parts of a request while it is encoded.
type buffer struct {
	time                             timestamppb.Timestamp
	pair, entry, stream, raw, packed []byte
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// requestBody returns a compressed PushRequest of one stream, and its size before that.
// It is not in the buffer: the HTTP client may go on reading it after it has answered.
func requestBody(labels string, entries []*entry) (body []byte, size int) {
	b := buffers.Get().(*buffer) //nolint:forcetypeassert // it holds nothing else
	defer buffers.Put(b)
	b.stream = appendField(b.stream[:0], streamLabels, labels)
	for _, e := range entries {
		b.encode(e)
		b.stream = appendField(b.stream, streamEntries, b.entry)
	}
	b.raw = appendField(b.raw[:0], requestStreams, b.stream)
	b.packed = s2.EncodeSnappy(b.packed[:cap(b.packed)], b.raw)
	return bytes.Clone(b.packed), len(b.raw)
}

// encode makes e the buffer's entry, an EntryAdapter. The proof has no event, and no
// metadata. Only the name of a run may be any text: the others are checked when an
// event is prepared.
func (b *buffer) encode(e *entry) {
	at := time.Unix(0, e.at.ns)
	b.time.Seconds, b.time.Nanos = at.Unix(), int32(at.Nanosecond())
	b.pair, _ = proto.MarshalOptions{}.MarshalAppend(b.pair[:0], &b.time) // two numbers cannot fail
	b.entry = appendField(b.entry[:0], entryTimestamp, b.pair)
	b.entry = appendField(b.entry, entryLine, e.line)
	if e.event == nil {
		return
	}
	b.addPair(metadataKind, string(e.event.Kind()))
	b.addPair(metadataDecision, string(e.event.Decision()))
	b.addPair(metadataEvent, e.event.Name())
	if run := clean(e.event.Run()); run != "" {
		b.addPair(metadataRun, run)
	}
	if e.at.late != "" {
		b.addPair(metadataEventTime, e.event.Time().Format(time.RFC3339Nano))
	}
}

// addPair adds structured metadata to the buffer's entry.
func (b *buffer) addPair(name, value string) {
	b.pair = appendField(appendField(b.pair[:0], pairName, name), pairValue, value)
	b.entry = appendField(b.entry, entryMetadata, b.pair)
}

// appendField appends a field of text or of a message.
func appendField[T string | []byte](b []byte, number protowire.Number, value T) []byte {
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return append(protowire.AppendVarint(b, uint64(len(value))), value...)
}
