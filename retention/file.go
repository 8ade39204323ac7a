package retention

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/internal/disk"
)

// maxFileSize is what a ConfigMap can hold.
const maxFileSize = 1 << 20

// policyFile is a Policy as a file has it.
type policyFile struct {
	Default          keep          `yaml:"default"`
	Rules            []ruleInFile  `yaml:"rules"`
	Interval         time.Duration `yaml:"interval" min:"1s" max:"24h"`
	DeletesPerSecond int           `yaml:"deletesPerSecond" min:"1" max:"10000"`
}

type ruleInFile struct {
	Namespace string `yaml:"namespace"`
	Kind      string `yaml:"kind"`
	Keep      keep   `yaml:"keep" required:"true" doc:"how long, such as 30d or 36h"`
}

// Validate checks what the keys' own types cannot.
func (f *policyFile) Validate() error { return f.policy().defaults().validate() }

func (f *policyFile) policy() Policy {
	p := Policy{Default: time.Duration(f.Default), Interval: f.Interval, DeletesPerSecond: f.DeletesPerSecond}
	for _, r := range f.Rules {
		p.Rules = append(p.Rules, Rule{Namespace: r.Namespace, Kind: v1alpha1.AuditKind(r.Kind), Keep: time.Duration(r.Keep)})
	}
	return p
}

// keep is a duration that can also be written in days, which Go's cannot.
type keep time.Duration

// String writes whole days in days.
func (k keep) String() string {
	if d := time.Duration(k); d%day != 0 {
		return d.String()
	}
	return fmt.Sprintf("%dd", time.Duration(k)/day)
}

// FromYAML takes "30d", or what time.ParseDuration takes.
func (k *keep) FromYAML(v any) error {
	text, ok := v.(string)
	if !ok {
		return errors.New("want a duration with its unit, such as 30d or 36h")
	}
	d, err := time.ParseDuration(text)
	if number, inDays := strings.CutSuffix(text, "d"); inDays {
		var days uint64
		days, err = strconv.ParseUint(number, 10, 32)
		// What is beyond the longest retention is refused as that, and must not wrap around.
		d = min(time.Duration(days), MaxKeep/day+1) * day
	}
	if err != nil || strings.HasPrefix(text, "+") {
		return errors.New("want a duration with its unit, such as 30d or 36h")
	}
	if d <= 0 {
		return keepError(d) // here, for 0 would be taken for the default later
	}
	*k = keep(d)
	return nil
}

// JSONSchema describes what FromYAML takes.
func (*keep) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": `^([0-9]+d|([0-9.]+(h|m|s|ms|us|ns))+)$`}
}

// LoadPolicy reads the file at path.
func LoadPolicy(path string) (Policy, error) {
	data, err := disk.ReadFile(path, maxFileSize+1)
	if err != nil {
		return Policy{}, fmt.Errorf("retention: %w", err)
	}
	return ParsePolicy(path, data)
}

// ParsePolicy reads a policy from YAML; name stands for its file in messages:
//
//	default: 30d
//	rules:
//	  - {namespace: team-a, keep: 90d}
//	  - {namespace: team-a, kind: egress-allow, keep: 36h}
//	  - {kind: egress-block-summary, keep: 14d}
//	interval: 1h
//	deletesPerSecond: 100
//
// Every key may be left out. Its error is a *config.FileError with everything
// that is wrong: unknown and duplicate keys, two rules for the same events,
// invalid names, and a retention under MinKeep.
func ParsePolicy(name string, data []byte) (Policy, error) {
	var f policyFile
	if err := config.Decode(name, data, &f, "default: 30d"); err != nil {
		return Policy{}, err
	}
	return f.policy(), nil
}
