package reading

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/randfill"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// A field that the JSON of an event has and an expression does not see is found here.
func TestExpressionsSeeWhatTheJSONHas(t *testing.T) {
	full := &v1alpha1.AuditEvent{}
	randfill.NewWithSeed(1).NilChance(0).NumElements(2, 2).Funcs(
		func(text *string, c randfill.Continue) { *text = "text " + c.String(8) },
		func(n *int32, c randfill.Continue) { *n = 1 + c.Int31n(1000) },
		func(at *metav1.Time, c randfill.Continue) { at.Time = time.Unix(1e9+c.Int63n(1e8), 0).UTC() },
		func(f *metav1.FieldsV1, _ randfill.Continue) { _ = f.UnmarshalJSON([]byte("{}")) },
	).Fill(full)
	for name, ae := range map[string]*v1alpha1.AuditEvent{
		"every field": full,
		"few fields":  {Spec: v1alpha1.AuditEventSpec{Timestamp: metav1.Unix(1e9, 0), Actor: &v1alpha1.AuditActor{}}},
	} {
		text, err := json.Marshal(eventObject(NewRecord(ae, "a", "")))
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encode(ae), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: expressions see\n%v\nthe JSON has\n%v", name, got, want)
		}
	}
}
