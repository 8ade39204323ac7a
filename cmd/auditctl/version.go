package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/internal/texts"
)

// version says which build this is.
type version struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // the tree had changes that were not committed
	Time     string `json:"time,omitempty"`     // of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readVersion returns what the Go toolchain noted in the binary.
func readVersion() version {
	v := version{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		case "vcs.time":
			v.Time = s.Value
		}
	}
	return v
}

func (v version) String() string {
	text := v.Version
	if v.Commit != "" {
		text += " commit " + v.Commit
	}
	return fmt.Sprintf("%s, %s, %s", text, v.Go, v.Platform)
}

func versionCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Print the version", Args: operands(0, 0, "none")}
	format := addChoice(cmd, "output", "o", "text", "form of the output", "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if format.value == "json" {
			return printJSON(env, readVersion())
		}
		_, err := fmt.Fprintln(env.out, cmd.Root().DisplayName(), readVersion())
		return err
	}
	return cmd
}

// printJSON prints a value as indented JSON.
func printJSON(env *environment, value any) error {
	e := json.NewEncoder(texts.Terminal{To: env.out})
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}
