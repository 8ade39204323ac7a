package otlp

import (
	"cmp"
	"encoding/json"
	"errors"
	"mime"

	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers of ExportLogsServiceResponse and ExportLogsPartialSuccess.
const (
	responsePartial                 = 1
	partialRejected, partialMessage = 1, 2
)

// response is what an ExportLogsServiceResponse says. It is the zero value for plain success.
type response struct {
	rejected int64
	message  string // it may hold secrets
}

// errForeign says that the body of a 200 is not OTLP. A proxy or another server may have
// answered, so the answer is no success.
var errForeign = errors.New("the body is no OTLP answer")

// readResponse reads the body of a 200. An empty body is success, for that is how the empty
// message is encoded. Any other body must have the field partial_success, or be the empty
// JSON object: a message with unknown fields alone may come from anything.
func readResponse(contentType string, body []byte) (response, error) {
	if len(body) == 0 {
		return response{}, nil
	}
	var r response
	err := errForeign
	switch media, _, _ := mime.ParseMediaType(contentType); media {
	case "application/x-protobuf", "application/protobuf":
		r, err = readProtobuf(body)
	case "application/json":
		r, err = readJSON(body)
	}
	if err != nil || r.rejected < 0 {
		return response{}, errForeign
	}
	return r, nil
}

// readProtobuf skips fields that it does not know, as every decoder does.
func readProtobuf(body []byte) (r response, err error) {
	err = errForeign // unless the field is there
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeField(body)
		if n < 0 {
			return r, errForeign
		}
		if number == responsePartial && kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(body)
			message, _ := protowire.ConsumeBytes(body[tag:])
			if !r.readPartial(message) {
				return r, errForeign
			}
			err = nil
		}
		body = body[n:]
	}
	return r, err
}

// readPartial reads an ExportLogsPartialSuccess. It returns false for anything else.
func (r *response) readPartial(b []byte) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeField(b)
		if n < 0 {
			return false
		}
		_, _, tag := protowire.ConsumeTag(b)
		switch {
		case number == partialRejected && kind == protowire.VarintType:
			rejected, _ := protowire.ConsumeVarint(b[tag:])
			r.rejected = int64(rejected)
		case number == partialMessage && kind == protowire.BytesType:
			message, _ := protowire.ConsumeBytes(b[tag:])
			r.message = string(message)
		}
		b = b[n:]
	}
	return true
}

// readJSON reads the encoding of OTLP in JSON, in which an int64 is a number or a string.
func readJSON(body []byte) (r response, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return r, errForeign
	}
	partial, ok := fields["partialSuccess"]
	if !ok {
		partial, ok = fields["partial_success"] // as some receivers name it
	}
	if !ok {
		if len(fields) > 0 {
			return r, errForeign
		}
		return r, nil
	}
	var p struct {
		Rejected  json.Number `json:"rejectedLogRecords"`
		Rejected2 json.Number `json:"rejected_log_records"`
		Message   string      `json:"errorMessage"`
		Message2  string      `json:"error_message"`
	}
	if err := json.Unmarshal(partial, &p); err != nil {
		return r, errForeign
	}
	r.message = cmp.Or(p.Message, p.Message2)
	if number := cmp.Or(p.Rejected, p.Rejected2); number != "" {
		r.rejected, err = number.Int64()
	}
	return r, err
}
