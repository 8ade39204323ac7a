package driver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

func TestAnEventSaysWhatIsInIt(t *testing.T) {
	ae := complete()
	ae.Name = "ae-1"
	e, err := driver.Prepare(ae, "broker")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, got, want string }{
		{"name", e.Name(), "ae-1"},
		{"namespace", e.Namespace(), ns},
		{"ref", e.Ref(), ns + "/ae-1"},
		{"kind", string(e.Kind()), "quota-exceeded"},
		{"decision", string(e.Decision()), "denied"},
		{"component", e.Component(), "broker"},
		{"run", e.Run(), "hr-1"},
		{"label", e.Label(v1alpha1.LabelRun), "hr-1"},
		{"no label", e.Label("none"), ""},
		{"annotation", e.Annotation(v1alpha1.AnnotationTimestamp), "2026-04-25T12:00:00.123456789Z"},
		{"no annotation", e.Annotation("none"), ""},
		{"time", e.Time().Format(time.RFC3339Nano), "2026-04-25T12:00:00.123456789Z"},
		{"owner", e.Owners()[0].Name, "hr-1"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %q, want %q", c.what, c.got, c.want)
		}
	}
	detail := ""
	for k, v := range e.Detail() {
		detail += k + "=" + v + " "
	}
	if detail != "quota=10 used=11 " {
		t.Errorf("detail %q", detail)
	}
	spec := *e.Spec()
	spec.Detail = ae.Spec.Detail
	if !reflect.DeepEqual(spec, ae.Spec) {
		t.Errorf("spec %s, want %s", indented(t, spec), indented(t, ae.Spec))
	}
	bare := auditing.NewEvent(auditing.EventInput{Kind: "bare", Decision: v1alpha1.AuditDecisionDenied})
	bare.Name = "ae-2"
	if e := prepared(t, bare); e.Ref() != "ae-2" || e.Run() != "" || e.Component() != "" {
		t.Errorf("ref %q, run %q, component %q", e.Ref(), e.Run(), e.Component())
	}
}

func TestTimeIsExactAndInUTC(t *testing.T) {
	for _, at := range []time.Time{noon, noon.In(time.FixedZone("", 7200)), noon.Truncate(time.Second)} {
		ae := denial()
		ae.Spec.Timestamp.Time = at
		if got := prepared(t, ae).Time(); !got.Equal(at) || got.Location() != time.UTC {
			t.Errorf("time %v, want %v", got, at)
		}
	}
	// As it comes back from an API server: the second in spec, the rest in the annotation.
	ae := denial()
	prepared(t, ae)
	ae.Spec.Timestamp.Time = noon.Truncate(time.Second)
	if got := prepared(t, ae).Time(); !got.Equal(noon) {
		t.Errorf("time %v, want %v", got, noon)
	}
}

func TestAnEventStaysWhenTheCallerChangesItsOwn(t *testing.T) {
	for name, in := range map[string]func(*auditing.EventInput){
		"within the bounds": func(*auditing.EventInput) {},
		"beyond the bounds": func(in *auditing.EventInput) { in.Reason = text(5000) },
	} {
		input := completeInput()
		in(&input)
		ae := auditing.NewEvent(input)
		e, untouched := prepared(t, ae), prepared(t, ae)
		first := indented(t, e.Object())
		zero(reflect.ValueOf(ae).Elem())
		zero(reflect.ValueOf(e.Object()).Elem())
		if got := indented(t, e.Object()); got != first {
			t.Errorf("%s: it was %s, and is %s", name, first, got)
		}
		if !bytes.Equal(e.JSON(), untouched.JSON()) { // encoded only now
			t.Errorf("%s: JSON %s, want %s", name, e.JSON(), untouched.JSON())
		}
	}
}

// zero changes everything that v reaches.
func zero(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			zero(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			zero(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.Zero(v.Type().Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				zero(v.Field(i))
			}
		}
	default:
		v.SetZero()
	}
}

func TestAnEventIsReadByManyAtOnce(t *testing.T) {
	ae := complete()
	e := prepared(t, ae)
	want := prepared(t, ae).JSON()
	var readers sync.WaitGroup
	for range 16 {
		readers.Go(func() {
			if !bytes.Equal(e.AppendJSON(nil), want) || !bytes.Equal(e.JSON(), want) || !bytes.Equal(e.AppendJSON(nil), want) {
				t.Error("another JSON")
			}
			o := e.Object()
			o.Spec.Detail["quota"], o.Labels["own"], o.Spec.RunRef.Name = "changed", "changed", "changed"
			if !e.Same(ae) || e.Name() != ae.Name || e.Run() != "hr-1" || e.Label("own") != "" || len(e.AppendSpec(nil)) == 0 {
				t.Errorf("read %s", e.JSON())
			}
		})
	}
	readers.Wait()
}

func TestJSONIsEncodedOnce(t *testing.T) {
	e := prepared(t, denial())
	first := e.JSON()
	if second := e.JSON(); &first[0] != &second[0] {
		t.Error("the second call encodes again")
	}
	if cap(first) != len(first) {
		t.Error("who appends to the JSON changes what others append")
	}
	if got := testing.AllocsPerRun(100, func() { _ = e.JSON() }); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if got := e.AppendJSON([]byte("line: ")); string(got) != "line: "+string(first) {
		t.Errorf("AppendJSON gave %s", got)
	}
}

func TestJSONIsOneLineWithTypeSpecAndIdentity(t *testing.T) {
	ae := complete()
	ae.Spec.Reason = "two\nlines \u2028 <&>"
	ae.UID, ae.ResourceVersion, ae.Generation = "uid", "7", 3
	ae.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	e := prepared(t, ae)
	if bytes.ContainsAny(e.JSON(), "\n\r") || !json.Valid(e.JSON()) {
		t.Errorf("JSON %s", e.JSON())
	}
	var back v1alpha1.AuditEvent
	if err := json.Unmarshal(e.JSON(), &back); err != nil {
		t.Fatal(err)
	}
	if back.Kind != "AuditEvent" || back.APIVersion != v1alpha1.GroupVersion.String() {
		t.Errorf("type %v", back.TypeMeta)
	}
	if back.UID != "" || back.ResourceVersion != "" || back.ManagedFields != nil {
		t.Errorf("it has what only a server fills in: %s", e.JSON())
	}
	back.TypeMeta = metav1.TypeMeta{}
	if !e.Same(&back) || back.Name != ae.Name || !reflect.DeepEqual(back.Labels, ae.Labels) ||
		!reflect.DeepEqual(back.Annotations, ae.Annotations) || !reflect.DeepEqual(back.OwnerReferences, ae.OwnerReferences) {
		t.Errorf("JSON %s of %s", e.JSON(), indented(t, ae))
	}
}

func TestDecodeGivesTheEventOfItsJSON(t *testing.T) {
	someEvents(200, func(ae *v1alpha1.AuditEvent) {
		e := prepared(t, ae)
		data := bytes.Clone(e.JSON())
		back, err := driver.Decode(data)
		if err != nil {
			t.Fatalf("decoding %s: %v", data, err)
		}
		for i := range data {
			data[i] = 0 // which Decode must not have kept
		}
		if !bytes.Equal(back.JSON(), e.JSON()) || !back.Time().Equal(e.Time()) || back.Ref() != e.Ref() ||
			back.Component() != e.Component() || back.NamedByLibrary() != e.NamedByLibrary() {
			t.Fatalf("%s came back as %s", e.JSON(), back.JSON())
		}
		if !e.Same(back.Object()) || !back.Same(ae) || !back.Same(e.Object()) {
			t.Fatalf("%s is not the same once it came back", e.JSON())
		}
	})
	e := prepared(t, denial())
	back, err := driver.Decode(e.JSON())
	if err != nil || !back.Time().Equal(noon) || back.Time().Location() != time.UTC {
		t.Errorf("time %v, want %v to the nanosecond (%v)", back.Time(), noon, err)
	}
}

func TestDecodeRefusesWhatIsNoEvent(t *testing.T) {
	for _, data := range []string{"", "{", "[]", `{"spec":7}`, string(prepared(t, denial()).JSON()[:40])} {
		if e, err := driver.Decode([]byte(data)); err == nil || !strings.Contains(err.Error(), "decoding an event") {
			t.Errorf("%q: event %v, error %v", data, e, err)
		}
	}
}

func TestADecodedEventIsStored(t *testing.T) {
	e := prepared(t, denial())
	back, err := driver.Decode(e.JSON())
	if err != nil {
		t.Fatal(err)
	}
	var got log
	d := driver.Of(newSink(stub{store: got.store}))
	if errs := d.Store(t.Context(), []*driver.Event{back, e}); errs != nil || got.events[0] != back || got.events[1] != e {
		t.Errorf("outcomes %v, stored %v", errs, got.events)
	}
}

func TestSameToleratesWhatADestinationDoesToAnEvent(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.AuditEvent){
		"nothing":          func(*v1alpha1.AuditEvent) {},
		"whole seconds":    func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp.Time = ae.Spec.Timestamp.Truncate(time.Second) },
		"another zone":     func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp.Time = ae.Spec.Timestamp.In(time.FixedZone("", 3600)) },
		"seconds of times": func(ae *v1alpha1.AuditEvent) { ae.Spec.WindowEnd.Time = ae.Spec.WindowEnd.Truncate(time.Second) },
		"a server's own":   func(ae *v1alpha1.AuditEvent) { ae.UID, ae.ResourceVersion = "uid", "7" },
		"another's label":  func(ae *v1alpha1.AuditEvent) { ae.Labels["team"] = "a" },
	} {
		e := prepared(t, complete())
		back := e.Object()
		change(back)
		if !e.Same(back) {
			t.Errorf("%s: another event than %s", name, e.JSON())
		}
	}
	ae := denial()
	ae.Spec.Detail, ae.Spec.SampleDestinations = map[string]string{}, []v1alpha1.AuditDestination{}
	e := prepared(t, ae)
	ae.Spec.Detail, ae.Spec.SampleDestinations = nil, nil
	if !e.Same(ae) {
		t.Error("nothing and an empty list are not the same")
	}
}

// Whoever adds a field to spec is told here when Same forgets it.
func TestSameSeesEveryFieldOfSpec(t *testing.T) {
	e := prepared(t, complete())
	n := 0
	for i := range 100 {
		back := e.Object()
		leaves := leavesOf("spec", reflect.ValueOf(&back.Spec).Elem())
		if i >= len(leaves) {
			n = i
			break
		}
		leaves[i].change()
		if e.Same(back) {
			t.Errorf("a change of %s is not seen", leaves[i].path)
		}
	}
	if n < 20 {
		t.Errorf("only %d leaves were changed", n)
	}
	for name, change := range map[string]func(*v1alpha1.AuditEvent){
		"component":  func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelComponent] = "another" },
		"annotation": func(ae *v1alpha1.AuditEvent) { annotate(ae, noon.Add(time.Nanosecond)) },
		"no detail":  func(ae *v1alpha1.AuditEvent) { ae.Spec.Detail = nil },
		"no run":     func(ae *v1alpha1.AuditEvent) { ae.Spec.RunRef = nil },
		"one sample": func(ae *v1alpha1.AuditEvent) { ae.Spec.SampleDestinations = ae.Spec.SampleDestinations[:1] },
	} {
		back := e.Object()
		change(back)
		if e.Same(back) {
			t.Errorf("%s: a change is not seen", name)
		}
	}
}

// annotate gives ae the time at, as an API server stores it.
func annotate(ae *v1alpha1.AuditEvent, at time.Time) {
	ae.Spec.Timestamp.Time = at.Truncate(time.Second)
	ae.Annotations[v1alpha1.AnnotationTimestamp] = at.Format(time.RFC3339Nano)
}

type leaf struct {
	path   string
	change func()
}

// leavesOf returns a way to change each value below v.
func leavesOf(path string, v reflect.Value) (leaves []leaf) {
	add := func(change func()) { leaves = append(leaves, leaf{path, change}) }
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			panic(path + " is empty: complete has to fill it")
		}
		return leavesOf(path, v.Elem())
	case reflect.Struct:
		if at, ok := v.Addr().Interface().(*metav1.Time); ok {
			add(func() { at.Time = at.Add(time.Second) })
			return leaves
		}
		for i := range v.NumField() {
			leaves = append(leaves, leavesOf(path+"."+v.Type().Field(i).Name, v.Field(i))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			leaves = append(leaves, leavesOf(fmt.Sprintf("%s[%d]", path, i), v.Index(i))...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			add(func() { v.SetMapIndex(k, reflect.ValueOf("changed")) })
		}
		add(func() { v.SetMapIndex(reflect.ValueOf("another"), reflect.ValueOf("")) })
	case reflect.String:
		add(func() { v.SetString(v.String() + "-changed") })
	case reflect.Int, reflect.Int32, reflect.Int64:
		add(func() { v.SetInt(v.Int() + 1) })
	default:
		panic(fmt.Sprintf("%s: cannot change a %s", path, v.Kind()))
	}
	return leaves
}
