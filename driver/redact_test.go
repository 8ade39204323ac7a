package driver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/names"
)

// replaced returns a change that sets every text of a path to a text.
func replaced(path, to string) func(driver.Field, string, string) string {
	return func(f driver.Field, _, text string) string {
		if f.Path() == path {
			return to
		}
		return text
	}
}

// private returns an event with a text of its own in each place that can have one.
func private() *v1alpha1.AuditEvent {
	ae := complete()
	ae.Labels["example.com/team"] = "payroll"
	ae.Annotations = map[string]string{"example.com/ticket": "of Jane Doe"}
	return ae
}

// unchanged are the texts of an event that no redaction changes, by their path in Go.
var unchanged = []string{
	".ObjectMeta.Name", ".ObjectMeta.GenerateName", ".ObjectMeta.Namespace", ".Spec.Decision", ".Spec.Kind",
	".ObjectMeta.OwnerReferences.APIVersion", ".ObjectMeta.OwnerReferences.Kind", ".ObjectMeta.Finalizers",
}

// A field that is added to the type, or to metadata, is told of here when Redacted
// forgets it.
func TestRedactedChangesEveryTextOfAnEvent(t *testing.T) {
	ae := private()
	ae.Finalizers = []string{"example.com/kept"}
	was := prepared(t, ae)
	changed := was.Redacted(driver.AllFields, func(_ driver.Field, _, text string) string { return "changed-" + text }).Object()
	mustChange(t, "", reflect.ValueOf(changed).Elem())
	var owners []metav1.OwnerReference
	if err := json.Unmarshal([]byte(changed.Annotations[v1alpha1.AnnotationOwner]), &owners); err != nil {
		t.Fatal(err)
	}
	if o := owners[0]; o.Name != "changed-hr-1" || o.UID != "changed-abc" || o.Kind != "HarnessRun" || o.APIVersion == "" {
		t.Errorf("the annotation has the owner %+v", o)
	}
	if len(changed.OwnerReferences) > 0 {
		t.Errorf("an owner that no garbage collector finds stays: %v", changed.OwnerReferences)
	}
	if got := changed.Labels[v1alpha1.LabelRun]; got != "changed-hr-1" {
		t.Errorf("the label of the run is %q", got)
	}
	for _, own := range []string{v1alpha1.LabelKind, v1alpha1.LabelDecision, v1alpha1.AnnotationTimestamp} {
		if changed.Labels[own]+changed.Annotations[own] != was.Label(own)+was.Annotation(own) {
			t.Errorf("%s has changed", own)
		}
	}
	if changed.Name != was.Name() || changed.Namespace != was.Namespace() || !changed.Spec.Timestamp.Equal(&was.Spec().Timestamp) {
		t.Error("the identity has changed")
	}
}

func mustChange(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[metav1.Time](), v.Type() == reflect.TypeFor[metav1.TypeMeta](), slices.Contains(unchanged, path):
	case v.Kind() == reflect.String:
		if s := v.String(); s != "" && !strings.Contains(s, "changed-") {
			t.Errorf("%s is still %q", path, s)
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			if !strings.HasPrefix(key.String(), "paddock.dev/") {
				mustChange(t, path+"'s key", key)
				mustChange(t, path+"'s value", v.MapIndex(key))
			}
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		mustChange(t, path, v.Elem())
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			mustChange(t, path, v.Index(i))
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			mustChange(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
}

func TestRedactedLeavesTheEventItIsCalledOn(t *testing.T) {
	e := prepared(t, private())
	want := string(e.AppendJSON(nil))
	_ = e.Redacted(driver.AllFields, func(driver.Field, string, string) string { return "x" })
	if got := string(e.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if same := e.Redacted(driver.AllFields, func(_ driver.Field, _, text string) string { return text }); same != e {
		t.Error("an event without a changed text was copied")
	}
}

func TestRedactedAsksForNoEmptyText(t *testing.T) {
	ae := private()
	ae.Spec.Detail["empty"], ae.Annotations["example.com/empty"], ae.Spec.Actor.UserAgent = "", "", ""
	e := prepared(t, ae).Redacted(driver.AllFields, func(f driver.Field, key, text string) string {
		if text == "" {
			t.Errorf("asked for the empty %s %s", f.Path(), key)
		}
		return text + "x"
	}).Object()
	if v, ok := e.Spec.Detail["emptyx"]; !ok || v != "" || e.Spec.Actor.UserAgent != "" {
		t.Errorf("the empty did not stay: %v", e.Spec)
	}
}

func TestADroppedTextTakesItsPlaceWithIt(t *testing.T) {
	e := prepared(t, private()).Redacted(driver.AllFields, func(driver.Field, string, string) string { return "" }).Object()
	s := e.Spec
	if s.RunRef != nil || s.MatchedPolicy != nil || len(s.Actor.Groups) > 0 || len(s.Detail) > 0 || s.Reason != "" || s.Destination.Host != "" {
		t.Errorf("left: %s", indented(t, s))
	}
	if s.Destination.Port != 443 || len(s.SampleDestinations) != 2 {
		t.Errorf("a port has gone: %s", indented(t, s))
	}
	if got := slices.Sorted(maps.Keys(e.Labels)); !slices.Equal(got, []string{v1alpha1.LabelDecision, v1alpha1.LabelKind}) {
		t.Errorf("labels %v", got)
	}
	if got := slices.Collect(maps.Keys(e.Annotations)); !slices.Equal(got, []string{v1alpha1.AnnotationTimestamp}) || len(e.OwnerReferences) > 0 {
		t.Errorf("annotations %v, owners %v", got, e.OwnerReferences)
	}
}

func TestARedactedEventIsWithinTheBounds(t *testing.T) {
	ae := private()
	for i := range v1alpha1.MaxDetailEntries {
		ae.Spec.Detail[fmt.Sprint(i)] = "x"
	}
	e := prepared(t, ae).Redacted(driver.AllFields, func(f driver.Field, _, _ string) string { return strings.Repeat("é /", 3000) + f.Path() })
	for value := range maps.Values(e.Object().Labels) {
		if !names.IsLabelValue(value) {
			t.Errorf("%q is no label value", value)
		}
	}
	for key := range e.Object().Annotations {
		if msgs := utilvalidation.IsQualifiedName(key); len(msgs) > 0 {
			t.Errorf("%q is no key: %v", key, msgs)
		}
	}
	if label := e.Label(v1alpha1.LabelRun); label != names.RunLabel(e.Run()) {
		t.Errorf("label %s of run %s", label, e.Run())
	}
	size := 0
	for key, value := range e.Detail() {
		size += len(key) + len(value)
		if utf8.RuneCountInString(key) > v1alpha1.MaxDetailKeyLength || utf8.RuneCountInString(value) > v1alpha1.MaxDetailValueLength {
			t.Errorf("a detail of %d and %d bytes", len(key), len(value))
		}
	}
	if size > 128<<10 {
		t.Errorf("details of %d bytes", size)
	}
	again, err := driver.Prepare(e.Object(), "")
	if err != nil || !bytes.Equal(again.JSON(), e.JSON()) {
		t.Errorf("preparing it again: %v", err)
	}
}

func TestKeysThatBecomeTheSameAreNumbered(t *testing.T) {
	for _, path := range []string{"spec.detailKeys", "metadata.labelKeys", "metadata.annotationKeys"} {
		for _, to := range []string{"[masked]", "same", strings.Repeat("long ", 100)} {
			ae := private()
			for i := range 12 {
				key := fmt.Sprintf("example.com/%d", i)
				ae.Spec.Detail[key], ae.Labels[key], ae.Annotations[key] = "d", "l", "a"
			}
			was := prepared(t, ae).Object()
			e := prepared(t, ae).Redacted(driver.AllFields, replaced(path, to))
			got := e.Object()
			if len(got.Spec.Detail) != len(was.Spec.Detail) || len(got.Labels) != len(was.Labels) || len(got.Annotations) != len(was.Annotations) {
				t.Errorf("%s: an entry is lost: %s", path, e.JSON())
			}
			if _, err := driver.Prepare(got, ""); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			decoded, err := driver.Decode(e.JSON())
			if err != nil || !bytes.Equal(decoded.JSON(), e.JSON()) {
				t.Errorf("%s: the keys are out of order: %s", path, e.JSON())
			}
		}
	}
}

// An event that is read back and written again has its owners in the annotation alone.
func TestOwnersInTheAnnotationAloneAreRedacted(t *testing.T) {
	const path = "metadata.ownerReferences.name"
	ae := prepared(t, private()).Object()
	ae.OwnerReferences = nil
	e := prepared(t, ae).Redacted(driver.AllFields, replaced(path, "gone"))
	if got := e.Annotation(v1alpha1.AnnotationOwner); strings.Contains(got, "hr-1") || !strings.Contains(got, `"name":"gone"`) {
		t.Errorf("annotation %s", got)
	}
	for _, odd := range []string{"Jane Doe", `[{"name":"hr-1","secret":"hr-1"}]`, `[] hr-1`} {
		ae.Annotations[v1alpha1.AnnotationOwner] = odd
		if got := prepared(t, ae).Redacted(driver.AllFields, replaced(path, "gone")).Annotation(v1alpha1.AnnotationOwner); got != "gone" {
			t.Errorf("%s: annotation %s", odd, got)
		}
	}
}

func TestAnInvalidEventIsRefusedWithoutItsTexts(t *testing.T) {
	const secret = "Jane Doe"
	ae := private()
	ae.Namespace, ae.GenerateName, ae.Name = secret, secret, secret
	ae.Labels[v1alpha1.LabelComponent] = secret
	ae.Labels["team"], ae.Labels[secret], ae.Annotations[secret] = secret, "x", "x"
	ae.Finalizers = []string{secret}
	controller := new(true)
	for range 2 {
		ae.OwnerReferences = append(ae.OwnerReferences, metav1.OwnerReference{
			APIVersion: secret + "/" + secret + "/" + secret, Kind: secret, Name: secret, UID: secret, Controller: controller,
		})
	}
	ae.Spec.Decision, ae.Spec.Kind = secret, secret
	err := refusal(t, ae, "")
	failed := writeError(t, err)
	text := failed.Err.Error()
	if strings.Contains(text+failed.Component, "Jane") {
		t.Errorf("%s of %q", text, failed.Component)
	}
	for _, field := range []string{"decision", "kind", "labels", "annotations", "finalizers", "ownerReferences", "generateName"} {
		if !strings.Contains(text, field) {
			t.Errorf("%s is not named: %s", field, text)
		}
	}
}
