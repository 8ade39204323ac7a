package deploytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const (
	longRun = "payroll-of-the-company-with-the-long-name-december-2026-correction-2"
	wideRun = "lohnabrechnung für märz, zweite korrektur, bitte nicht löschen, danke schön"
)

// wanted is what a refusal has to say. policy is "" for the CRD's own rule.
type wanted struct {
	policy string
	says   []string
}

func checkRefusal(t *testing.T, err error, want wanted) {
	t.Helper()
	if err == nil {
		t.Fatal("it was allowed")
	}
	t.Log(err)
	if got := policyOf(err); got != want.policy {
		t.Errorf("refused by policy %q, want %q", got, want.policy)
	}
	for _, part := range want.says {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the refusal does not say %q", part)
		}
	}
	if apierrors.IsInternalError(err) || strings.Contains(err.Error(), "failed expression") || strings.Contains(err.Error(), "resulted in error") {
		t.Error("the refusal is a failure of the policy, not its answer")
	}
}

func TestCreatingAnEventWhoseLabelsAreOutOfStepIsRefused(t *testing.T) {
	label := func(key, value string) func(*v1alpha1.AuditEvent) {
		return func(ae *v1alpha1.AuditEvent) { ae.Labels[key] = value }
	}
	without := func(key string) func(*v1alpha1.AuditEvent) {
		return func(ae *v1alpha1.AuditEvent) { delete(ae.Labels, key) }
	}
	annotation := func(value string) func(*v1alpha1.AuditEvent) {
		return func(ae *v1alpha1.AuditEvent) { ae.Annotations[v1alpha1.AnnotationTimestamp] = value }
	}
	const notLabel = "auditing.RunLabel"
	tests := map[string]struct {
		run    string
		change func(*v1alpha1.AuditEvent)
		says   []string
	}{
		"decision differs":        {"hr-1", label(v1alpha1.LabelDecision, "granted"), []string{`paddock.dev/decision is "granted" and spec.decision is "denied"`, "set it to what spec says"}},
		"decision missing":        {"hr-1", without(v1alpha1.LabelDecision), []string{`paddock.dev/decision is ""`}},
		"kind differs":            {"hr-1", label(v1alpha1.LabelKind, "egress-allow"), []string{`paddock.dev/kind is "egress-allow" and spec.kind is "egress-block"`}},
		"kind missing":            {"hr-1", without(v1alpha1.LabelKind), []string{`paddock.dev/kind is ""`}},
		"no labels at all":        {"hr-1", func(ae *v1alpha1.AuditEvent) { ae.Labels = nil }, []string{`paddock.dev/decision is ""`}},
		"run differs":             {"hr-1", label(v1alpha1.LabelRun, "hr-2"), []string{`paddock.dev/run is "hr-2" and spec.runRef.name is "hr-1"`, "set the label to the name"}},
		"run missing":             {"hr-1", without(v1alpha1.LabelRun), []string{`paddock.dev/run is ""`}},
		"run empty":               {"hr-1", label(v1alpha1.LabelRun, ""), []string{`paddock.dev/run is ""`}},
		"label without a run":     {"", label(v1alpha1.LabelRun, "hr-1"), []string{"no spec.runRef", "remove the label"}},
		"hash of a short name":    {"hr-1", label(v1alpha1.LabelRun, "hr-1-0123456789"), []string{"set the label to the name"}},
		"long run, no hash":       {longRun, label(v1alpha1.LabelRun, longRun[:63]), []string{notLabel, longRun[:52]}},
		"long run, other name":    {longRun, label(v1alpha1.LabelRun, "hr-2"), []string{notLabel}},
		"long run, other start":   {longRun, label(v1alpha1.LabelRun, "payroll-of-another-0123456789"), []string{notLabel}},
		"long run, shorter start": {longRun, label(v1alpha1.LabelRun, "payroll-0123456789"), []string{notLabel}},
		"long run, hash alone":    {longRun, label(v1alpha1.LabelRun, "0123456789"), []string{notLabel}},
		"long run, no dash":       {longRun, label(v1alpha1.LabelRun, longRun[:52]+"0123456789"), []string{notLabel}},
		"long run, no label":      {longRun, without(v1alpha1.LabelRun), []string{notLabel}},
		"wide run, other start":   {wideRun, label(v1alpha1.LabelRun, "hr-0123456789"), []string{notLabel}},
		"wide run, no dash":       {wideRun, label(v1alpha1.LabelRun, "lohnabrechnung0123456789"), []string{notLabel}},
		"timestamp of elsewhen":   {"hr-1", annotation("2020-01-01T00:00:00.5Z"), []string{"2020-01-01T00:00:00.5Z", "spec.timestamp", "in UTC"}},
		"timestamp is no time":    {"hr-1", annotation("yesterday"), []string{`"yesterday"`, "in UTC"}},
		"timestamp with a zone":   {"hr-1", annotation("2026-01-01T01:00:00+01:00"), []string{"in UTC"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ae := newEvent("default", "")
			if test.run == "" {
				ae.Spec.RunRef = nil
			} else {
				ae.Spec.RunRef.Name = test.run
			}
			finished("", ae)
			must(t, admin.Create(t.Context(), ae.DeepCopy(), client.DryRunAll)) // only the change is at fault
			test.change(ae)
			checkRefusal(t, admin.Create(t.Context(), ae.DeepCopy()), wanted{labelsPolicy, test.says})
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(ae), ae); !apierrors.IsNotFound(err) {
				t.Errorf("read back: %v, want not found", err)
			}
		})
	}
}

func TestChangingAStoredEventIsRefusedAndChangesNothing(t *testing.T) {
	const (
		written  = "an audit event is written once"
		noLabel  = "labels under paddock.dev/ cannot be added, changed or removed"
		noNote   = "annotations under paddock.dev/ cannot be added, changed or removed"
		noOwner  = "cannot be added or changed, only removed"
		elsewhen = "2020-01-01T00:00:00Z"
	)
	owner := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "5ca1ab1e"}
	tests := map[string]struct {
		change func(*v1alpha1.AuditEvent)
		want   wanted
	}{
		"edit the decision":         {func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = "granted" }, wanted{"", []string{"spec is immutable", written}}},
		"edit the reason":           {func(ae *v1alpha1.AuditEvent) { ae.Spec.Reason = "" }, wanted{"", []string{"spec is immutable", written}}},
		"remove the run":            {func(ae *v1alpha1.AuditEvent) { ae.Spec.RunRef = nil }, wanted{"", []string{"spec is immutable", written}}},
		"edit a query label":        {func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelDecision] = "granted" }, wanted{labelsPolicy, []string{noLabel, written}}},
		"edit the run's label":      {func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelRun] = "hr-2" }, wanted{labelsPolicy, []string{noLabel}}},
		"forge the component":       {func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelComponent] = "proxy" }, wanted{labelsPolicy, []string{noLabel}}},
		"remove a query label":      {func(ae *v1alpha1.AuditEvent) { delete(ae.Labels, v1alpha1.LabelKind) }, wanted{labelsPolicy, []string{noLabel}}},
		"empty a query label":       {func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelKind] = "" }, wanted{labelsPolicy, []string{noLabel}}},
		"remove all labels":         {func(ae *v1alpha1.AuditEvent) { ae.Labels = nil }, wanted{labelsPolicy, []string{noLabel}}},
		"add a label of ours":       {func(ae *v1alpha1.AuditEvent) { ae.Labels["paddock.dev/reviewed"] = "" }, wanted{labelsPolicy, []string{noLabel}}},
		"edit the timestamp":        {func(ae *v1alpha1.AuditEvent) { ae.Annotations[v1alpha1.AnnotationTimestamp] = elsewhen }, wanted{labelsPolicy, []string{noNote}}},
		"remove all annotations":    {func(ae *v1alpha1.AuditEvent) { ae.Annotations = nil }, wanted{labelsPolicy, []string{noNote}}},
		"add an annotation":         {func(ae *v1alpha1.AuditEvent) { ae.Annotations["paddock.dev/late"] = "" }, wanted{labelsPolicy, []string{noNote}}},
		"add an owner that is gone": {func(ae *v1alpha1.AuditEvent) { ae.OwnerReferences = []metav1.OwnerReference{owner} }, wanted{labelsPolicy, []string{noOwner, "garbage collector"}}},
		"add a finalizer":           {func(ae *v1alpha1.AuditEvent) { ae.Finalizers = []string{"example.com/hold"} }, wanted{labelsPolicy, []string{"finalizers", "only removed"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ae := stored(t, "default", "broker")
			before := raw(t, ae)
			test.change(ae)
			checkRefusal(t, admin.Update(t.Context(), ae), test.want)
			if after := raw(t, ae); !equal(before, after) {
				t.Errorf("before %v\nafter  %v", before, after)
			}
		})
	}
}

// raw reads the event as the server has it.
func raw(t *testing.T, ae *v1alpha1.AuditEvent) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEvent"))
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(ae), u))
	return u
}

func TestOtherLabelsAndAnnotationsMayChange(t *testing.T) {
	ae := stored(t, "default", "broker")
	for _, change := range []func(*v1alpha1.AuditEvent){
		func(ae *v1alpha1.AuditEvent) { ae.Labels["reviewed-by"] = "alice" },
		func(ae *v1alpha1.AuditEvent) { ae.Annotations["example.com/case"] = "17" },
		func(ae *v1alpha1.AuditEvent) {
			delete(ae.Labels, "reviewed-by")
			delete(ae.Annotations, "example.com/case")
		},
		func(*v1alpha1.AuditEvent) {},
	} {
		change(ae)
		want := ae.DeepCopy()
		must(t, admin.Update(t.Context(), ae))
		if ae.Labels["reviewed-by"] != want.Labels["reviewed-by"] {
			t.Errorf("got %v, want %v", ae.ObjectMeta, want.ObjectMeta)
		}
	}
}

// allowOwners sets the policy's variable for events that are created with owners and finalizers until the end of the test.
func allowOwners(t *testing.T) {
	t.Helper()
	set := func(ctx context.Context, value string, inForce func(error) bool) {
		policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
		must(t, admin.Get(ctx, client.ObjectKey{Name: labelsPolicy}, policy))
		i := slices.IndexFunc(policy.Spec.Variables, func(v admissionregistrationv1.Variable) bool { return v.Name == "ownersAndFinalizersAllowed" })
		policy.Spec.Variables[i].Expression = value
		must(t, admin.Update(ctx, policy))
		probe := newEvent("default", "")
		probe.Finalizers = []string{"example.com/hold"}
		must(t, until(ctx, func() error {
			if err := admin.Create(ctx, probe.DeepCopy(), client.DryRunAll); !inForce(err) {
				return fmt.Errorf("the policy does not say %s yet: %w", value, err)
			}
			return nil
		}))
	}
	set(t.Context(), "true", func(err error) bool { return err == nil })
	t.Cleanup(func() { set(context.WithoutCancel(t.Context()), "false", func(err error) bool { return err != nil }) })
}

func TestOwnersAndFinalizersAreRefusedAtCreation(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.AuditEvent){
		"owner": func(ae *v1alpha1.AuditEvent) {
			ae.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "5ca1ab1e"}}
		},
		"finalizer": func(ae *v1alpha1.AuditEvent) { ae.Finalizers = []string{"example.com/hold"} },
	} {
		ae := newEvent("default", "broker")
		change(ae)
		t.Run(name, func(t *testing.T) {
			checkRefusal(t, admin.Create(t.Context(), ae), wanted{labelsPolicy, []string{"cannot be created with", "paddock.dev/owner"}})
		})
	}
}

func TestStoredOwnerCanBeRemovedAndNotChanged(t *testing.T) {
	allowOwners(t)
	ae := newEvent("default", "")
	owner := newConfigMap("default", "owner-"+ae.Name)
	must(t, admin.Create(t.Context(), owner))
	ae.OwnerReferences = []metav1.OwnerReference{ownerReference(owner)}
	must(t, admin.Create(t.Context(), ae))
	must(t, admin.Update(t.Context(), ae))
	for what, change := range map[string]func(*metav1.OwnerReference){
		"name":       func(o *metav1.OwnerReference) { o.Name = "gone" },
		"kind":       func(o *metav1.OwnerReference) { o.Kind = "Secret" },
		"controller": func(o *metav1.OwnerReference) { o.BlockOwnerDeletion = new(true) },
	} {
		changed := ae.DeepCopy()
		change(&changed.OwnerReferences[0])
		t.Run(what, func(t *testing.T) {
			checkRefusal(t, admin.Update(t.Context(), changed), wanted{labelsPolicy, []string{"cannot be added or changed, only removed"}})
		})
	}
	ae.OwnerReferences = nil
	must(t, admin.Update(t.Context(), ae))
	if got := raw(t, ae).GetOwnerReferences(); len(got) != 0 {
		t.Errorf("owners %v", got)
	}
}

// Whoever may edit the CRD could otherwise open stored events.
func TestPolicyKeepsSpecWhenTheCRDDoesNot(t *testing.T) {
	rules := func(ctx context.Context, change func(*apiextensionsv1.JSONSchemaProps)) {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		must(t, admin.Get(ctx, client.ObjectKey{Name: "auditevents.paddock.dev"}, crd))
		props := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties
		spec := props["spec"]
		change(&spec)
		props["spec"] = spec
		must(t, admin.Update(ctx, crd))
	}
	ae := stored(t, "default", "broker")
	before := raw(t, ae)
	edited := ae.DeepCopy()
	edited.Spec.Reason = "another one"
	refusedBy := func(ctx context.Context, policy string) {
		must(t, until(ctx, func() error {
			err := admin.Update(ctx, edited.DeepCopy())
			if err == nil || policyOf(err) != policy || !strings.Contains(err.Error(), "spec is immutable") {
				return fmt.Errorf("refused by %q, want %q: %w", policyOf(err), policy, err)
			}
			return nil
		}))
	}
	var rule apiextensionsv1.ValidationRules
	rules(t.Context(), func(spec *apiextensionsv1.JSONSchemaProps) { rule, spec.XValidations = spec.XValidations, nil })
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		rules(ctx, func(spec *apiextensionsv1.JSONSchemaProps) { spec.XValidations = rule })
		refusedBy(ctx, "")
	})
	refusedBy(t.Context(), labelsPolicy)
	if after := raw(t, ae); !equal(before, after) {
		t.Errorf("before %v\nafter  %v", before, after)
	}
}
