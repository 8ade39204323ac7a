package driver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/names"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

var (
	metaPath          = field.NewPath("metadata")
	specPath          = field.NewPath("spec")
	decisionPath      = specPath.Child("decision")
	kindPath          = specPath.Child("kind")
	timestampPath     = specPath.Child("timestamp")
	windowStartPath   = specPath.Child("windowStart")
	windowEndPath     = specPath.Child("windowEnd")
	countPath         = specPath.Child("count")
	runNamePath       = specPath.Child("runRef", "name")
	matchedPolicyPath = specPath.Child("matchedPolicy", "name")
	ownersPath        = metaPath.Child("ownerReferences")
	componentPath     = field.NewPath("component")
)

// validate refuses an event that no destination could store. own are its labels. The error names every
// field that is wrong.
func validate(ae *v1alpha1.AuditEvent, own *labels, component string, namespaced bool) error {
	if ae == nil {
		return errors.New("the event is nil: build one with a New function of package auditing")
	}
	var errs field.ErrorList
	if !ae.Spec.Decision.Known() {
		errs = append(errs, field.NotSupported(decisionPath, ae.Spec.Decision,
			[]v1alpha1.AuditDecision{v1alpha1.AuditDecisionGranted, v1alpha1.AuditDecisionDenied, v1alpha1.AuditDecisionWarned}))
	}
	errs = append(errs, validateKind(ae.Spec.Kind, kindPath)...)
	errs = append(errs, validateTime(ae.Spec.Timestamp.Time, timestampPath)...)
	if ae.Spec.WindowStart != nil {
		errs = append(errs, validateTime(ae.Spec.WindowStart.Time, windowStartPath)...)
	}
	if ae.Spec.WindowEnd != nil {
		errs = append(errs, validateTime(ae.Spec.WindowEnd.Time, windowEndPath)...)
	}
	if ae.Spec.Count < 0 {
		errs = append(errs, field.Invalid(countPath, ae.Spec.Count, "must be at least 1, or 0 for none"))
	}
	if ref := ae.Spec.RunRef; ref != nil && ref.Name == "" {
		errs = append(errs, field.Required(runNamePath, "leave runRef out when there is no run"))
	}
	if ref := ae.Spec.MatchedPolicy; ref != nil && ref.Name == "" {
		errs = append(errs, field.Required(matchedPolicyPath, "leave matchedPolicy out when there is no policy"))
	}
	if !names.IsLabelValue(component) {
		for _, msg := range utilvalidation.IsValidLabelValue(component) {
			errs = append(errs, field.Invalid(componentPath, component, msg))
		}
	}
	errs = append(errs, validateMeta(ae, own, namespaced)...)
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("invalid event: %w", withoutTexts(errs).ToAggregate())
}

// withoutTexts removes what errors quote of the event: it may be private, and no
// redaction has seen it.
func withoutTexts(errs field.ErrorList) field.ErrorList {
	for _, err := range errs {
		err.BadValue = field.OmitValueType{}
		if err.Field == ownersPath.String() { // the only error of them all together
			err.Detail = "only one owner can be the controller"
		}
	}
	return errs
}

func validateKind(kind v1alpha1.AuditKind, path *field.Path) (errs field.ErrorList) {
	if kind == "" {
		return append(errs, field.Required(path, "a known kind or any DNS label"))
	}
	if kind.Known() {
		return nil
	}
	for _, msg := range utilvalidation.IsDNS1123Label(string(kind)) {
		errs = append(errs, field.Invalid(path, kind, msg))
	}
	return errs
}

func validateTime(t time.Time, path *field.Path) field.ErrorList {
	if t.IsZero() {
		return field.ErrorList{field.Required(path, "the time of the decision")}
	}
	if !names.Representable(t) {
		return field.ErrorList{field.Invalid(path, t, "must be in the years 1 to 9999")}
	}
	return nil
}

// validateMeta applies the API server's rules for metadata, so that every sink refuses
// the same events. It does not look at the labels and the annotation that identify
// sets, because identify replaces their values.
func validateMeta(ae *v1alpha1.AuditEvent, own *labels, namespaced bool) field.ErrorList {
	if namespaced && ae.Namespace == "" {
		return field.ErrorList{field.Required(metaPath.Child("namespace"), "this sink stores namespaced objects")}
	}
	if plain(ae, own) {
		return nil
	}
	meta := ae.ObjectMeta
	meta.Labels, meta.Annotations = maps.Clone(ae.Labels), maps.Clone(ae.Annotations)
	for _, key := range [...]string{v1alpha1.LabelDecision, v1alpha1.LabelKind, v1alpha1.LabelRun} {
		delete(meta.Labels, key)
	}
	delete(meta.Annotations, v1alpha1.AnnotationTimestamp)
	meta.ManagedFields = nil
	errs := validation.ValidateObjectMeta(&meta, ae.Namespace != "", validation.NameIsDNSSubdomain, metaPath)
	if meta.Name == "" {
		// identify has not set the name yet. The prefix must leave room for it.
		errs = slices.DeleteFunc(errs, func(e *field.Error) bool {
			return e.Type == field.ErrorTypeRequired && e.Field == metaPath.Child("name").String()
		})
		if len(errs) == 0 && len(meta.GenerateName) > names.MaxPrefix {
			errs = append(errs, field.TooLong(metaPath.Child("generateName"), meta.GenerateName, names.MaxPrefix))
		}
	}
	return errs
}

// plain reports that metadata is as the builders leave it, and so is valid. Every
// write asks this, and ValidateObjectMeta takes longer than the rest of a write.
func plain(ae *v1alpha1.AuditEvent, own *labels) bool {
	if !own.areAllOf(ae) || len(ae.OwnerReferences) > 0 || len(ae.Finalizers) > 0 || ae.DeletionGracePeriodSeconds != nil ||
		!names.IsPlain(ae.Namespace, utilvalidation.DNS1123LabelMaxLength) ||
		!names.IsPlain(ae.Name, utilvalidation.DNS1123SubdomainMaxLength) ||
		!names.IsPlain(strings.TrimSuffix(ae.GenerateName, "-"), names.MaxPrefix-1) {
		return false
	}
	annotations := 0
	if has(ae.Annotations, v1alpha1.AnnotationTimestamp) {
		annotations = 1
	}
	return annotations == len(ae.Annotations)
}
