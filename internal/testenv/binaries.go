package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// envKubeAssets names a folder with kube-apiserver and etcd, and maybe kube-controller-manager and kubectl. They are used,
// and none of those is built.
const envKubeAssets = "KUBEBUILDER_ASSETS"

// moduleLine is a line of this module's go.mod that the go.mod of nested modules does not have.
var moduleLine = []byte("module github.com/paddock-dev/audit\n")

// moduleRoot returns the root of the source tree. It searches upwards from the working directory, which in a test is the
// folder of the package.
func moduleRoot() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("testenv: find the source tree: %w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		gomod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.Contains(append(gomod, '\n'), moduleLine) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("testenv: no go.mod of github.com/paddock-dev/audit in %s or above: run this inside its source tree", wd)
		}
	}
}

// kubeBinaries returns the paths of etcd and kube-apiserver. It builds them when they are missing.
func kubeBinaries() (etcd, apiserver string, err error) {
	dir := os.Getenv(envKubeAssets)
	if dir == "" {
		if dir, err = built("etcd", "kube-apiserver"); err != nil {
			return "", "", err
		}
	}
	etcd, apiserver = filepath.Join(dir, "etcd"), filepath.Join(dir, "kube-apiserver")
	for _, path := range []string{etcd, apiserver} {
		if _, err := os.Stat(path); err != nil {
			return "", "", fmt.Errorf("testenv: %s must name a folder with etcd and kube-apiserver: %w", envKubeAssets, err)
		}
	}
	return etcd, apiserver, nil
}

// lokiBinary returns the path of the real loki that LOKI_BIN names.
func lokiBinary() (string, error) {
	path := os.Getenv(envLokiBinary)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("testenv: %s must name the loki binary: %w", envLokiBinary, err)
	}
	return filepath.Abs(path)
}

// standinBinary builds the stand-in for Loki and returns its path. A build is fast when nothing has changed.
var standinBinary = sync.OnceValues(func() (string, error) {
	const name = "lokistandin"
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, unlock, err := lockedBin(root)
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-o", path, "./internal/lokitest/"+name)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("testenv: build %s in %s: %w:\n%s", name, root, err, out)
	}
	return path, nil
})

// lockedBin makes the folder of the binaries and waits until no other process builds into it.
func lockedBin(root string) (dir string, unlock func(), err error) {
	dir = filepath.Join(root, "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("testenv: make the folder for the servers: %w", err)
	}
	unlock, err = lock(filepath.Join(dir, ".lock"))
	return dir, unlock, err
}

// built returns the folder of the binaries that make tools builds. It builds missing ones with make. A file lock lets only
// one process build at a time, because go test tests several packages at once.
func built(names ...string) (dir string, err error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, unlock, err := lockedBin(root)
	if err != nil {
		return "", err
	}
	defer unlock()
	args := []string{"-C", root, "--no-print-directory"}
	missing := false
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, os.ErrNotExist) {
			missing = true
		}
		args = append(args, "bin/"+name)
	}
	if !missing {
		return dir, nil
	}
	fmt.Fprintf(os.Stderr, "testenv: building %v, which takes minutes the first time\n", names)
	make := exec.Command("make", args...)
	make.Stdout, make.Stderr = os.Stderr, os.Stderr
	if err := make.Run(); err != nil {
		return "", fmt.Errorf("testenv: build %v with make in %s: %w", names, root, err)
	}
	return dir, nil
}

// lock waits for the exclusive lock on the file. The system releases it when the process ends, however it ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("testenv: open the build lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("testenv: take the build lock %s: %w", path, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}
