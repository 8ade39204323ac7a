package testenv

import (
	"fmt"
	"os"
	"path/filepath"
)

// envPromtool names the promtool to use instead of building it.
const envPromtool = "PROMTOOL_BIN"

// Promtool returns the path of promtool, which checks and tests Prometheus rules. It builds it when it is missing.
func Promtool() (string, error) {
	if path := os.Getenv(envPromtool); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("testenv: %s must name the promtool binary: %w", envPromtool, err)
		}
		return path, nil
	}
	dir, err := built("promtool")
	return filepath.Join(dir, "promtool"), err
}
