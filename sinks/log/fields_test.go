package log

import (
	"errors"
	"reflect"
	"sync"
	"testing"

	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

const everything = `{"text":"a","escaped":"\"\\\n\u0000\u2028é","empty":{},"none":[],"n":-7,"yes":true,"no":false,"nil":null,` +
	`"{\",":{"of":["a,]}",{"a":1,"b":{"c":"d"}},[1,[true,null]],2,false]},"last":9}`

func decoded(t *testing.T, marshaler zapcore.ObjectMarshaler) map[string]any {
	t.Helper()
	enc := zapcore.NewMapObjectEncoder()
	if err := marshaler.MarshalLogObject(enc); err != nil {
		t.Fatal(err)
	}
	return enc.Fields
}

func TestAnObjectHandsOverEveryKindOfValue(t *testing.T) {
	want := map[string]any{
		"text": "a", "escaped": "\"\\\n\x00\u2028é", "empty": map[string]any{}, "none": []any{},
		"n": int64(-7), "yes": true, "no": false, "nil": nil,
		`{",`: map[string]any{"of": []any{
			"a,]}",
			map[string]any{"a": int64(1), "b": map[string]any{"c": "d"}},
			[]any{int64(1), []any{true, nil}},
			int64(2), false,
		}},
		"last": int64(9),
	}
	if got := decoded(t, object(everything)); !reflect.DeepEqual(got, want) {
		t.Errorf("the fields are %v, want %v", got, want)
	}
}

// picky is an encoder that leaves out what it does not like, as one that redacts.
type picky struct{ *zapcore.MapObjectEncoder }

func (picky) AddObject(string, zapcore.ObjectMarshaler) error { return nil }
func (picky) AddArray(string, zapcore.ArrayMarshaler) error   { return nil }

func TestAnEncoderMayLeaveObjectsOut(t *testing.T) {
	enc := picky{zapcore.NewMapObjectEncoder()}
	if err := object(everything).MarshalLogObject(enc); err != nil {
		t.Fatal(err)
	}
	if len(enc.Fields) != 7 || enc.Fields["last"] != int64(9) {
		t.Errorf("the fields are %v", enc.Fields)
	}
}

// twice is an encoder that asks for what is nested a second time.
type twice struct{ *zapcore.MapObjectEncoder }

func (e twice) AddObject(key string, m zapcore.ObjectMarshaler) error {
	return errors.Join(e.MapObjectEncoder.AddObject(key, m), e.MapObjectEncoder.AddObject(key, m))
}

func TestAnEncoderMayAskForAnObjectTwice(t *testing.T) {
	enc := twice{zapcore.NewMapObjectEncoder()}
	if err := object(everything).MarshalLogObject(enc); err != nil {
		t.Fatal(err)
	}
	if want := decoded(t, object(everything)); !reflect.DeepEqual(enc.Fields, want) {
		t.Errorf("the fields are %v, want %v", enc.Fields, want)
	}
}

var errUnencodable = errors.New("no room")

type failing struct{ *zapcore.MapObjectEncoder }

func (failing) AddObject(string, zapcore.ObjectMarshaler) error { return errUnencodable }

func TestAnErrorOfTheEncoderIsReturned(t *testing.T) {
	if err := object(everything).MarshalLogObject(failing{zapcore.NewMapObjectEncoder()}); !errors.Is(err, errUnencodable) {
		t.Errorf("the error is %v", err)
	}
}

// An event never changes, so a core may hold its fields and encode them when it
// likes, and as often.
func TestACoreMayKeepTheFields(t *testing.T) {
	kept, logs := observer.New(zapcore.DebugLevel)
	sink, err := New(zapcore.NewTee(kept, zapcore.NewCore(zapcore.NewJSONEncoder(encoderConfig()), &memory{}, zapcore.DebugLevel)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ae := newEvent("e-1")
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	want := prepared(t, ae).Object().Spec.Detail
	ae.Spec.Detail["method"] = "changed"
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			spec, _ := logs.All()[0].ContextMap()["spec"].(map[string]any)
			detail, _ := spec["detail"].(map[string]any)
			if len(detail) != len(want) || detail["method"] != want["method"] {
				t.Errorf("the kept event has the detail %v", detail)
			}
		})
	}
	wg.Wait()
}
