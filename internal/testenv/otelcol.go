package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// envOTelCol names the OpenTelemetry Collector to use instead of building it.
const envOTelCol = "OTELCOL_BIN"

// The words of a collector's configuration that StartOTelCol replaces.
const (
	// OTelColAddress stands for the host:port at which the collector takes OTLP over HTTP.
	OTelColAddress = "OTLP-ADDRESS"
	// OTelColData stands for a folder that outlives Kill.
	OTelColData = "DATA-FOLDER"
)

// OTelCol is an OpenTelemetry Collector with the receiver otlp, the processor batch, the exporters otlp_http and debug, and
// the extension file_storage. It knows no section service.telemetry.
type OTelCol struct {
	single

	// URL is the root of its OTLP receiver over HTTP, without a slash at its end: "http://127.0.0.1:12345".
	URL string

	config string // path of the configuration
}

// StartOTelCol starts a collector with a configuration in YAML and returns when it is ready. The configuration has a
// receiver otlp with the HTTP endpoint OTelColAddress. It builds a missing binary first, which takes about a minute. Stop
// it when done; it also ends with this process.
func StartOTelCol(config string) (*OTelCol, error) {
	if !strings.Contains(config, OTelColAddress) {
		return nil, fmt.Errorf("testenv: the collector's configuration needs a receiver otlp with protocols: {http: {endpoint: %s}}", OTelColAddress)
	}
	path, err := binary(envOTelCol, "otelcol")
	if err != nil {
		return nil, err
	}
	return startSingle("otelcol", path, 1, func(one single) (*OTelCol, error) {
		c := &OTelCol{single: one, URL: "http://" + one.addresses[0], config: filepath.Join(one.group.dir, "otelcol.yaml")}
		text := strings.NewReplacer(OTelColAddress, one.addresses[0], OTelColData, c.DataDir()).Replace(config)
		if err := errors.Join(os.Mkdir(c.DataDir(), 0o700), os.WriteFile(c.config, []byte(text), 0o600)); err != nil {
			return nil, err
		}
		err := c.start(context.Background())
		return c, err
	})
}

// NewOTelCol starts a collector for one test and stops it when the test ends.
func NewOTelCol(tb testing.TB, config string) *OTelCol {
	tb.Helper()
	c, err := StartOTelCol(config)
	return forTest(tb, c, err)
}

// ConfigFile returns the path of the configuration that the collector reads.
func (c *OTelCol) ConfigFile() string { return c.config }

// DataDir returns the folder that OTelColData stands for.
func (c *OTelCol) DataDir() string { return filepath.Join(c.group.dir, "data") }

// Printed returns what the collector has logged since its last start: a JSON object a line.
func (c *OTelCol) Printed() string { return string(c.process.printed()) }

func (c *OTelCol) start(ctx context.Context) error {
	// A request without any record is answered with 200 as well.
	empty, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/v1/logs", http.NoBody)
	if err != nil {
		return fmt.Errorf("testenv: ask the collector whether it is ready: %w", err)
	}
	empty.Header.Set("Content-Type", "application/x-protobuf")
	return c.run(ctx, empty, "Everything is ready", "--config="+c.config)
}

// Restart starts the collector again after Kill, on the same port with the same data, and returns when it is ready.
func (c *OTelCol) Restart(ctx context.Context) error {
	if err := c.process.mustHaveEnded(); err != nil {
		return err
	}
	return c.start(ctx)
}
