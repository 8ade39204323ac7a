package otlp

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// responseMessage returns the message ExportLogsServiceResponse, as its .proto describes it.
func responseMessage(tb testing.TB) protoreflect.MessageDescriptor {
	tb.Helper()
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, message *string) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: &number, Type: &kind, TypeName: message,
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("response.proto"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Response"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("partial_success", 1, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE, proto.String(".Partial")),
			},
		}, {
			Name: proto.String("Partial"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("rejected_log_records", 1, descriptorpb.FieldDescriptorProto_TYPE_INT64, nil),
				field("error_message", 2, descriptorpb.FieldDescriptorProto_TYPE_BYTES, nil), // as bytes, it may be any text
			},
		}},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return file.Messages().ByName("Response")
}

// FuzzAnswer compares what is read of the body of a 200 with what a decoder of Google's
// reads. What that takes for success, and has the field, is success here, and nothing else is.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		"", "\x0a\x00", "\x0a\x02\x08\x03", "\x0a\x07\x08\x01\x12\x03bad", "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"\x0a\x02\x12\x00\x0a\x02\x08\x02", "\x12\x02hi", "OK", "<html>", "\x0a\x05\x08", "\x0a\x02\x0a\x00", "\x08\x01",
	} {
		f.Add("application/x-protobuf", []byte(body))
	}
	for _, body := range []string{
		"{}", "null", "[]", "1", `{"partialSuccess":{}}`, `{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"x"}}`,
		`{"partialSuccess":{"rejectedLogRecords":-1}}`, `{"partialSuccess":{"rejectedLogRecords":1e3}}`, `{"error":"x"}`, "{}{}",
	} {
		f.Add("application/json; charset=utf-8", []byte(body))
	}
	message := responseMessage(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r, err := readResponse(contentType, body)
		if err != nil && (r != response{}) || r.rejected < 0 {
			t.Errorf("%+v, %v", r, err)
		}
		if !strings.HasPrefix(contentType, "application/x-protobuf") || len(body) == 0 {
			return
		}
		want := dynamicpb.NewMessage(message)
		partial := message.Fields().ByNumber(1)
		decoded := proto.Unmarshal(body, want) == nil && want.Has(partial)
		p := want.Get(partial).Message()
		rejected := p.Get(partial.Message().Fields().ByNumber(1)).Int()
		text := string(p.Get(partial.Message().Fields().ByNumber(2)).Bytes())
		switch {
		case err != nil && contentType == "application/x-protobuf" && decoded && rejected >= 0:
			t.Errorf("%q is refused: %d %q", body, rejected, text)
		case err == nil && (!decoded || r.rejected != rejected || r.message != text):
			t.Errorf("%q is read as %+v, want %v %d %q", body, r, decoded, rejected, text)
		}
	})
}
