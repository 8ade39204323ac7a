package deploytest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
)

// The cluster that all tests share: an empty API server to which deploy/ was applied, then deploy/reaper, with the
// controllers that the policies speak of. No test runs beside another.
var (
	kube  *testenv.Kube
	admin client.WithWatch // in system:masters

	firstApply, secondApply []applied // in order
)

func TestMain(m *testing.M) {
	code, err := runWithCluster(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWithCluster(m *testing.M) (code int, err error) {
	flags, remove, err := logFlags()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	kube, err = testenv.StartEmptyKube(flags...)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, kube.Stop()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if admin, err = clientFor(kube.Config); err != nil {
		return 1, err
	}
	for _, pass := range []*[]applied{&firstApply, &secondApply} {
		if *pass, err = applyAll(ctx); err != nil {
			return 1, err
		}
	}
	// After the CRD is served: for a type that it does not know yet, the type checker finds nothing.
	err = kube.StartControllers(ctx, "validatingadmissionpolicy-status-controller", "garbage-collector-controller",
		"namespace-controller", "clusterrole-aggregation-controller")
	if err != nil {
		return 1, err
	}
	if err := policiesInForce(ctx); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func clientFor(config *rest.Config) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme))
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}

// render returns the objects of a kustomization in the order in which kubectl applies them.
func render(dir string) ([]*unstructured.Unstructured, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", dir, err)
	}
	var objects []*unstructured.Unstructured
	for _, r := range resources.Resources() {
		text, err := r.MarshalJSON()
		o := &unstructured.Unstructured{}
		if err == nil {
			err = o.UnmarshalJSON(text)
		}
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", dir, err)
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// applied is an object with the versions that the server had of it; "" where it had none.
type applied struct{ id, before, after string }

// applyAll does what kubectl apply --server-side -k does, for deploy/ and then for the reaper.
func applyAll(ctx context.Context) ([]applied, error) {
	var done []applied
	for _, dir := range []string{"..", "../reaper"} {
		objects, err := render(dir)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			id := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
			before := o.DeepCopy()
			if err := client.IgnoreNotFound(admin.Get(ctx, client.ObjectKeyFromObject(o), before)); err != nil {
				return nil, fmt.Errorf("get %s: %w", id, err)
			}
			if err := admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner("deploytest")); err != nil {
				return nil, fmt.Errorf("apply %s: %w", id, err)
			}
			done = append(done, applied{id, before.GetResourceVersion(), o.GetResourceVersion()})
		}
	}
	return done, crdServed(ctx)
}

func crdServed(ctx context.Context) error {
	return until(ctx, func() error {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := admin.Get(ctx, client.ObjectKey{Name: "auditevents.paddock.dev"}, &crd); err != nil {
			return err
		}
		for _, c := range crd.Status.Conditions {
			if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
				return admin.List(ctx, &v1alpha1.AuditEventList{})
			}
		}
		return errors.New("the CRD is not established")
	})
}

// policiesInForce waits until the API server, which watches its policies, enforces each of them.
func policiesInForce(ctx context.Context) error {
	return until(ctx, func() error {
		labelless := newEvent("default", "")
		labelless.Labels = nil
		refused := admin.Create(ctx, labelless, client.DryRunAll)
		if policyOf(refused) != labelsPolicy {
			return fmt.Errorf("not yet refused by %s: %w", labelsPolicy, refused)
		}
		// The policy for deletion was made before this event: it is in force when a dry run of its deletion fails.
		kept := newEvent("default", "")
		if err := admin.Create(ctx, kept); err != nil {
			return err
		}
		if refused := admin.Delete(ctx, kept, client.DryRunAll); policyOf(refused) != deletionPolicy {
			return fmt.Errorf("not yet refused by %s: %w", deletionPolicy, refused)
		}
		return nil
	})
}

// until calls try until it returns nil or ctx ends, and returns the last error of try.
func until(ctx context.Context, try func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// eventually is until for a test, with a minute.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := until(ctx, try); err != nil {
		t.Fatal(err)
	}
}

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
