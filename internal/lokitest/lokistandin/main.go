// Command lokistandin serves the stand-in for Loki on one address until it is killed. It stores what it has confirmed in
// the folder -data, and reads it back when it is started again.
//
//	go run ./internal/lokitest/lokistandin -listen 127.0.0.1:3100 -data DIR
//
// Without -config it has every profile of package lokitest as a tenant. A real Loki has the same tenants with the files
// in internal/lokitest/testdata.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/paddock-dev/audit/internal/lokitest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "lokistandin:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:3100", "the loopback address to listen on")
	data := flag.String("data", "", "the folder to keep what was confirmed in; made when it is missing; none keeps it in memory")
	file := flag.String("config", "", "a JSON file with auth_enabled, max_chunk_age, limits_config and overrides; none has every profile as a tenant")
	flag.Parse()
	host, _, err := net.SplitHostPort(*listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errors.New("-listen: the stand-in is for tests and listens on a loopback address only, such as 127.0.0.1:3100")
	}
	config := lokitest.AllProfiles()
	if *file != "" {
		if config, err = readConfig(*file); err != nil {
			return err
		}
	}
	if config.Dir = *data; *data != "" {
		if err := os.MkdirAll(*data, 0o700); err != nil {
			return fmt.Errorf("-data: %w", err)
		}
	}
	standin, err := lokitest.New(config)
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", *listen)
	if err != nil {
		return errors.Join(err, standin.Close())
	}
	fmt.Printf("the stand-in for Loki (no Loki; recorded from %s) is listening on http://%s\n", lokitest.Recorded, l.Addr())
	const headTime = 10 * time.Second
	server := &http.Server{Handler: standin, ReadHeaderTimeout: headTime}
	return errors.Join(server.Serve(l), standin.Close())
}

func readConfig(path string) (lokitest.Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return lokitest.Config{}, fmt.Errorf("-config: %w", err)
	}
	var config lokitest.Config
	if err := json.Unmarshal(text, &config); err != nil {
		return config, fmt.Errorf("-config: %s: %w", path, err)
	}
	return config, nil
}
