package testenv

import (
	"os"
	"path/filepath"
)

// Kubectl returns the path of kubectl, of the version of the API server. It builds it when it is missing, also when
// KUBEBUILDER_ASSETS names a folder without it.
func Kubectl() (string, error) { return besideKube("kubectl") }

// besideKube returns the path of a program of Kubernetes, from the folder that envKubeAssets names or else from bin.
func besideKube(name string) (string, error) {
	if dir := os.Getenv(envKubeAssets); dir != "" {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	dir, err := built(name)
	return filepath.Join(dir, name), err
}
