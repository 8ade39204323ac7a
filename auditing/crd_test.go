package auditing

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// crd is the schema of AuditEvent, applied as the API server applies it.
type crd struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

var loadCRD = sync.OnceValues(func() (*crd, error) {
	data, err := os.ReadFile(filepath.Join("..", "deploy", "crd", "paddock.dev_auditevents.yaml"))
	if err != nil {
		return nil, err
	}
	var v1 apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &v1); err != nil {
		return nil, err
	}
	var props apiextensions.CustomResourceValidation
	if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
		v1.Spec.Versions[0].Schema, &props, nil); err != nil {
		return nil, err
	}
	structural, err := schema.NewStructural(props.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	validator, _, err := validation.NewSchemaValidator(props.OpenAPIV3Schema)
	if err != nil {
		return nil, err
	}
	return &crd{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
})

// stored returns what the API server would say to the creation of ae, and what
// it would then hold.
func stored(t *testing.T, ae *v1alpha1.AuditEvent) (*v1alpha1.AuditEvent, field.ErrorList) {
	t.Helper()
	c, err := loadCRD()
	if err != nil {
		t.Fatal(err)
	}
	ae = ae.DeepCopy()
	ae.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEvent"))
	errs := metavalidation.ValidateObjectMeta(&ae.ObjectMeta, true, metavalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	data, err := json.Marshal(ae)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	delete(object["metadata"].(map[string]any), "creationTimestamp")
	// encoding/json makes every number a float64, the server an int64 where it can.
	if spec, ok := object["spec"].(map[string]any); ok {
		object["spec"] = withIntegers(spec)
	}
	pruned := runtime.DeepCopyJSON(object)
	pruning.Prune(pruned, c.structural, true)
	if !reflect.DeepEqual(pruned, object) {
		errs = append(errs, field.Invalid(field.NewPath("spec"), object["spec"], "has fields that the server prunes"))
	}
	errs = append(errs, validation.ValidateCustomResource(nil, object, c.schema)...)
	ruled, _ := c.rules.Validate(context.Background(), nil, c.structural, object, nil, celconfig.RuntimeCELCostBudget)
	errs = append(errs, ruled...)

	back := &v1alpha1.AuditEvent{}
	if err := json.Unmarshal(data, back); err != nil {
		t.Fatal(err)
	}
	return back, errs
}

func withIntegers(v any) any {
	switch v := v.(type) {
	case float64:
		if i := int64(v); float64(i) == v {
			return i
		}
	case map[string]any:
		for k, e := range v {
			v[k] = withIntegers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = withIntegers(e)
		}
	}
	return v
}

func TestTheSchemaRefusesWhatTheFuzzerLooksFor(t *testing.T) {
	for name, spoil := range map[string]func(*v1alpha1.AuditEvent){
		"long reason":    func(ae *v1alpha1.AuditEvent) { ae.Spec.Reason = text(v1alpha1.MaxReasonLength + 1) },
		"port":           func(ae *v1alpha1.AuditEvent) { ae.Spec.Destination.Port = 70000 },
		"decision":       func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = "maybe" },
		"detail by rule": func(ae *v1alpha1.AuditEvent) { ae.Spec.Detail = map[string]string{"k": text(5000)} },
		"label":          func(ae *v1alpha1.AuditEvent) { ae.Labels[v1alpha1.LabelRun] = "not a label value" },
	} {
		ae := NewEgressBlock(egressInput)
		ae.Name = "ae-1"
		if _, errs := stored(t, ae); len(errs) > 0 {
			t.Fatalf("a good event is refused: %v", errs)
		}
		spoil(ae)
		if _, errs := stored(t, ae); len(errs) == 0 {
			t.Errorf("%s: not refused", name)
		}
	}
}
