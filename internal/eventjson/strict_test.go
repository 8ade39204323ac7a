package eventjson_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/eventjson"
)

func TestStrictParsingTakesEveryStoredEvent(t *testing.T) {
	whole := string(eventjson.Append(nil, filled(t)))
	server, err := json.Marshal(filled(t)) // as an API server orders the fields
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{
		whole, string(server), " " + strings.ReplaceAll(whole, `":`, "\" :\n") + " ",
		`{"level":"info","a":{"a":[1,{}]},` + whole[1:],
		strings.Replace(whole, `"metadata":{`, `"metadata":{"uid":"u","managedFields":[{"manager":"m","fieldsV1":{"f:x":{}}}],"creationTimestamp":null,`, 1),
	} {
		got, err := eventjson.ParseStrict([]byte(data))
		want := &v1alpha1.AuditEvent{}
		if err := json.Unmarshal([]byte(data), want); err != nil {
			t.Fatal(err)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %s", err, data)
		}
	}
}

func TestStrictParsingRefusesWhatReadersReadDifferently(t *testing.T) {
	whole := string(eventjson.Append(nil, filled(t)))
	for want, change := range map[string][2]string{
		`the key "spec.reason" stands twice`:                          {`"spec":{`, `"spec":{"reason":"x",`},
		`the key "metadata.labels.a" stands twice`:                    {`"labels":{`, `"labels":{"a":"x","\u0061":"y",`},
		`events have no key "spec.status"`:                            {`"spec":{`, `"spec":{"status":"x",`},
		`events have no key "status"`:                                 {`,"spec":{`, `,"status":{},"spec":{`},
		`the key "spec.REASON" is not spelled "reason"`:               {`"spec":{`, `"spec":{"REASON":"x",`},
		`the key "Spec" is not spelled "spec"`:                        {`{"kind"`, `{"Spec":{},"kind"`},
		`the key "level" stands twice`:                                {`{"kind"`, `{"level":1,"level":2,"kind"`},
		`events have no key "spec.sampleDestinations[0].name"`:        {`"sampleDestinations":[{`, `"sampleDestinations":[{"name":"x",`},
		"a time in spec has a fraction":                               {`Z","windowEnd":`, `.5Z","windowEnd":`},
		"invalid character":                                           {`"spec":{`, `"spec":{{`},
		`the key "metadata.managedFields[0].fieldsV1.a" stands twice`: {`"metadata":{`, `"metadata":{"managedFields":[{"fieldsV1":{"a":1,"a":2}}],`},
	} {
		changed := strings.Replace(whole, change[0], change[1], 1)
		if changed == whole {
			t.Fatalf("no %s", change[0])
		}
		if _, err := eventjson.ParseStrict([]byte(changed)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// FuzzParseStrict holds that what is read strictly is what encoding/json reads, and that a
// key that stands twice is never read.
func FuzzParseStrict(f *testing.F) {
	f.Add(string(eventjson.Append(nil, filled(f))))
	f.Add(`{"a":1,"kind":"AuditEvent","metadata":{"labels":{"a":"b","\u0061":"c"}},"spec":{"spec":{}}}`)
	f.Fuzz(func(t *testing.T, data string) {
		got, err := eventjson.ParseStrict([]byte(data))
		if err != nil {
			return
		}
		want := &v1alpha1.AuditEvent{}
		if err := json.Unmarshal([]byte(data), want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %v", data, err)
		}
		d := json.NewDecoder(strings.NewReader(data))
		d.UseNumber()
		mustHaveKeysOnce(t, d)
	})
}

// mustHaveKeysOnce reads a value by its tokens.
func mustHaveKeysOnce(t *testing.T, d *json.Decoder) {
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	switch token {
	case json.Delim('{'):
		for d.More() {
			key, err := d.Token()
			if err != nil || seen[key.(string)] { //nolint:forcetypeassert // the key of an object is a string
				t.Fatalf("the key %v: %v", key, err)
			}
			seen[key.(string)] = true //nolint:forcetypeassert // the same
			mustHaveKeysOnce(t, d)
		}
	case json.Delim('['):
		for d.More() {
			mustHaveKeysOnce(t, d)
		}
	default:
		return
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
}
