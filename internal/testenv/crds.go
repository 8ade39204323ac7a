package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// InstallCRDs creates the CRD of each YAML file in dir and returns when the server serves them.
func (k *Kube) InstallCRDs(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err == nil && len(files) == 0 {
		err = errors.New("there is none: run make generate")
	}
	if err != nil {
		return fmt.Errorf("testenv: find the CRDs in %s: %w", dir, err)
	}
	clients, err := clientset.NewForConfig(k.Config)
	if err != nil {
		return fmt.Errorf("testenv: make a client of the API server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, file := range files {
		if err := installCRD(ctx, clients, file); err != nil {
			return fmt.Errorf("testenv: install the CRD of %s: %w", file, err)
		}
	}
	return nil
}

func installCRD(ctx context.Context, clients clientset.Interface, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		return err
	}
	if _, err := clients.ApiextensionsV1().CustomResourceDefinitions().Create(ctx, &crd, metav1.CreateOptions{}); err != nil {
		return err
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		failed := served(ctx, clients, &crd)
		if failed == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), failed)
		case <-tick.C:
		}
	}
}

// served returns an error that says why a version of the CRD cannot be used yet. Clients look a resource up in discovery.
// Different parts of the server answer discovery and serve the resource, and both have to know it.
func served(ctx context.Context, clients clientset.Interface, crd *apiextensionsv1.CustomResourceDefinition) error {
	var failed error
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		group := crd.Spec.Group + "/" + version.Name
		_, err := clients.Discovery().ServerResourcesForGroupVersion(group)
		list := clients.Discovery().RESTClient().Get().AbsPath("/apis", group, crd.Spec.Names.Plural)
		failed = errors.Join(failed, err, list.Do(ctx).Error())
	}
	return failed
}
